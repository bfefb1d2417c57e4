"""What the package brings along beside its modules."""

from __future__ import annotations

from importlib.resources import files


def test_the_package_is_typed_for_those_who_import_it() -> None:
    assert (files("cspbench") / "py.typed").is_file()
