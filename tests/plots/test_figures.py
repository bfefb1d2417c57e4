"""The report's figures: what they show, labels that can be read, and the same bytes every time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from report_lines import published

from cspbench.claims import tables
from cspbench.plots import style
from cspbench.plots.figures import Plot, plots
from cspbench.plots.style import VARIABLES
from cspbench.report.model import ReportRow

pytest.importorskip("matplotlib")
TABLES = tables.load_all()


@pytest.fixture(scope="module")
def lines() -> list[ReportRow]:
    return published()


@pytest.fixture(scope="module")
def drawn(lines: list[ReportRow]) -> dict[str, Plot]:
    return {plot.name: plot for plot in plots(lines, TABLES)}


def texts(plot: Plot) -> list[str]:
    return re.findall(r"<text [^>]*>([^<]*)</text>", plot.svg.element)


def test_what_there_is_to_draw(drawn: dict[str, Plot]) -> None:
    assert [*drawn] == ["accuracy-vs-bflops", "accuracy-vs-params", "ap-over-nms", "residuals"]


def test_nothing_measured_leaves_residuals_out(lines: list[ReportRow]) -> None:
    unmeasured = [line for line in lines if line.table == "coco-loss"]
    assert plots(unmeasured, [tables.load("coco-loss")]) == []


def test_titles_say_of_what_and_how_many(drawn: dict[str, Plot], lines: list[ReportRow]) -> None:
    # 34 of 35 rows print their operations, and all are counted; accuracies were measured on 50,000 images
    assert "ImageNet top-1 accuracy over operations, 34 networks, n = 50,000 images" in texts(
        drawn["accuracy-vs-bflops"]
    )
    assert "AP over the NMS threshold, test-dev2017, n = 50,000 images" in texts(drawn["ap-over-nms"])
    unmeasured = [
        replace(line, cells={each: replace(cell, measured=None) for each, cell in line.cells.items()})
        for line in lines
        if line.table == "coco-nms"
    ]
    plot = plots(unmeasured, [tables.load("coco-nms")])[0]
    assert plot.description == "AP over the NMS threshold, test-dev2017; as claimed"


def test_labels_and_units(drawn: dict[str, Plot]) -> None:
    operations, parameters = texts(drawn["accuracy-vs-bflops"]), texts(drawn["accuracy-vs-params"])
    assert operations.count("top-1 accuracy in percent") == 2
    assert operations.count("operations in billions (BFLOPs), logarithmic") == 2
    assert parameters.count("parameters in millions, logarithmic") == 2
    for name in ("CSPDarkNet-53", "DarkNet-53", "CSPPeleeNet", "Darknet Ref."):
        assert operations.count(name) == parameters.count(name) == 1
    # only where something was measured
    assert operations.count("CSP, measured, 95 % interval") == 1
    suppression = texts(drawn["ap-over-nms"])
    for text in ("AP in percent", "NMS threshold (IoU)", "0.45", "0.70", "aware", "CSPResNeXt50-PANet-SPP, measured"):
        assert text in suppression
    assert "CSPResNeXt50-PANet-SPP-GIoU, measured" not in suppression


def test_every_network_of_a_sweep_is_drawn(lines: list[ReportRow]) -> None:
    """Seven of them, more than there are colours."""
    first = [line for line in lines if line.table == "coco-nms" and line.label == "CSPResNeXt50-PANet-SPP"]
    many = [replace(line, label=f"network {number}") for number in range(7) for line in first]
    (axes,) = plots(many, [tables.load("coco-nms")])[0].figure.axes
    drawn = [line for line in axes.lines if str(line.get_label()).endswith(", as claimed")]
    assert [str(line.get_label()) for line in drawn] == [f"network {number}, as claimed" for number in range(7)]
    assert all(len(line.get_xdata()) == 6 for line in drawn)  # type: ignore[arg-type]
    assert len({(line.get_color(), line.get_marker()) for line in drawn}) == 7


def test_every_table_of_a_sweep_has_its_figure(lines: list[ReportRow]) -> None:
    table = tables.load("coco-nms")
    other = replace(table, name="other-nms")
    more = [*lines, *(replace(line, table="other-nms") for line in lines if line.table == "coco-nms")]
    result = [plot.name for plot in plots(more, [table, other]) if "nms" in plot.name]
    assert result == ["ap-over-nms-coco-nms", "ap-over-nms-other-nms"]


def overlaps(boxes: Sequence[Any]) -> list[tuple[Any, Any]]:
    return [(one, other) for one, other in combinations(boxes, 2) if one.shrunk(0.98, 0.9).overlaps(other)]


@pytest.mark.parametrize("name", ["accuracy-vs-bflops", "accuracy-vs-params"])
def test_no_label_covers_another(drawn: dict[str, Plot], name: str) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = drawn[name].figure
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    for axes in figure.axes:
        labels = [text.get_window_extent(renderer) for text in axes.texts]
        assert labels
        assert overlaps(labels) == []
        legend = axes.get_legend()
        assert legend is not None
        assert not any(legend.get_window_extent(renderer).overlaps(label) for label in labels)


def test_the_same_bytes(drawn: dict[str, Plot], lines: list[ReportRow]) -> None:
    for again in plots(lines, TABLES):
        assert again.svg == drawn[again.name].svg
        assert style.file_of(again.figure, "pdf") == style.file_of(drawn[again.name].figure, "pdf")
    # the trade-offs' files: test_tradeoff.py
    assert again.name == "residuals"
    assert style.file_of(again.figure) == style.file_of(drawn[again.name].figure)
    assert style.file_of(again.figure).startswith(b"\x89PNG")


def test_an_svg_fits_a_strict_page(drawn: dict[str, Plot]) -> None:
    for plot in drawn.values():
        name, element, rules, description = plot.svg
        assert name == plot.name
        # no inline styles, nothing from elsewhere, no colours but the page's
        for stranger in ("style=", "http", "<style", "<!--", "<metadata", "xmlns"):
            assert stranger not in element
        assert re.findall(r"#[0-9a-f]{6}\b", element + rules) == []
        assert {*re.findall(r"var\(--([a-z]+)\)", rules)} <= {*VARIABLES.values()}
        assert all(name.startswith(f"{plot.name}-") for name in re.findall(r'\bid="([^"]*)"', element))
        assert f'aria-label="{description}"' in element
        ids = {*re.findall(r'\bid="([^"]*)"', element)}
        assert {*re.findall(r'(?:url\(|href=")#([^")]*)', element)} <= ids


def test_settings_of_matplotlib_are_left_alone(lines: list[ReportRow]) -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    plots(lines, TABLES)[2].svg  # noqa: B018
    assert dict(mpl.rcParams) == before


def test_a_colour_that_the_page_does_not_know_stays() -> None:
    themed = style._themed("fill: #123456; stroke: #1f2a37; font: 10px 'DejaVu Sans', sans-serif")
    assert themed == "fill: #123456; stroke: var(--ink); font: 10px system-ui, sans-serif"
