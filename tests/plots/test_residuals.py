"""The figure of residuals: which numbers it has, and when there is none."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report_lines import cell, line, published

from cspbench.claims import tables
from cspbench.plots import residuals as module
from cspbench.plots.residuals import COUNTS, SCORES, Residual, residuals
from cspbench.plots.style import styled
from cspbench.report.model import ReportRow

BIG = tables.load("imagenet-big")


def test_numbers_that_are_not_equal_are_shown_with_their_intervals() -> None:
    result = residuals(published(), [BIG])
    ((name, value, mark, ends),) = result[COUNTS]
    # 10.00 for 9.74
    assert (name, mark, ends) == ("ResNet-50, BFLOPs", "off", None)
    assert value == pytest.approx(100 * 0.26 / 9.74)
    scores = {residual.name: residual for residual in result[SCORES]}
    # 77.4 of [77.03, 77.77] for 77.2; what is exact, unmeasured or partial is not there
    assert {*scores} == {"DarkNet-53, Top-5", "CSPDarkNet-53, Top-1", "CSPDarkNet-53, Top-5"}
    assert list(scores["CSPDarkNet-53, Top-1"].ends or ()) == pytest.approx([-0.17, 0.57])
    assert scores["CSPDarkNet-53, Top-5"].mark == "off"


def test_a_stand_ins_miss_has_its_own_mark() -> None:
    row = BIG.row("resnet-50")
    missed = cell(row, "bflops", "10.00", "off", stand_in=True)
    rows = [replace(line(BIG, row, bflops=missed), name=f"net {number}") for number in range(3)]
    assert {residual.mark for residual in residuals(rows, [BIG])[COUNTS]} == {"missed"}


def off(count: int) -> list[ReportRow]:
    row = BIG.row("resnet-50")
    values = [f"{10 + number / 100:.2f}" for number in range(count)]
    return [replace(line(BIG, row, bflops=cell(row, "bflops", value, "off")), name=f"net {value}") for value in values]


def test_two_are_no_figure_and_of_many_the_farthest_are_shown() -> None:
    assert residuals(off(2), [BIG]) == {}
    assert residuals(published(), []) == {}
    many = residuals(off(50), [BIG])[COUNTS]
    # 10.10 to 10.49: those farthest from 9.74, in the order of the table
    assert [residual.name for residual in many] == [f"net 10.{number}, BFLOPs" for number in range(10, 50)]


def test_every_number_has_a_line() -> None:
    pytest.importorskip("matplotlib")
    shown = {COUNTS: [Residual("a $ BFLOPs", 0.05, "off"), Residual("b", -6.0, "missed")]}
    shown[SCORES] = [Residual("c", 0.2, "close", (-0.1, 0.5))]
    with styled():
        figure = module.figure(shown, "title")
    counts, scores = figure.axes
    assert [text.get_text() for text in counts.get_yticklabels()] == [r"a \$ BFLOPs", "b"]
    labels = [[text.get_text() for text in axes.get_legend().get_texts()] for axes in (counts, scores)]  # type: ignore[union-attr]
    assert labels == [["off", "missed"], ["close"]]
