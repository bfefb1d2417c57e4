"""Runs and counts of no row: shown in every form, and left alone by the gate unless the baseline has them."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

from result_files import classifier, counts, detector, put, sources, stored, threshold

from cspbench.ci.baseline import changes_since, load, present
from cspbench.ci.tolerances import DEFAULT, parse
from cspbench.report.forms import ReportFormat, rendered
from cspbench.report.model import ReportRow, read
from cspbench.report.select import arranged, select
from cspbench.report.yours import all_tables, every_row, yours
from cspbench.results.counts import CountedCell, CountedRow
from cspbench.results.store import Sources, StoredEvaluation

MINE = classifier(model="mine", user_file=True)
BOXES = detector(
    thresholds=[threshold(0.45, "38.04", intervals={"ap": (37.1, 39.2)}), threshold(0.6, "37.5")],
    model="boxes",
    user_file=True,
    split="custom",
    limit=50,
    seed=0,
)


def rows(*evaluations: StoredEvaluation) -> list[ReportRow]:
    return yours(Sources((), evaluations))


def test_a_run_of_a_published_row_is_not_among_them() -> None:
    assert rows(classifier()) == []
    assert rows(detector()) == []


def test_a_classifier_with_its_data_preset_numbers_and_provenance() -> None:
    (line,) = rows(MINE)
    assert (line.table, line.model, line.definition) == ("your-classifiers", "mine", "file")
    assert dict(line.settings) == {"Data": "folders, 50000 images", "Preset": "readme"}
    top1 = line.cells["top1"]
    # 38,600 of 50,000; Wilson's interval is 1.96 sqrt(0.772 0.228 / 50,000) = 0.37 points to both sides
    assert (top1.measured, top1.interval, top1.verdict) == ("77.200", ("76.83", "77.57"), "unpublished")
    assert top1.provenance is not None
    assert (top1.provenance.command, top1.provenance.run, top1.partial) == ("cspbench by hand", "run", False)


def test_a_detector_has_a_row_for_each_threshold() -> None:
    first, second = rows(BOXES)
    assert dict(first.settings) == {"Data": "custom, 50 of 20288 images", "Preset": "readme", "NMS": "0.45 default"}
    assert (first.cells["ap"].measured, first.cells["ap"].interval) == ("38.040", ("37.10", "39.20"))
    assert (second.settings["NMS"], second.cells["ap"].measured) == ("0.6 default", "37.500")
    assert first.cells["ap"].partial
    assert first.cells["apl"].measured is None


def test_an_unfinished_run_says_so() -> None:
    (line,) = rows(classifier(model="mine", user_file=True, finished=False))
    assert (line.cells["top1"].measured, line.cells["top1"].partial) == (None, True)


def test_of_two_runs_of_one_model_the_newest_has_the_plain_id() -> None:
    old = replace(classifier(model="mine", user_file=True, top1=1, when="2025-01-01T00:00:00Z"), name="old")
    first, second = rows(old, MINE)
    assert (first.cells["top1"].measured, second.cells["top1"].measured) == ("77.200", "0.002")
    assert second.row == f"{first.row} (old)"


def test_counts_of_a_users_file() -> None:
    cells = (
        CountedCell("weights", 1528, "-", "M", "printed"),
        CountedCell("conv+maxpool", 1_122_304, "-", "G", "darknet"),
    )
    mine = CountedRow("mine", *cells, size=(64, 64), network="v2:0", definition="file")
    (line,) = yours(sources(counts(mine)))
    assert (line.table, line.cells["params"].exact, line.cells["bflops"].exact) == ("your-counts", "1528", "1122304")
    assert dict(line.settings) == {"Input": "64×64", "Counted as": "weights, conv+maxpool"}


def test_every_form_shows_them() -> None:
    every, result = all_tables(), every_row(sources(mine=MINE, boxes=BOXES))
    shown = select(result, every)
    names = [section.table.name for section in shown]
    assert names[-2:] == ["your-classifiers", "your-detectors"]
    text = rendered(ReportFormat.MD, shown)
    assert "\n# Your models\n" in text
    assert "| mine | folders, 50000 images | readme | 77.200 (95 %: 76.83–77.57) [" in text
    page = rendered(ReportFormat.HTML, shown)
    assert 'data-kind="yours"' in page
    assert ">77.200<" in page
    document = json.loads(rendered(ReportFormat.JSON, shown))
    assert [line.row for line in read(document, "report.json") if line.table == "your-classifiers"] == [
        "mine folders, 50000 images readme"
    ]
    lines = list(csv.DictReader(io.StringIO(rendered(ReportFormat.CSV, shown))))
    (top1,) = [each for each in lines if each["kind"] == "yours" and each["metric"] == "top1"]
    assert (top1["model"], top1["measured"], top1["interval_low"]) == ("mine", "77.200", "76.83")
    assert "mine" in rendered(ReportFormat.LATEX, shown)


def folder(place: Path, *evaluations: StoredEvaluation) -> Path:
    (place / "evaluations").mkdir(parents=True)
    for evaluation in evaluations:
        (place / "evaluations" / f"{evaluation.name}.json").write_bytes(stored(evaluation))
    return place


def test_the_gate_compares_them_only_if_the_baseline_has_them(tmp_path: Path) -> None:
    worse = replace(classifier(model="mine", user_file=True, top1=38_000), name="run")
    without = folder(tmp_path / "without", replace(classifier(), name="published"))
    having = folder(tmp_path / "having", MINE)
    now = folder(tmp_path / "now", worse)

    def failing(baseline: Path, results: Path) -> list[tuple[str, str, str]]:
        changes = changes_since(load(str(baseline), results), present(results), parse(DEFAULT))
        return [(pair.table, pair.metric, str(pair.kind)) for pair in changes.pairs if pair.failing]

    both = folder(tmp_path / "both", replace(classifier(), name="published"), worse)
    assert failing(without, both) == []
    assert failing(having, now) == [("your-classifiers", "top1", "changed")]
    assert {kind for _, _, kind in failing(having, without)} >= {"vanished"}
    report = tmp_path / "report.json"
    report.write_text(rendered(ReportFormat.JSON, select(every_row(sources(mine=MINE)), all_tables())))
    assert failing(report, now) == [("your-classifiers", "top1", "changed")]


def test_a_run_directory_is_enough(tmp_path: Path) -> None:
    run = put(tmp_path / "run", MINE)
    assert [line.model for line in every_row(Sources((), ())) if line.table == "your-classifiers"] == []
    now = present(folder(tmp_path / "results", replace(classifier(), name="published")), [run])
    assert [line.model for line in now.lines if line.table == "your-classifiers"] == ["mine"]


def test_beside_them_every_table_without_a_measurement_is_folded() -> None:
    parts = arranged(select(every_row(Sources((), (MINE,))), all_tables()))
    assert parts.published == []
    assert len(parts.folded) > 10
    assert [section.table.name for section in parts.yours] == ["your-classifiers"]
    assert arranged(select(every_row(Sources((), ())), all_tables())).folded == []
