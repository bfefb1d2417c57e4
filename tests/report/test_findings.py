"""The list of findings: what is in it, in which order, and that a stand-in's miss is not an error of a document."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from report_lines import cell, line, published

from cspbench.claims import tables
from cspbench.report import forms
from cspbench.report.build import compared
from cspbench.report.findings import Finding, Kind, findings, headline
from cspbench.report.forms import ReportFormat
from cspbench.report.model import ComparisonResult, ReportRow
from cspbench.report.select import Section, marks, select
from cspbench.report.text import summary

TABLES = tables.load_all()
BIG = tables.load("imagenet-big")


@pytest.fixture(scope="module")
def found() -> list[Finding]:
    return findings(select(published(), TABLES))


def texts(found: list[Finding], kind: Kind) -> list[str]:
    return [str(each) for each in found if each.kind is kind]


def test_what_is_wrong_comes_first_each_with_its_row(found: list[Finding]) -> None:
    assert texts(found, Kind.WRONG) == [
        "CSPDarkNet-53, Top-5: published 93.6 (-0.2), measured 93.101 (-0.2), 95 % interval 92.9–93.3 (-0.5); "
        "no cause is known",
        "ResNet-50, BFLOPs: published 9.74, measured 10.0009 (+2.7 %); copied from a later file",
        "CSPResNet-50, BFLOPs beside ResNet-50: published (-8%), measured (-10%); rests on ResNet-50's published 9.74",
    ]
    assert [each.target for each in found[:3]] == [
        "imagenet-big/cspdarknet-53",
        "imagenet-big/resnet-50",
        "imagenet-big/cspresnet-50",
    ]
    assert {each.mark for each in found[:3]} == {"off"}
    order = [list(Kind).index(each.kind) for each in found]
    assert order == sorted(order)


def test_what_is_not_decided_is_counted_by_reason(found: list[Finding]) -> None:
    undecided = texts(found, Kind.UNDECIDED)
    # 572 and 29 of the cells in the fixture; one row is measured on a part and has a line of its own
    assert [text.partition(": ")[0] for text in undecided] == [
        "ResNet-50, Top-1",
        "572 numbers unmeasured (no-weights)",
        "29 numbers unmeasured (hardware)",
        "1 number fitted",
    ]
    assert undecided[0] == "ResNet-50, Top-1: published 75.8, measured 75.001; partial"


def stand_in(row_id: str, **cells: object) -> ReportRow:
    row = BIG.row(row_id)
    bflops = cell(row, "bflops", "7.20", "off", explained=True, stand_in=True, note="of our stand-in", **cells)
    return replace(line(BIG, row, bflops=bflops), definition="stand-in, low", note="No file")


def test_a_stand_ins_miss_is_apart() -> None:
    row = stand_in("cspdensenet-201-plus-elastic")
    missed = row.cells["bflops"]
    assert (missed.verdict, missed.word, missed.mark) == ("off", "missed", "missed")
    assert marks(missed) == {"missed"}
    shown = [Section(BIG, (row,))]
    (finding,) = (each for each in findings(shown) if each.kind in (Kind.WRONG, Kind.MISSED))
    assert (finding.kind, finding.mark) == (Kind.MISSED, "missed")
    assert ", 1 missed, " in summary(shown)
    assert headline(shown).startswith(
        "2 published numbers of parameters and operations: 1 exact, 1 missed by a stand-in."
    )


def test_a_comparison_with_a_stand_in_that_misses_is_no_error() -> None:
    """CSPResNeXt-50 rests on ResNeXt-50, here a stand-in with another number."""
    base, row = BIG.row("resnext-50"), BIG.row("cspresnext-50")
    off = cell(base, "bflops", "12.00", "off", stand_in=True)
    pairs = [(base, line(BIG, base, bflops=off)), (row, line(BIG, row))]
    comparison = compared(pairs)[1].cells["bflops"].comparison
    assert comparison is not None
    assert (comparison.verdict, comparison.word) == ("off", "missed")
    result = findings([Section(BIG, tuple(compared(pairs)))])
    assert texts(result, Kind.WRONG) == []
    assert [each.row for each in result if each.kind is Kind.MISSED] == ["ResNeXt-50", "CSPResNeXt-50"]


def test_a_comparison_without_a_stand_in_is_an_error() -> None:
    row = BIG.row("cspresnet-50")
    plain = cell(row, "bflops", "8.97", comparison=ComparisonResult("(-8%)", "(-10%)", "ResNet-50"))
    result = findings([Section(BIG, (line(BIG, row, bflops=plain),))])
    assert texts(result, Kind.WRONG) == ["CSPResNet-50, BFLOPs beside ResNet-50: published (-8%), measured (-10%)"]


def test_the_sample_and_random_parts_are_apart() -> None:
    row = BIG.row("darknet-53")
    for verdict, kind, expected in (
        ("inconsistent", "published", Kind.DOUBTFUL),
        ("inconsistent", "sample", Kind.OURS),
        ("off", "sample", Kind.OURS),
        ("consistent", "published", None),
    ):
        measured = cell(row, "top1", "75.0", verdict, interval=("74.00", "76.00"))
        table = replace(BIG, kind=kind)  # type: ignore[arg-type]
        result = findings([Section(table, (line(table, row, top1=measured),))])
        assert [each.kind for each in result if each.row] == ([] if expected is None else [expected])


def test_nothing_found() -> None:
    row = BIG.row("darknet-53")
    cells = {name: cell(row, name, str(row.cells[name].value)) for name in row.cells}
    assert findings([Section(BIG, (line(BIG, row, **cells),))]) == []
    assert findings([]) == []
    assert headline([]) == ""


def test_json_has_them() -> None:
    text = forms.rendered(ReportFormat.JSON, select(published(), TABLES, ["imagenet-big"]))
    first = json.loads(text)["findings"][1]
    assert (first["kind"], first["mark"], first["row"], first["target"]) == (
        "wrong",
        "off",
        "ResNet-50",
        "imagenet-big/resnet-50",
    )
