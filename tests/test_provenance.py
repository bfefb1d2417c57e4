"""Results say how they were made."""

from __future__ import annotations

from pathlib import Path

import pytest

from cspbench import provenance
from cspbench.results.sessions import session


def test_a_session_names_command_versions_and_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    made = session(["cspbench", "params"])
    assert made.command == ["cspbench", "params"]
    assert made.packages["fvcore"]
    assert provenance.installed(("no-such-package",)) == {"no-such-package": None}
    monkeypatch.setattr(provenance, "_git", lambda home, *arguments: "abc" if "rev-parse" in arguments else "")
    monkeypatch.setattr(Path, "exists", lambda self: True)
    assert provenance.commit() == "abc"
    monkeypatch.setattr(provenance, "_git", lambda home, *arguments: "abc")
    assert provenance.commit() == "abc+changes"
    assert session(["cspbench"]).commit == "abc+changes"
