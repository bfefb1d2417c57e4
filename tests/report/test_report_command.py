"""`cspbench report`: what it prints and writes, and how it ends."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import schema1
import typer
from msgspec import structs
from refusals import refuses
from result_files import WHO, changed, classifier, put
from typer.testing import CliRunner, Result

from cspbench.cli.reports.report import report
from cspbench.errors import CspbenchError
from cspbench.network import cfg
from cspbench.report.model import read
from cspbench.results.migrate import _digest_v1
from cspbench.results.runs import load_run

COUNTS = Path(__file__).parents[2] / "results" / "params.json"
app = typer.Typer()
app.command()(report)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


def said(*arguments: str | Path, code: int = 0) -> str:
    """Its stdout, when it ends with that code."""
    done = run(*arguments)
    assert done.exit_code == code, done.stderr
    return done.stdout


def failed(done: Result) -> None:
    """Raise what ended it."""
    assert isinstance(done.exception, CspbenchError)
    raise done.exception


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results directory with this repository's counts."""
    folder = tmp_path / "results"
    folder.mkdir()
    shutil.copy(COUNTS, folder / "params.json")
    return folder


def test_every_format_twice(results: Path) -> None:
    for form in ("md", "csv", "json", "latex"):
        text = said("--results", results, "--format", form)
        assert text == said("--results", results, "--format", form)
        assert "CSPResNeXt-50" in text
    assert said("--results", results) == said("--results", results, "--format", "md")


def test_markdown_csv_and_json_need_nothing_heavy(results: Path) -> None:
    script = (
        "import sys, typer; from cspbench.cli.reports.report import report\n"
        "app = typer.Typer(); app.command()(report)\n"
        "app(sys.argv[1:], standalone_mode=False)\n"
        "print(sorted({'torch', 'timm', 'pandas', 'matplotlib', 'PIL'} & set(sys.modules)), file=sys.stderr)"
    )
    for form in ("md", "json"):
        command = [sys.executable, "-c", script, "--results", str(results), "--format", form]
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=True)
        assert done.stderr.splitlines()[-1] == "[]"


def test_a_file_by_its_suffix(results: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    done = run("--results", results, "--table", "imagenet-big", "--out", tmp_path / "deep" / "page.html")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "page.html" in done.stderr
    text = (tmp_path / "deep" / "page.html").read_text("utf-8")
    assert text.startswith("<!DOCTYPE html>")
    # the figures of that table alone
    assert text.count('<svg class="plot"') == 3
    said("--results", results, "--out", tmp_path / "cells.csv")
    assert (tmp_path / "cells.csv").read_text("utf-8").startswith("kind,table,row,")


def test_rows_and_tables_are_chosen(results: Path) -> None:
    text = said("--results", results, "--only", "missed", "--table", "imagenet-small", "--format", "csv")
    assert {each["row"] for each in csv.DictReader(io.StringIO(text))} == {"cspdensenet-ref"}
    lines = read(json.loads(said("--results", results, "--only", "fitted", "--format", "json")), "stdout")
    assert {line.definition for line in lines} == {"stand-in, low"}
    pasted = said("--results", results, "--table", "imagenet-big", "--like-readme").splitlines()
    assert pasted[:2] == [
        "Model | #Parameter | BFLOPs | Top-1 | Top-5 | cfg | weight |",
        "---|---|---|---|---|---|---|",
    ]
    assert pasted[3] == "CSPDarkNet-53 | 27.61M (-34%) | 13.07 (-30%) | - | - | cfg | weight |"
    assert len(pasted) == 18


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--table", "imagenet-bug"], "usage.unknown-table"),
        (["--only", "offf"], "usage.unknown-mark"),
        (["--like-readme", "--format", "html"], "usage.like-readme-format"),
        (["--save", "--only", "off"], "usage.save-part"),
    ],
)
def test_wrong_usage(tmp_path: Path, arguments: list[str], code: str) -> None:
    # said before results are looked for
    with refuses(code):
        failed(run("--results", tmp_path / "nowhere", *arguments))


def test_unusable_results(tmp_path: Path, results: Path) -> None:
    for folder in (tmp_path / "nowhere", results):
        (results / "params.json").write_text('{"rows": [{}]}')
        done = run("--results", folder)
        with refuses("results.none-there" if folder != results else "results.not-results") as caught:
            failed(done)
        assert caught.value.exit_code == 3
        assert done.stdout == ""


