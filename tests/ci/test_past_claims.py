"""What was claimed at the baseline: by its tables at that commit, or by the report beside its measurements."""

from __future__ import annotations

import csv
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import counts_by_hand as counts
import pytest
from checkouts import commit, leave_alone, repository
from comparing import against, told
from job import REPOSITORY

from cspbench.ci.baseline import present
from cspbench.ci.past_claims import with_claims
from cspbench.errors import CspbenchError
from cspbench.report.model import ReportCell, ReportRow, as_json


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_alone(monkeypatch)


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tables in a checkout with results, as if cspbench were run from there."""
    place = repository(tmp_path / "repository")
    counts.write(place / "results")
    folder = place / "tables"
    shutil.copytree(REPOSITORY / "tables", folder)
    monkeypatch.setattr("cspbench.claims.tables.where_published", lambda: folder)
    return folder


def committed_with(file: Path, now: str, then: str) -> None:
    """Commit a file in which one text was another, and put it right again."""
    text = file.read_text(encoding="utf-8")
    assert text.count(now) == 1
    file.write_text(text.replace(now, then), encoding="utf-8")
    commit(file.parent)
    file.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "now", "then", "row", "metric", "why"),
    [
        ("imagenet-big", "18.57,77.2,", "18.57,70.1,", "darknet-53", "top1", "the claim 70.1 became 77.2"),
        ("imagenet-big", ",41.57M,", ",41.58M,", "darknet-53", "params", "the claim 41.58M became 41.57M"),
        ("coco-cpu", ",54,-,33.1,", ",54,-,33.2,", "yolov3-tiny-416", "ap50", "the claim 33.2 became 33.1"),
        ("coco-cpu", ",54,-,33.1,", ",55,-,33.1,", "yolov3-tiny-416", "fps", "the claim 55 became 54"),
        ("sample-classification", "98.3", "98.4", "sample-csp-classifier", "top1", "the claim 98.4 became 98.3"),
        ("sample-detection", "66.9", "66.8", "sample-csp-detector", "ap", "the claim 66.8 became 66.9"),
    ],
)
def test_a_claim_that_was_edited_fails(
    tables: Path, name: str, now: str, then: str, row: str, metric: str, why: str
) -> None:
    committed_with(tables / f"{name}.csv", now, then)
    result = against("git:HEAD", tables.parent / "results")
    assert [(pair.row, pair.metric, pair.kind, pair.why) for pair in result.changed] == [
        (row, metric, "claim changed", why)
    ]
    assert result.exit_code == 1
    commit(tables)
    assert told(against("git:HEAD", tables.parent / "results")) == []


def line_of(file: Path, beginning: str) -> str:
    """The one line of a file that begins so."""
    (line,) = (
        splitline for splitline in file.read_text("utf-8").splitlines(keepends=True) if splitline.startswith(beginning)
    )
    return line


def test_a_claim_or_row_that_went_fails(tables: Path) -> None:
    now = line_of(tables / "coco-cpu.csv", "yolov3-tiny-416,")
    gone = now.replace("yolov3-tiny-416", "yolov2-tiny-416")
    committed_with(tables / "coco-cpu.csv", now, now.replace("54,-", "54,15.0") + gone)
    result = against("git:HEAD", tables.parent / "results")
    assert [(pair.row, pair.metric, pair.kind, pair.why) for pair in result.changed] == [
        ("yolov3-tiny-416", "ap", "worse", "the claim 15.0 is gone"),
        ("yolov2-tiny-416", "fps", "vanished", "the row is gone"),
        ("yolov2-tiny-416", "ap50", "vanished", "the row is gone"),
    ]
    assert (result.changed[1].name, result.changed[1].header) == ("YOLOv3-tiny 416×416", "9900K fps")


def test_a_claim_or_row_that_is_new_is_told_and_passes(tables: Path) -> None:
    row = line_of(tables / "coco-cpu.csv", "yolov3-tiny-416,")
    committed_with(tables / "coco-cpu.csv", row, "")
    result = against("git:HEAD", tables.parent / "results")
    assert told(result) == [("yolov3-tiny-416", "fps", "noted"), ("yolov3-tiny-416", "ap50", "noted")]
    assert result.exit_code == 0


def test_claims_and_not_measurements_of_the_tables_of_then_count(tables: Path) -> None:
    """The counts at the baseline were judged by a claim that its tables had no more."""
    counts.write(tables.parent / "results", *counts.with_cell("params", printed="41.99M"))
    commit(tables)
    counts.write(tables.parent / "results")
    assert told(against("git:HEAD", tables.parent / "results")) == [("darknet-53", "params", "fixed")]


@pytest.mark.parametrize(
    ("name", "now", "then", "said"),
    [
        ("coco-cpu.csv", "9900K fps", "9900K", "tables that this version cannot read .*coco-cpu.csv"),
        ("coco-cpu.csv", "54,-,33.1", "9" * 2**22, r"found coco-cpu\.csv: too large"),
        ("tables.toml", "[tables.coco-cpu]", "[tables.coco-more]", "coco-more.csv: no such file"),
        ("tables.toml", "[tables.coco-cpu]", '[tables."../../x"]', "x.csv: no such file"),
        ("tables.toml", "[tables.coco-cpu]", "[tables.coco-cpu", "tables that this version cannot read .*not TOML"),
    ],
)
def test_tables_of_then_that_are_none(tables: Path, name: str, now: str, then: str, said: str) -> None:
    committed_with(tables / name, now, then)
    with pytest.raises(CspbenchError, match=f"git:HEAD, its tables: .*{said}") as caught:
        against("git:HEAD", tables.parent / "results")
    assert "/tmp" not in str(caught.value)


def test_tables_of_then_need_not_name_their_models(tables: Path) -> None:
    """Those of earlier versions had neither models.toml nor the columns that name models and weights."""
    big, models, description = tables / "imagenet-big.csv", tables / "models.toml", tables / "tables.toml"
    whole, described, text = (path.read_text("utf-8") for path in (big, models, description))
    header, *rows = csv.reader(whole.splitlines())
    kept = [at for at, name in enumerate(header) if name not in ("model", "note", "weights", "weights_status")]
    with big.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([row[at] for at in kept] for row in (header, *rows))
    models.unlink()
    description.write_text(re.sub(r"(?m)^(presets|sweep|figure|size) = .*\n", "", text), "utf-8")
    commit(tables)
    big.write_text(whole, "utf-8")
    models.write_text(described, "utf-8")
    description.write_text(text, "utf-8")
    assert told(against("git:HEAD", tables.parent / "results")) == []


def test_a_commit_before_the_tables_were_there(tables: Path) -> None:
    tables.rename(tables.with_name("aside"))
    commit(tables.parent)
    tables.with_name("aside").rename(tables)
    assert told(against("git:HEAD", tables.parent / "results")) == []


@pytest.fixture(params=["folder", "git"])
def reported(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Compares results with themselves, beside which a report with other claims was written."""
    place = repository(tmp_path / "repository")
    results = counts.write(place / "results")
    lines = present(results).lines

    def compared(row: str, **then: ReportCell | None) -> Any:
        (line,) = [line for line in lines if (line.table, line.row) == ("imagenet-big", row)]
        cells = {metric: cell for metric, cell in {**line.cells, **then}.items() if cell is not None}
        report = [replace(line, cells=cells) if each is line else each for each in lines]
        (results / "report.json").write_text(json.dumps(as_json(report)))
        commit(place)
        return against(results if request.param == "folder" else "git:HEAD", results)

    return compared


