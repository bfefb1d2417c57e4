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
from cspbench.cli.choices import Format
from cspbench.cli.networks.params import params
from cspbench.errors import CountingError
from cspbench.evaluation.execution import SILENT
from cspbench.network.counting import Count, count
from cspbench.network.network import Network

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
    result, code = read_cfgs(["*/net.cfg", "c.cfg"], SILENT)
    assert code == 0
    assert [each.name for each in result] == ["a/net.cfg", "b/net.cfg", "c"]
    assert [each.build().shape(0)[0] for each in result] == [1, 2, 3]


def test_stdin(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin(monkeypatch, CFG.format(5).encode())
    result, _ = read_cfgs(["-", "c.cfg"], SILENT)
    assert [(each.name, each.build().shape(0)[0]) for each in result] == [("stdin", 5), ("c", 3)]
    stdin(monkeypatch, b"[net]\n\0")
    with refuses("cfg.binary", where="stdin"):
        read_cfgs(["-"], SILENT)


def test_a_file_that_cannot_be_used_does_not_hide_the_others(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "recurrent.cfg").write_text(RECURRENT)
    result, code = read_cfgs(["recurrent.cfg", "missing.cfg", "c.cfg"], SILENT)
    assert (code, [each.source for each in result]) == (3, ["c.cfg"])
    lines = capsys.readouterr().err.splitlines()
    assert ["[cfg.recurrent]" in lines[0], "[cfg.unreadable]" in lines[1], len(lines)] == [True, True, 2]
    with refuses("cfg.recurrent"):
        read_cfgs(["recurrent.cfg"], SILENT)


@pytest.mark.parametrize("how", [{"against": "c.cfg"}, {"layers": True}])
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


@pytest.mark.parametrize("more", [{"counting": ["stored"], "form": Format.JSON}, {"layers": True, "form": Format.CSV}])
def test_a_size_that_one_file_does_not_fit_does_not_hide_the_others(
    folder: Path, capsys: pytest.CaptureFixture[str], more: dict[str, Any]
) -> None:
    (folder / "e.cfg").write_text(f"{CFG.format(4)}[reorg3d]\nstride=4\n")
    with pytest.raises(typer.Exit) as stopped:
        params(cfg=["c.cfg", "e.cfg", "b/net.cfg"], size="10", **more)
    assert stopped.value.exit_code == 3
    out, err = capsys.readouterr()
    assert ("c" in out, "net" in out, "reorg" in out) == (True, True, False)
    assert "e.cfg:8, layer 1 [reorg3d]" in err
    assert "[network.indivisible-map]" in err
    with refuses("network.indivisible-map"):
        params(cfg=["e.cfg"], size="10")


def test_a_count_that_fails_does_not_hide_the_others(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def disagreeing(network: Network, traces: object = None) -> Count:
        if network.shape(0)[0] == 2:
            raise CountingError("count.disagree", "the ledger and fvcore disagree", where="b/net.cfg")
        return count(network)

    monkeypatch.setattr("cspbench.network.counter.count", disagreeing)
    with pytest.raises(typer.Exit) as stopped:
        params(cfg=["a/net.cfg", "b/net.cfg", "c.cfg"], counting=["stored"], form=Format.JSON)
    assert stopped.value.exit_code == CountingError("count.disagree", "").exit_code
    out, err = capsys.readouterr()
    assert [row["params"]["measured"] for row in json.loads(out)] == [4, 12]
    assert "[count.disagree]" in err
    with refuses("count.disagree"):
        params(cfg=["b/net.cfg"])


def test_against_a_file_that_differs_in_letterboxing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "boxed.cfg").write_text(CFG.format(3).replace("channels", "letter_box=1\nchannels"))
    with pytest.raises(typer.Exit) as stopped:
        params(cfg=["c.cfg"], against=str(folder / "boxed.cfg"))
    assert stopped.value.exit_code == 1
    assert "letter_box" in capsys.readouterr().out
