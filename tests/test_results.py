"""Result files are whole or absent, and say how they were made."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cspbench import results
from cspbench.errors import CspbenchError


def test_written_files_replace_old_ones_and_leave_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "result.json"
    results.write_json(path, {"b": 1, "a": "×"})
    results.write_json(path, {"b": 2})
    assert json.loads(path.read_text(encoding="utf-8")) == {"b": 2}
    assert path.read_bytes().endswith(b"}\n")
    assert [each.name for each in path.parent.iterdir()] == ["result.json"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "result.txt"
    results.write_text(path, "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(CspbenchError, match=r"result\.txt: cannot be written \(found No space left on device\)"):
        results.write_text(path, "new")
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["result.txt"]


def test_provenance_names_command_versions_and_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    made = results.provenance(["cspbench", "params"])
    assert made["command"] == ["cspbench", "params"]
    assert made["packages"]["fvcore"]
    assert results.installed(("no-such-package",)) == {"no-such-package": None}
    monkeypatch.setattr(results, "_git", lambda home, *arguments: "abc" if "rev-parse" in arguments else "")
    monkeypatch.setattr(Path, "exists", lambda self: True)
    assert results.commit() == "abc"
    monkeypatch.setattr(results, "_git", lambda home, *arguments: "abc")
    assert results.commit() == "abc+changes"
