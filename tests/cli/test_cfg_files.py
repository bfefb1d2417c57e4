"""Several cfg files on one command line: patterns, stdin, and files that cannot be used among the others."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from refusals import refuses

from cspbench.cli.cfg_files import expanded, read_cfgs
from cspbench.cli.options import Format
from cspbench.cli.params import params
from cspbench.evaluation.execution import SILENT

CFG = "[net]\nwidth=8\nheight=8\nchannels=3\n[convolutional]\nfilters={}\nactivation=linear\n"
RECURRENT = "[net]\nwidth=8\nheight=8\nchannels=3\n[gru]\noutput=3\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, filters in (("a/net", 1), ("b/net", 2), ("c", 3), ("[d]", 4)):
        file = tmp_path / f"{name}.cfg"
        file.parent.mkdir(exist_ok=True)
        file.write_text(CFG.format(filters))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(data)))


def stored(capsys: pytest.CaptureFixture[str]) -> dict[str, int]:
    return {row["model"]: row["params"]["measured"] for row in json.loads(capsys.readouterr().out)}


def test_patterns_are_files(folder: Path) -> None:
    assert expanded(["c.cfg", "*/net.cfg", "c.cfg"]) == ["c.cfg", "a/net.cfg", "b/net.cfg"]
    assert expanded(["**/*.cfg"]) == ["[d].cfg", "a/net.cfg", "b/net.cfg", "c.cfg"]
    assert expanded(["[d].cfg", "x*.cfg", "-"]) == ["[d].cfg", "x*.cfg", "-"]


def test_files_of_one_name_are_told_apart(folder: Path) -> None:
    found, code = read_cfgs(["*/net.cfg", "c.cfg"], SILENT)
    assert code == 0
    assert [each.name for each in found] == ["a/net.cfg", "b/net.cfg", "c"]
    assert [each.build().shape(0)[0] for each in found] == [1, 2, 3]


def test_stdin(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin(monkeypatch, CFG.format(5).encode())
    found, _ = read_cfgs(["-", "c.cfg"], SILENT)
    assert [(each.name, each.build().shape(0)[0]) for each in found] == [("stdin", 5), ("c", 3)]
    stdin(monkeypatch, b"[net]\n\0")
    with refuses("cfg.binary", where="stdin"):
        read_cfgs(["-"], SILENT)


def test_a_file_that_cannot_be_used_does_not_hide_the_others(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "recurrent.cfg").write_text(RECURRENT)
    found, code = read_cfgs(["recurrent.cfg", "missing.cfg", "c.cfg"], SILENT)
    assert (code, [each.source for each in found]) == (3, ["c.cfg"])
    lines = capsys.readouterr().err.splitlines()
    assert ["[cfg.recurrent]" in lines[0], "[cfg.unreadable]" in lines[1], len(lines)] == [True, True, 2]
    with refuses("cfg.recurrent"):
        read_cfgs(["recurrent.cfg"], SILENT)


@pytest.mark.parametrize("how", [{"against": Path("c.cfg")}, {"layers": True}])
def test_its_exit_code_is_that_of_every_output(folder: Path, how: dict[str, Any]) -> None:
    with pytest.raises(typer.Exit) as stopped:
        params(cfg=["c.cfg", "missing.cfg"], form=Format.MD, **how)
    assert stopped.value.exit_code == 3


def test_every_file_is_a_row(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    params(cfg=["**/*.cfg"], counting=["stored"], form=Format.JSON)
    assert stored(capsys) == {"a/net.cfg": 4, "b/net.cfg": 8, "c": 12, "[d]": 16}


def test_the_shell_has_expanded_the_pattern(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "recurrent.cfg").write_text(RECURRENT)
    with pytest.raises(typer.Exit) as stopped:
        params(["b/net.cfg", "recurrent.cfg"], cfg=["a/net.cfg"], counting=["stored"], form=Format.JSON)
    assert stopped.value.exit_code == 3
    assert stored(capsys) == {"a/net.cfg": 4, "b/net.cfg": 8}
    with refuses("usage.nothing-to-count"):
        params(["darknet53"], cfg=["a/net.cfg"])