def test_the_newest_complete_run_counts(results: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    put(runs / "old", classifier(top1=38_000, when="2026-01-01T00:00:00Z"))
    put(runs / "new", classifier(top1=38_610, when="2026-02-01T00:00:00Z"))
    put(runs / "newest", classifier(when="2026-03-01T00:00:00Z", finished=False))
    text = said(runs, "--results", results, "--table", "imagenet-big")
    (row,) = (line for line in text.splitlines() if line.startswith("| CSPDarkNet-53 |"))
    assert " 77.2 (=) → 77.220 (95 %: 76.85–77.59) Δ0 (10 images more) ✓ exact [" in row
    notes = [line for line in text.splitlines() if line.startswith("- CSPDarkNet-53: Top-1 also")]
    assert len(notes) == 2
    assert any("also 76.0" in note for note in notes)
    assert any("also nothing" in note and "incomplete" in note for note in notes)


def test_half_a_character_does_no_harm(tmp_path: Path) -> None:
    """Of a command whose arguments were not text."""
    session = structs.replace(WHO, command=["cspbench", "by", "\ud800hand\u0007"])
    path = put(tmp_path / "runs" / "mine", changed(classifier(top1=38_610), sessions=[session]))
    place: list[str | Path] = [path, "--results", tmp_path / "nowhere", "--table", "imagenet-big"]
    for form in ("md", "csv", "html"):
        assert "ud800hand" in said(*place, "--format", form)
    result = json.loads(said(*place, "--format", "json"))
    cells = [cell["provenance"] for row in result["rows"] for cell in row["cells"] if cell["provenance"]]
    assert {cell["command"] for cell in cells} == {"cspbench by 'ud800hand\x07'"}


def test_a_run_without_results(tmp_path: Path) -> None:
    path = put(tmp_path / "runs" / "mine", classifier(top1=38_610))
    text = said(path, "--results", tmp_path / "nowhere", "--table", "imagenet-big")
    assert "Δ0 (10 images more) ✓ exact [1]" in text
    assert not (tmp_path / "nowhere").exists()


def test_strict_fails_where_a_cell_shown_is_off(results: Path, tmp_path: Path) -> None:
    """As in `params`: explained or not."""
    said("--results", results, "--format", "csv")
    said("--results", results, "--strict", "--format", "csv", code=1)  # what is off there is explained
    said("--results", results, "--strict", "--format", "csv", "--table", "imagenet-small", code=1)
    said("--results", results, "--strict", "--format", "csv", "--table", "mmpretrain")
    path = put(tmp_path / "bad", classifier(top1=30_000))
    said(path, "--results", results, "--format", "csv", "--strict", "--table", "imagenet-big", code=1)
    # what is not shown does not count
    said(path, "--results", results, "--format", "csv", "--strict", "--only", "unpublished", "--table", "mmpretrain")


def test_an_unknown_suffix_is_refused(results: Path, tmp_path: Path) -> None:
    done = run("--results", results, "--out", tmp_path / "report.pdf")
    with refuses("usage.unknown-suffix", where=str(tmp_path / "report.pdf")):
        failed(done)
    assert not (tmp_path / "report.pdf").exists()
    said("--results", results, "--out", tmp_path / "report.pdf", "--format", "csv")
    said("--results", results, "--out", tmp_path / "report")
    assert (tmp_path / "report").read_text().startswith("# Published numbers, measured")


def test_a_hyphen_is_stdout(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = said("--results", results, "--out", "-", "--table", "timm", "--format", "csv")
    assert text == said("--results", results, "--table", "timm", "--format", "csv")
    assert not (tmp_path / "-").exists()


NAMES = ("accuracy-vs-bflops", "accuracy-vs-params", "ap-over-nms", "sample-ap-over-nms", "residuals")
PLOTS = [f"{name}.{form}" for name in NAMES for form in ("png", "svg", "pdf")]
REPORTS = ("report.md", "report.html", "report.csv", "report.json", "report.tex")


def test_save_writes_everything(results: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    runs = tmp_path / "runs"
    put(runs / "whole", classifier(top1=38_610))
    put(runs / "half", classifier(finished=False))
    done = run(runs, "--results", results, "--save")
    assert (done.exit_code, done.stdout) == (0, "")
    wrote = [line.removeprefix("cspbench: wrote ") for line in done.stderr.splitlines() if "wrote" in line]
    assert {Path(each).relative_to(results).as_posix() for each in wrote} == {
        "evaluations/whole.json",
        *REPORTS,
        *PLOTS,
    }
    assert "half: incomplete, not kept" in done.stderr
    text = (results / "report.md").read_text("utf-8")
    for name in NAMES:
        assert f"]({name}.png)" in text
    assert "→ 77.220 " in text
    # what was kept is enough to make it again, to the byte
    assert said("--results", results, "--format", "csv") == (results / "report.csv").read_text("utf-8")
    assert said("--results", results, "--format", "json") == (results / "report.json").read_text("utf-8")


def test_save_without_matplotlib(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cspbench.plots.report_files.find_spec", lambda name: None)
    done = run("--results", results, "--save")
    assert done.exit_code == 0
    assert [line for line in done.stderr.splitlines() if "wrote" not in line] == [
        "cspbench: no plots: they need matplotlib, install cspbench[plot]"
    ]
    assert {path.name for path in results.iterdir()} == {"params.json", *REPORTS}
    assert "![" not in (results / "report.md").read_text("utf-8")


@pytest.mark.parametrize("more", [["--save"], ["--format", "md"], ["x"], ["--only", "off"], ["--strict"]])
def test_migrating_goes_alone(tmp_path: Path, more: list[str]) -> None:
    with refuses("usage.migrate-alone") as caught:
        failed(run("--migrate", tmp_path, *more))
    assert caught.value.exit_code == 2


def test_a_cfg_is_for_migrating(tmp_path: Path) -> None:
    with refuses("usage.migrate-alone"):
        failed(run("--cfg", tmp_path))


def test_migrating_a_run_of_a_cfg(tmp_path: Path) -> None:
    file = tmp_path / "mine.cfg"
    file.write_text("[net]\nchannels=3\nheight=8\nwidth=8\n[maxpool]\nsize=2\nstride=2\n")
    digest = _digest_v1(cfg.read(file).network)
    schema1.write(tmp_path / "run" / "run.json", schema1.run(model="mine", file=True, size=[8, 8], definition=digest))
    with refuses("results.unknown-network"):
        failed(run("--migrate", tmp_path / "run"))
    done = run("--migrate", tmp_path / "run", "--cfg", file)
    assert (done.exit_code, done.stdout) == (0, "")
    assert load_run(tmp_path / "run").identity.network.startswith("v2:")