def cell(printed: str, **more: Any) -> ReportCell:
    """A cell as a report has it, measured at a value that nobody should believe."""
    number = printed.partition(" ")[0].rstrip("M")
    measured = {"measured": "1.0", "exact": "1", "delta": None, "verdict": "off", **more}
    return ReportCell("top1", "Top-1", printed, "%", number, **measured)


def test_only_the_claims_of_a_report_count(reported: Any) -> None:
    result = reported("cspdarknet-53", top1=cell("70.1"))
    assert [(pair.row, pair.metric, pair.kind, pair.why) for pair in result.changed] == [
        ("cspdarknet-53", "top1", "claim changed", "the claim 70.1 became 77.2 (=)")
    ]
    assert result.changed[0].before.exact is None
    assert told(reported("cspdarknet-53", top1=cell("77.2 (=)"))) == []


def test_claims_recorded_with_the_counts_outlive_an_older_report(reported: Any) -> None:
    assert told(reported("darknet-53", params=replace(cell("40.00M"), metric="params"))) == []
    assert told(reported("darknet-53", params=None, bflops=None)) == []
    # nobody counted this row
    result = reported("cspdarknet-53", params=replace(cell("40.00M"), metric="params"))
    assert told(result) == [("cspdarknet-53", "params", "claim changed")]


def test_a_row_that_an_older_report_lacks_keeps_its_counts(tmp_path: Path) -> None:
    results = counts.write(tmp_path / "results")
    (results / "report.json").write_text(json.dumps(as_json([])))
    result = against(results, results)
    assert result.exit_code == 0
    assert {(row, metric) for row, metric, _ in told(result)}.isdisjoint(
        {("darknet-53", "params"), ("darknet-53", "bflops")}
    )


def test_a_report_beside_the_results_that_is_none(tmp_path: Path) -> None:
    results = counts.write(tmp_path / "results")
    (results / "report.json").write_text("{}")
    with pytest.raises(CspbenchError, match=r"results/report.json: not a report"):
        against(results, results)


def test_a_new_claim_makes_the_measurement_of_then_unpublished() -> None:
    line = ReportRow("one", "a", "A", {}, None, None, None, None, {"top1": cell("77.2", verdict="exact")}, "A")
    ((then,),) = ([with_claim.cells["top1"] for with_claim in with_claims([line], [])],)
    assert (then.printed, then.claim, then.exact, then.mark) == ("-", None, "1", "unpublished")
