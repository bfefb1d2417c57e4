"""What the package brings along beside its modules, and how many those are."""

from __future__ import annotations

from collections import Counter
from importlib.resources import files
from pathlib import Path

import cspbench


def test_the_package_is_typed_for_those_who_import_it() -> None:
    assert (files("cspbench") / "py.typed").is_file()


def test_folders_stay_small() -> None:
    """At most 17 modules, except that the zoo has one a family."""
    home = Path(cspbench.__file__).parent
    modules = Counter(str(path.parent.relative_to(home)) for path in home.rglob("*.py") if path.name != "__init__.py")
    assert {name: count for name, count in modules.items() if count > 17 and name != "zoo"} == {}
