"""The figure of how far measurements lie from their claims: every number that is not equal, by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from cspbench.claims.metrics import COUNTED
from cspbench.claims.model import Table
from cspbench.plots.style import ABOVE, CLOSE, FITTED, GRID, INK, MISSED, OFF
from cspbench.report.model import MISSED as STAND_IN
from cspbench.report.model import ReportRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEWEST, MOST = 3, 40
"""Fewer are read more easily in the report's list of findings; of more, those farthest from 0 are shown."""
SHAPES = {
    "off": ("X", OFF),
    "close": ("s", CLOSE),
    "consistent": ("o", CLOSE),
    "inconsistent": ("P", OFF),
    STAND_IN: ("D", MISSED),
    "fitted": ("d", FITTED),
}
"""Marker and colour of each mark; the marker alone tells them apart."""
COUNTS, SCORES = "Parameters and operations", "Accuracy and AP"
PANELS = {COUNTS: "measurement − claim, percent of the claim", SCORES: "measurement − claim, percentage points"}


class Residual(NamedTuple):
    """A measurement minus its claim, in percent of the claim or in points, with the ends of its 95 % interval."""

    name: str
    value: float
    mark: str
    ends: tuple[float, float] | None = None


def residuals(rows: Iterable[ReportRow], tables: Sequence[Table]) -> dict[str, list[Residual]]:
    """The residuals that are not 0 by panel, at most `MOST` of each; none where they are too few for a figure."""
    names = {table.name for table in tables}
    found: dict[str, list[Residual]] = {}
    for row in rows:
        for cell in row.cells.values():
            if row.table not in names or cell.delta is None or cell.claim is None or cell.word not in SHAPES:
                continue
            panel, value, ends = SCORES, float(cell.delta), None
            if cell.metric in COUNTED:
                panel, value = COUNTS, float(cell.percent or 0)
            elif cell.interval:
                ends = float(cell.interval[0]) - float(cell.claim), float(cell.interval[1]) - float(cell.claim)
            if value:
                found.setdefault(panel, []).append(Residual(f"{row.name}, {cell.header}", value, cell.word, ends))
    if sum(map(len, found.values())) < FEWEST:
        return {}
    return {panel: _farthest(found[panel]) for panel in PANELS if panel in found}


def _farthest(of_panel: list[Residual]) -> list[Residual]:
    """At most `MOST`, in the order of the tables."""
    chosen = sorted(range(len(of_panel)), key=lambda at: -abs(of_panel[at].value))[:MOST]
    return [of_panel[at] for at in sorted(chosen)]


def figure(shown: dict[str, list[Residual]], title: str) -> Figure:
    """A panel for counts and one for accuracies, a line for each number."""
    from matplotlib.figure import Figure

    heights = [0.3 * len(each) + 1.3 for each in shown.values()]
    drawn = Figure(figsize=(11, sum(heights) + 0.4), dpi=100, layout="constrained")
    drawn.suptitle(title, fontsize=14)
    panels = drawn.subplots(len(shown), 1, height_ratios=heights, squeeze=False)[:, 0]
    for axes, (panel, of_panel) in zip(panels, shown.items(), strict=True):
        _paint(axes, panel, of_panel)
    return drawn


def _paint(axes: Axes, panel: str, of_panel: Sequence[Residual]) -> None:
    axes.set_title(panel, loc="left", fontsize=12)
    axes.axvline(0, color=INK, lw=0.8, zorder=1)
    known: set[str] = set()
    for line, residual in enumerate(of_panel):
        shape, colour = SHAPES[residual.mark]
        label = None if residual.mark in known else residual.mark
        axes.plot([0, residual.value], [line, line], color=colour, lw=1, alpha=0.4, zorder=2)
        axes.plot(residual.value, line, shape, color=colour, ms=7, mew=0, zorder=4, label=label)
        if residual.ends:
            axes.hlines(line, *residual.ends, color=colour, lw=1.2, zorder=3)
            axes.plot(residual.ends, [line, line], "|", color=colour, ms=7, zorder=3)
        known.add(residual.mark)
    axes.set_yticks(range(len(of_panel)), [residual.name.replace("$", r"\$") for residual in of_panel], fontsize=9)
    axes.set(xlabel=PANELS[panel], ylim=(len(of_panel) - 0.4, -0.6))
    axes.margins(x=0.08)
    axes.grid(axis="x", color=GRID)
    axes.set_axisbelow(True)
    axes.legend(ncols=len(known), borderaxespad=0, **ABOVE)
