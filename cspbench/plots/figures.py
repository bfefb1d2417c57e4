"""The report's figures: the trade-offs, AP over the NMS threshold, and how far measurements lie from claims."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cspbench.claims.model import Table
from cspbench.plots import speed, style
from cspbench.plots.residuals import figure as strips
from cspbench.plots.residuals import residuals
from cspbench.plots.style import COLOURS, DASHES, GRID, MARKERS, PAPER
from cspbench.plots.tradeoff import OPERATIONS, PARAMETERS, models, words
from cspbench.plots.tradeoff import figure as tradeoff
from cspbench.report.html import Svg
from cspbench.report.model import ReportCell, ReportRow
from cspbench.report.text import some

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SWEEPS = {"published": "ap-over-nms", "sample": "sample-ap-over-nms"}
"""The name of the figure by the kind of its table."""


@dataclass(frozen=True)
class Plot:
    """A figure with its file name, without suffix, and a description."""

    name: str
    description: str
    figure: Figure

    def save(self, folder: Path) -> list[Path]:
        """Write it as PNG, SVG and PDF; returns the files."""
        return style.saved(self.figure, folder / self.name)

    @property
    def svg(self) -> Svg:
        return style.svg(self.figure, self.name, self.description)


@style.styled()
def plots(lines: Sequence[ReportRow], tables: Sequence[Table]) -> list[Plot]:
    """The figures for which these tables and lines have data. Needs matplotlib."""
    drawn = []
    traded = [table for table in tables if table.figure == "tradeoff"]
    names = {table.name for table in traded}
    for cost in (OPERATIONS, PARAMETERS) if traded else ():
        panels = {table.title: models(table, lines, cost) for table in traded}
        every = [row for rows in panels.values() for row in rows]
        title = f"ImageNet top-1 accuracy over {cost.title}, {some(len(every), 'network')}"
        title += _images(line.cells["top1"] for line in lines if line.table in names)
        text = f"{title}; {words(every, cost)}; each CSP network joined to its base"
        drawn.append(Plot(f"accuracy-vs-{cost.metric}", text, tradeoff(title, panels, cost)))
    for table in tables:
        thresholds = [line for line in lines if line.table == table.name]
        if table.sweep and thresholds:
            name, title = SWEEPS[table.kind], "AP over the NMS threshold"
            if sum(bool(sweep.sweep) and sweep.kind == table.kind for sweep in tables) > 1:
                name, title = f"{name}-{table.name}", f"{title}, {table.name}"
            title += f", {table.split}" if table.kind == "published" else ", the drawn sample"
            title += _images(line.cells["ap"] for line in thresholds)
            how = "as claimed and measured" if any(line.cells["ap"].measured for line in thresholds) else "as claimed"
            drawn.append(Plot(name, f"{title}; {how}", _suppression(thresholds, table.sweep, title)))
    if rated := speed.panels(tables, lines):
        text = f"{speed.TITLE}, as claimed and as measured; {', '.join(panel.title for panel in rated)}"
        drawn.append(Plot("ap-over-fps", text, speed.figure(rated)))
    for name, kind, place in (("residuals", "published", ""), ("sample-residuals", "sample", ", the drawn sample")):
        if shown := residuals(lines, [table for table in tables if table.kind == kind]):
            title = f"Numbers that are not as published{place}: measurement minus claim"
            drawn.append(Plot(name, title, strips(shown, title)))
    return drawn


def _images(cells: Iterable[ReportCell]) -> str:
    """The number of images that were measured, ", n = 50,000 images"; several where the cells differ."""
    data = [cell.provenance.data for cell in cells if cell.measured is not None and cell.provenance]
    counts = {int(found[1]) for text in data if text and (found := re.search(r", (\d+)(?: of \d+)? images", text))}
    return f", n = {', '.join(f'{count:,}' for count in sorted(counts))} images" if counts else ""


def _suppression(lines: Sequence[ReportRow], sweep: str, title: str) -> Figure:
    """One line for each network, as published and as measured; `sweep` is the setting with the thresholds."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6), dpi=100)
    figure.subplots_adjust(left=0.075, right=0.98, top=0.92, bottom=0.22)
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=12)
    thresholds = list(dict.fromkeys(line.settings[sweep] for line in lines))
    for number, name in enumerate(dict.fromkeys(line.label for line in lines)):
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number // len(COLOURS) % len(MARKERS)]
        cells = [(thresholds.index(line.settings[sweep]), line.cells["ap"]) for line in lines if line.label == name]
        claims = [(at, float(cell.claim)) for at, cell in cells if cell.claim is not None]
        _curve(axes, thresholds, claims, colour, f"{name}, as claimed", marker=marker, ls="-", mfc=PAPER, ms=9, mew=1.4)
        for reason in dict.fromkeys(cell.reason for _, cell in cells if cell.measured is not None):
            points = [(at, float(cell.measured)) for at, cell in cells if cell.measured and cell.reason == reason]
            text = f"{name}, measured" + (f": {reason}" if reason else "")
            _curve(axes, thresholds, points, colour, text, marker=marker, ls=DASHES, ms=5)
        for at, cell in cells:
            if cell.measured is not None and cell.interval:
                low, high = map(float, cell.interval)
                axes.vlines(at, low, high, color=colour, lw=1, alpha=0.7)
                axes.plot([at, at], [low, high], "_", color=colour, ms=8)
    axes.set_xticks(range(len(thresholds)), thresholds)
    axes.set(xlabel="NMS threshold (IoU)", ylabel="AP in percent", xlim=(-0.4, len(thresholds) - 0.6))
    axes.grid(visible=True, color=GRID)
    axes.set_axisbelow(True)
    axes.margins(y=0.12)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2, fontsize=9, frameon=False)
    return figure


def _curve(
    axes: Axes, thresholds: Sequence[str], points: Sequence[tuple[int, float]], colour: str, text: str, **look: Any
) -> None:
    """Plot points, joined where the thresholds are numbers; "aware" is not one."""
    joined = [point for point in points if thresholds[point[0]].replace(".", "", 1).isdigit()]
    axes.plot(*zip(*joined, strict=True) if joined else ([], []), color=colour, mec=colour, label=text, **look)
    for at, value in points:
        if (at, value) not in joined:
            axes.plot(at, value, color=colour, mec=colour, **{**look, "ls": "none"})
