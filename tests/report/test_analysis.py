"""The errors of detectors as tables, figures and a part of the page."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path

from msgspec import structs
from result_files import ANALYSIS, detector
from test_html import Page

from cspbench.plots.analysis import write_figures
from cspbench.report.analysis.page import matrix, section
from cspbench.report.analysis.table import text
from cspbench.report.html import html
from cspbench.results.analysis_record import AnalysisRecord, Mistake
from cspbench.results.schema import Scored
from cspbench.results.store import StoredEvaluation

HOSTILE = "<script>$x^$|\n\x1b[31m"
HOSTILE_RECORD = structs.replace(ANALYSIS, classes=[structs.replace(ANALYSIS.classes[0], name=HOSTILE)])


def analysed(record: AnalysisRecord) -> StoredEvaluation:
    evaluation = detector()
    scored = [Scored(["cspbench", "analyze", "run"], "0.1.0", when="2026-11-29T13:35:50Z", numbers=[record.number])]
    run = structs.replace(evaluation.run, scored=scored)
    metrics = structs.replace(evaluation.metrics, analysis=record)  # type: ignore[type-var]
    return replace(evaluation, run=run, metrics=metrics)


def test_a_line_for_each_type() -> None:
    lines = text("net", ANALYSIS, "md").splitlines()
    assert lines[0].startswith("net: AP50 50.00 at NMS 0.45 default")
    assert lines[4:6] == [
        "| AP50 | as it is; objects | 50.00 | - | - | - | 3 |",
        "| Cls | right place, wrong class | 12.50 | - | - | - | 2 |",
    ]
    assert "| person | 3 | 50.00 |" + " 12.50 |" * 8 in lines
    area, *_, person = csv.DictReader(text("net", ANALYSIS, "csv").splitlines())
    assert [area[key] for key in ("part", "name", "ap50", "dap_loc", "count_fn")] == [
        "area",
        "all",
        "50.0",
        "12.5",
        "2",
    ]
    assert (person["part"], person["name"]) == ("class", "person")
    assert text("net", ANALYSIS, "latex").count(r"\toprule") == 2


def test_the_page_has_the_errors_of_analysed_runs_only() -> None:
    plain, page = html([], [], [detector()]), html([], [], [analysed(ANALYSIS)])
    assert 'id="errors"' not in plain
    assert ".errors" not in plain
    parsed = Page(page)
    assert "#errors" in [each["href"] for each in parsed.all("a")]
    assert [each["d"] for each in parsed.all("path")] == ["", "M0 0h1v1h-1z", "", "M1 0h1v1h-1z", "M0 1h1v1h-1z"]
    assert "cspbench analyze run" in page
    assert not re.search(r"\bstyle=", page)  # the page's policy forbids it


def test_shades_are_shares_of_a_line() -> None:
    """1 of 3 is a share of 0.33, in the second fifth; 2 of 3 in the fourth; 7 of 7 in the last."""
    assert matrix(ANALYSIS) == (["", "M0 0h1v1h-1z", "", "M1 0h1v1h-1z", "M0 1h1v1h-1z"], 2)
    assert matrix(structs.replace(ANALYSIS, confusion=[Mistake(0, 0, 0)])) == ([""] * 5, 1)


def test_names_of_classes_stay_text(tmp_path: Path) -> None:
    result = section([analysed(HOSTILE_RECORD)])
    Page(result)
    assert "<script" not in result
    assert len(text("net", HOSTILE_RECORD, "md").splitlines()) == len(text("net", ANALYSIS, "md").splitlines())
    assert [path.name for path in write_figures(HOSTILE, HOSTILE_RECORD, tmp_path)] == [
        *(f"error-types.{form}" for form in ("png", "svg", "pdf")),
        *(f"confusion.{form}" for form in ("png", "svg", "pdf", "csv")),
    ]


def test_the_matrix_as_a_file(tmp_path: Path) -> None:
    write_figures("net", ANALYSIS, tmp_path)
    lines = list(csv.reader((tmp_path / "confusion.csv").read_text().splitlines()))
    assert lines == [["", "person", "(background)"], ["person", "1", "2"], ["(background)", "7", "0"]]
    before = (tmp_path / "confusion.png").read_bytes()
    write_figures("net", ANALYSIS, tmp_path)
    assert (tmp_path / "confusion.png").read_bytes() == before
