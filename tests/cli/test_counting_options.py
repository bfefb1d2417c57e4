"""Options of `params`, `show` and `list`: none is silently ignored, and none loses what was saved."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import typer
from refusals import refuses

from cspbench.cli.choices import Format
from cspbench.cli.networks.list import list_rows
from cspbench.cli.networks.params import params
from cspbench.cli.networks.show import show
from cspbench.results.counts import CountedCell, CountedRow, Counts
from cspbench.results.encoding import encode
from cspbench.results.schema import Session

AGAINST = {"against": "x.cfg"}


@pytest.mark.parametrize(
    ("options", "code", "what"),
    [
        ({**AGAINST, "size": "64"}, "usage.not-together", "--against does not go with --size"),
        ({**AGAINST, "layers": True}, "usage.not-together", "--against does not go with --layers"),
        ({**AGAINST, "save": True}, "usage.not-together", "--against does not go with --save"),
        ({**AGAINST, "counting": ["mac"]}, "usage.not-together", "--against does not go with --counting"),
        ({**AGAINST, "form": Format.CSV}, "usage.not-together", "--against does not go with --format csv"),
        ({"layers": True, "counting": ["mac"]}, "usage.not-together", "--layers does not go with --counting"),
        ({"layers": True, "save": True}, "usage.not-together", "--layers does not go with --save"),
        ({"layers": True, "strict": True}, "usage.not-together", "--layers does not go with --strict"),
        ({"counting": ["mac", "conv"]}, "usage.two-countings", "operations"),
        ({"counting": ["mac", "stored", "weights"]}, "usage.two-countings", "parameters"),
        ({"out": Path("elsewhere")}, "usage.out-without-save", "--out"),
        ({"every": True}, "usage.nothing-to-count", ""),
        ({"model_option": ["darknet53"]}, "usage.named-twice", "--model"),
    ],
)
def test_options_of_params_that_make_no_sense_together(options: dict[str, Any], code: str, what: str) -> None:
    with refuses(code) as caught:
        params(["darknet"], **options)
    assert what in caught.value.what


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"why": True, "out": Path("-")}, "--why does not go with --out"),
        ({"why": True, "cfg": Path("-")}, "--why does not go with --out"),
        ({"why": True, "plot": Path("x.svg")}, "--why does not go with --plot"),
        ({"why": True, "size": "64"}, "--why does not go with --size"),
        ({"why": True, "form": Format.LATEX}, "--why does not go with --format latex"),
        ({"out": Path("-"), "form": Format.JSON}, "--out does not go with --format json"),
    ],
)
def test_options_of_show_that_make_no_sense_together(options: dict[str, Any], what: str) -> None:
    with refuses("usage.not-together") as caught:
        show("darknet", **options)
    assert caught.value.what == what


def test_list_of_models_has_no_tables() -> None:
    with refuses("usage.not-together"):
        list_rows(table=["timm"], models=True)


def test_show_needs_a_model() -> None:
    with refuses("usage.needs-model"):
        show()


def test_the_evidence_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    show("csppeleenet", why=True, form=Format.JSON)
    told = json.loads(capsys.readouterr().out)
    assert (told["name"], told["definition"], told["confidence"]) == ("csppeleenet", "reconstruction", "very high")
    assert "43.75 %" in told["evidence"]


def test_a_comparison_as_json_with_the_warnings_of_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "other.cfg"
    path.write_text("[net]\nwidth=8\nheight=8\nchannels=3\nodd=1\n[convolutional]\nfilters=16\nactivation=leaky\n")
    with pytest.raises(typer.Exit):
        params(["darknet"], against=str(path), form=Format.JSON)
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert (told["model"], told["against"], told["equal"]) == ("darknet", str(path), False)
    assert told["difference"].startswith("layer 0 [convolutional] size")
    assert f"warning: {path}:5: unknown key odd" in printed.err


def test_a_ledger_as_csv_has_plain_integers(capsys: pytest.CaptureFixture[str]) -> None:
    params(["darknet"], layers=True, form=Format.CSV)
    (first, *_) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    # 16 filters x 3 channels x 9 taps, at 256 x 256
    assert (first["weights"], first["mac"]) == ("432", str(432 * 65536))


def rows(*names: str) -> bytes:
    nothing = CountedCell("weights", None, "-", "M", "printed")
    every = [CountedRow(None, nothing, nothing, "imagenet-small", name, name) for name in names]
    return encode(Counts(session=Session(["by", "hand"], "0.1.0"), rows=every))


def test_saving_does_not_drop_rows(tmp_path: Path) -> None:
    path = tmp_path / "params.json"
    before = rows("darknet-ref", "peleenet", "mixnet-m-gpu")
    path.write_bytes(before)
    for options, dropped in (({"models": ["darknet"]}, 2), ({"table": ["timm"]}, 3)):
        with refuses("usage.save-would-drop", where=str(path)) as caught:
            params(**options, save=True, out=tmp_path)  # type: ignore[arg-type]
        assert "--all" in str(caught.value.remedy)
        assert f"{dropped} of the 3 rows" in caught.value.what
        assert path.read_bytes() == before
        assert [each.name for each in tmp_path.iterdir()] == ["params.json"]


def test_saving_does_not_drop_rows_of_an_earlier_version(tmp_path: Path) -> None:
    path = tmp_path / "params.json"
    path.write_text('{"schema": 1, "rows": []}')
    with refuses("results.old-schema", where=str(path)):
        params(["darknet"], save=True, out=tmp_path)
    assert path.read_text() == '{"schema": 1, "rows": []}'


@pytest.mark.parametrize("before", [rows("darknet-ref"), b"no JSON", b"[]"])
def test_saving_replaces_the_same_rows_and_what_is_not_a_result(before: bytes, tmp_path: Path) -> None:
    (tmp_path / "params.json").write_bytes(before)
    params(["darknet"], save=True, out=tmp_path)
    (row,) = json.loads((tmp_path / "params.json").read_text())["rows"]
    # 7,314,416 parameters: the README's 7.31M
    assert (row["id"], row["params"]["printed"], row["params"]["count"] // 10**4) == ("darknet-ref", "7.31M", 731)
