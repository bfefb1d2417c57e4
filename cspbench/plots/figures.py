"""The report's figures: the trade-offs, AP over the NMS threshold, and how far measurements lie from claims."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from cspbench.claims.metrics import COUNTED
from cspbench.claims.model import Table
from cspbench.claims.verdict import Status
from cspbench.plots import style
from cspbench.plots.label_placement import Point, Rectangle, pixels, write_labels
from cspbench.plots.style import ABOVE, CLOSE, CSP, DASHES, EXACT, FITTED, GRID, INK, OFF, OTHER, PAPER
from cspbench.plots.tradeoff import OPERATIONS, PARAMETERS, models, words
from cspbench.plots.tradeoff import figure as tradeoff
from cspbench.report.html import Svg
from cspbench.report.model import ReportRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SWEEPS = {
    "published": ("ap-over-nms", "as published", ""),
    "sample": ("sample-ap-over-nms", "as claimed", " on the drawn sample"),
}
"""By the kind of its table: name of the figure, and what it shows."""
COLOURS = (OTHER, CSP, CLOSE, FITTED, EXACT)
MARKERS = ("o", "s", "^", "D", "v")
"""For the networks of a sweep; when the colours run out they repeat with the next marker."""
SHAPES = {Status.EXACT: ("o", EXACT), Status.CLOSE: ("s", CLOSE), Status.OFF: ("X", OFF), Status.FITTED: ("D", FITTED)}
"""Marker and colour of each verdict; the marker alone tells them apart."""


@dataclass(frozen=True)
class Plot:
    """A figure with its file name, without suffix, and a description."""

    name: str
    description: str
    figure: Figure

    @property
    def png(self) -> bytes:
        return style.file_of(self.figure)

    @property
    def svg(self) -> Svg:
        return style.svg(self.figure, self.name, self.description)


@style.styled()
def plots(lines: Sequence[ReportRow], tables: Sequence[Table]) -> list[Plot]:
    """The figures for which these tables and lines have data. Needs matplotlib."""
    drawn = []
    traded = [table for table in tables if table.figure == "tradeoff"]
    for cost in (OPERATIONS, PARAMETERS) if traded else ():
        panels = {table.title: models(table, lines, cost) for table in traded}
        how = words([row for rows in panels.values() for row in rows], cost)
        title = f"ImageNet top-1 accuracy over {cost.title}, {how}"
        text = f"{title}; each CSP model joined to its base"
        drawn.append(Plot(f"accuracy-vs-{cost.metric}", text, tradeoff(title, panels, cost)))
    for table in tables:
        thresholds = [line for line in lines if line.table == table.name]
        if table.sweep and thresholds:
            name, claimed, where = SWEEPS[table.kind]
            if sum(bool(sweep.sweep) and sweep.kind == table.kind for sweep in tables) > 1:
                name, where = f"{name}-{table.name}", f"{where}, {table.name}"
            how = claimed + (" and measured" if any(line.cells["ap"].measured for line in thresholds) else "") + where
            text = f"AP over the threshold of non-maximum suppression, {how}"
            drawn.append(Plot(name, text, _suppression(thresholds, table.sweep, f"AP over NMS threshold, {how}")))
    for name, kind, place in (("residuals", "published", ""), ("sample-residuals", "sample", ", the drawn sample")):
        if residuals := _residuals(lines, [table for table in tables if table.kind == kind]):
            text = f"Measurement minus claim, table by table{place}"
            drawn.append(Plot(name, text, _strips(residuals, place)))
    return drawn


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
                axes.plot([at, at], list(map(float, cell.interval)), color=colour, lw=1, alpha=0.6)
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


class Residual(NamedTuple):
    """A measurement minus its claim, in percent or points."""

    name: str
    value: Decimal
    verdict: Status


Residuals = dict[str, dict[str, list[Residual]]]
"""By panel, then by table."""

COUNTS, SCORES = "Parameters and operations", "Accuracy and AP"
PANELS = {COUNTS: "measurement − claim, percent of the claim", SCORES: "measurement − claim, percentage points"}


def _residuals(lines: Iterable[ReportRow], tables: Sequence[Table]) -> Residuals:
    names = {table.name for table in tables}
    residuals: Residuals = {}
    for line in lines:
        for cell in line.cells.values():
            if line.table not in names or cell.delta is None or cell.verdict not in SHAPES:
                continue
            value, panel = Decimal(cell.delta), SCORES
            if cell.metric in COUNTED:
                value, panel = round(cell.percent or Decimal(0), 2), COUNTS
            residual = Residual(f"{line.name} {cell.header}", value, Status(cell.verdict))
            residuals.setdefault(panel, {}).setdefault(line.table, []).append(residual)
    return residuals


def _strips(residuals: Residuals, where: str) -> Figure:
    """A panel for counts and one for accuracies; `where` goes into their titles."""
    from matplotlib.figure import Figure

    shown = {panel: residuals[panel] for panel in PANELS if panel in residuals}
    lanes = [len(by) + 0.3 for by in shown.values()]
    figure = Figure(figsize=(11, 1.05 * len(shown) + 0.62 * sum(lanes)), dpi=100)
    grid = figure.add_gridspec(len(shown), 1, height_ratios=lanes)
    height = figure.get_figheight()
    # between two panels room for text, relative to a panel's mean height
    gap = 1.05 / (0.62 * sum(lanes) / len(shown))
    figure.subplots_adjust(left=0.17, right=0.97, top=1 - 0.45 / height, bottom=0.6 / height, hspace=gap)
    for at, (panel, by) in enumerate(shown.items()):
        axes = figure.add_subplot(grid[at])
        axes.set_title(panel + where, loc="left", fontsize=12)
        _strip(axes, panel, by)
    return figure


def _strip(axes: Axes, panel: str, by: dict[str, list[Residual]]) -> None:
    """A lane for each table; equal residuals of one verdict are one marker with their number."""
    from matplotlib.lines import Line2D

    labels: list[tuple[Point, str, str]] = []
    for lane, residuals in enumerate(by.values()):
        groups: dict[tuple[Decimal, Status], list[str]] = {}
        for residual in residuals:
            groups.setdefault((residual.value, residual.verdict), []).append(residual.name)
        for (value, verdict), names in sorted(groups.items()):
            shape, colour = SHAPES[verdict]
            # of equal values, fitted is drawn below exact
            place = (float(value), lane + (0.22 if verdict is Status.FITTED else 0))
            axes.plot(*place, shape, color=colour, ms=7, mew=0, zorder=3)
            single = names[0] if verdict in (Status.OFF, Status.FITTED) else ""
            text = f"{len(names)} {verdict}" if len(names) > 1 else single
            if text:
                labels.append((place, text, colour))
    axes.axvline(0, color=INK, lw=0.8, zorder=1)
    axes.set_yticks(range(len(by)), list(by))
    every = [residual for residuals in by.values() for residual in residuals]
    widest = max(abs(float(residual.value)) for residual in every) or 1
    axes.set(xlabel=PANELS[panel], xlim=(-1.25 * widest, 1.25 * widest), ylim=(len(by) - 0.4, -0.7))
    axes.grid(visible=True, color=GRID)
    axes.set_axisbelow(True)
    present = {residual.verdict for residual in every}
    handles = [
        Line2D([], [], color=colour, marker=shape, lw=0, ms=7, mew=0, label=verdict.value)
        for verdict, (shape, colour) in SHAPES.items()
        if verdict in present
    ]
    axes.legend(handles=handles, ncols=len(handles), borderaxespad=0, **ABOVE)
    ((zero, _),) = pixels(axes, [(0, 0)])
    area = axes.bbox
    # a residual's label may lie on its own side of zero
    frames = [
        Rectangle(zero if value > 0 else area.x0, area.y0, zero if value < 0 else area.x1, area.y1)
        for (value, _), *_ in labels
    ]
    write_labels(axes, labels, [((zero, area.y0), (zero, area.y1))], frames, fontsize=8.5)
