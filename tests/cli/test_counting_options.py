"""Options of `params`, `show` and `list`: none is silently ignored, and none loses what was saved."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import typer

from cspbench.cli.list import list_rows
from cspbench.cli.options import Format
from cspbench.cli.params import params
from cspbench.cli.show import show
from cspbench.errors import UsageError


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"against": Path("x.cfg"), "size": "64"}, "--against does not go with --size"),
        ({"against": Path("x.cfg"), "layers": True}, "--against does not go with --layers"),
        ({"against": Path("x.cfg"), "save": True}, "--against does not go with --save"),
        ({"against": Path("x.cfg"), "counting": ["mac"]}, "--against does not go with --counting"),
        ({"against": Path("x.cfg"), "form": Format.CSV}, "--against does not go with --format csv"),
        ({"layers": True, "counting": ["mac"]}, "--layers does not go with --counting"),
        ({"layers": True, "save": True}, "--layers does not go with --save"),
        ({"layers": True, "strict": True}, "--layers does not go with --strict"),
        ({"counting": ["mac", "conv"]}, "two countings of operations .*found mac and conv"),
        ({"counting": ["mac", "stored", "weights"]}, "two countings of parameters"),
        ({"out": Path("elsewhere")}, "--out is where --save writes"),
    ],
)
def test_options_of_params_that_make_no_sense_together(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        params(["darknet"], **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"why": True, "cfg": Path("-")}, "--why does not go with --cfg"),
        ({"why": True, "plot": Path("x.svg")}, "--why does not go with --plot"),
        ({"why": True, "size": "64"}, "--why does not go with --size"),
        ({"why": True, "form": Format.LATEX}, "--why does not go with --format latex"),
        ({"cfg": Path("-"), "form": Format.JSON}, "--cfg does not go with --format json"),
    ],
)
def test_options_of_show_that_make_no_sense_together(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        show("darknet", **options)


def test_list_of_models_has_no_tables() -> None:
    with pytest.raises(UsageError, match="--models does not go with --table"):
        list_rows(table=["timm"], models=True)


def test_the_evidence_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    show("csppeleenet", why=True, form=Format.JSON)
    told = json.loads(capsys.readouterr().out)
    assert (told["name"], told["definition"], told["confidence"]) == ("csppeleenet", "reconstruction", "very high")
    assert "43.75 %" in told["why"]


def test_a_comparison_as_json_with_the_warnings_of_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "other.cfg"
    path.write_text("[net]\nwidth=8\nheight=8\nchannels=3\nodd=1\n[convolutional]\nfilters=16\nactivation=leaky\n")
    with pytest.raises(typer.Exit):
        params(["darknet"], against=path, form=Format.JSON)
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert (told["model"], told["against"], told["equal"]) == ("darknet", str(path), False)
    assert told["difference"].startswith("layer 0 [convolutional] size")
    assert f"warning: {path}:5: unknown key odd" in printed.err


def test_a_ledger_as_csv_has_plain_integers(capsys: pytest.CaptureFixture[str]) -> None:
    params(["darknet"], layers=True, form=Format.CSV)
    (first, *_) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    # 16 filters x 3 channels x 9 taps, at 256 x 256
    assert (first["Weights"], first["MACs"]) == ("432", str(432 * 65536))


def rows(*names: str) -> str:
    return json.dumps({"rows": [{"table": "imagenet-small", "id": name, "row": name, "model": None} for name in names]})


def test_saving_does_not_drop_rows(tmp_path: Path) -> None:
    path = tmp_path / "params.json"
    before = rows("darknet-ref", "peleenet", "mixnet-m-gpu")
    path.write_text(before)
    for options in ({"models": ["darknet"]}, {"table": ["timm"]}):
        with pytest.raises(UsageError) as caught:
            params(**options, save=True, out=tmp_path)  # type: ignore[arg-type]
        assert "--all" in str(caught.value)
        assert str(caught.value).startswith(f"{path}: --save would drop {3 if 'table' in options else 2} of the 3 rows")
        assert path.read_text() == before
        assert [each.name for each in tmp_path.iterdir()] == ["params.json"]


@pytest.mark.parametrize("before", [rows("darknet-ref"), "no JSON", "[]"])
def test_saving_replaces_the_same_rows_and_what_is_no_result(before: str, tmp_path: Path) -> None:
    (tmp_path / "params.json").write_text(before)
    params(["darknet"], save=True, out=tmp_path)
    (row,) = json.loads((tmp_path / "params.json").read_text())["rows"]
    assert (row["id"], row["params"]["verdict"]) == ("darknet-ref", "exact")
