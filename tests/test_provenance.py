"""Results say how they were made."""

from __future__ import annotations

from pathlib import Path

import pytest

from cspbench import provenance


def test_provenance_names_command_versions_and_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    made = provenance.provenance(["cspbench", "params"])
    assert made["command"] == ["cspbench", "params"]
    assert made["packages"]["fvcore"]
    assert provenance.installed(("no-such-package",)) == {"no-such-package": None}
    monkeypatch.setattr(provenance, "_git", lambda home, *arguments: "abc" if "rev-parse" in arguments else "")
    monkeypatch.setattr(Path, "exists", lambda self: True)
    assert provenance.commit() == "abc"
    monkeypatch.setattr(provenance, "_git", lambda home, *arguments: "abc")
    assert provenance.commit() == "abc+changes"
