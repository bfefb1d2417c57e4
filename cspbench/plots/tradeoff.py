"""Accuracy over operations or parameters, claimed and measured: every CSP model joined to its base model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from cspbench.claims.model import Table
from cspbench.plots.label_placement import DISTANCES, MARKER, Point, Rectangle, ambiguous, pixels, write_labels
from cspbench.plots.style import ABOVE, CSP, DASHES, GRID, OTHER, PAPER
from cspbench.report.model import ReportRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D


class Cost(NamedTuple):
    """The x-axis of the figure."""

    metric: str
    title: str
    axis: str
    ticks: tuple[float, ...]


OPERATIONS = Cost(
    "bflops",
    "operations",
    "operations in billions (BFLOPs), logarithmic",
    (0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.5, 2, 5, 6, 7, 8, 9, 10, 12, 15, 20),
)
PARAMETERS = Cost(
    "params",
    "parameters",
    "parameters in millions, logarithmic",
    (1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 10, 12, 15, 18, 20, 25, 30, 35, 40, 50, 60),
)


@dataclass(frozen=True)
class Model:
    """A row as (cost, top-1 in percent).

    Different rows count operations and parameters differently.
    """

    label: str
    claim: Point | None
    measured: Point | None
    interval: tuple[float, float] | None
    """95 % confidence interval of the measured accuracy."""
    cost: Point | None
    """The measured cost and the published accuracy, where only the cost was measured."""
    base: Model | None = None
    """The one that it is compared with, if it is drawn."""

    @property
    def place(self) -> Point:
        """The point that is labelled."""
        place = self.claim or self.measured or self.cost
        assert place is not None
        return place

    @property
    def shape(self) -> str:
        """Of its markers: a square of a base or another, a circle of a CSP network."""
        return "s" if self.base is None else "o"

    @property
    def colour(self) -> str:
        """Of everything that is drawn of it."""
        return OTHER if self.base is None else CSP

    @property
    def ends(self) -> list[Point]:
        """The end points of the interval of the measured accuracy."""
        return [(self.measured[0], end) for end in self.interval] if self.measured and self.interval else []


def models(table: Table, lines: Iterable[ReportRow], cost: Cost = OPERATIONS) -> list[Model]:
    """The rows of a table that have both numbers, published or measured, in its order."""
    cells = {line.row: line.cells for line in lines if line.table == table.name}
    by_row: dict[str, Model] = {}
    for row in table.rows:
        x_claim, y_claim = (row.cells[metric].value for metric in (cost.metric, "top1"))
        x_cell, y_cell = (cells.get(row.id, {}).get(metric) for metric in (cost.metric, "top1"))
        x, y = (cell.comparable if cell else None for cell in (x_cell, y_cell))
        measured = _point(x, y)
        interval = y_cell.interval if y_cell and measured else None
        model = Model(
            row.label,
            _point(x_claim, y_claim),
            measured,
            (float(interval[0]), float(interval[1])) if interval else None,
            None if measured else _point(x, y_claim),
        )
        if model.claim or model.measured or model.cost:
            by_row[row.id] = model
    bases = {row.id: by_row.get(row.base or "") for row in table.rows}
    return [replace(model, base=bases[name]) for name, model in by_row.items()]


def _point(x: Decimal | None, y: Decimal | None) -> Point | None:
    return None if x is None or y is None else (float(x), float(y))


def figure(title: str, panels: Mapping[str, Sequence[Model]], cost: Cost = OPERATIONS) -> Figure:
    """A panel for each name, the one with the smallest models first; call it within `styled`."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(11, 7 * len(panels)), dpi=100)
    drawn.subplots_adjust(left=0.075, right=0.98, top=0.94, bottom=0.05, hspace=0.17)
    drawn.suptitle(title, fontsize=14, y=0.98)
    smallest = sorted(panels, key=lambda name: min(row.place[0] for row in panels[name]))
    for at, name in enumerate(smallest, 1):
        _paint(drawn.add_subplot(len(panels), 1, at), panels[name], name, cost)
    return drawn


def words(rows: Sequence[Model], cost: Cost) -> str:
    """Whether the rows show claims alone, or measurements too, for descriptions."""
    if any(row.measured for row in rows):
        return "as published and as measured"
    return f"as published, with the measured {cost.title}" if any(row.cost for row in rows) else "as published"


def _paint(axes: Axes, rows: Sequence[Model], title: str, cost: Cost) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axes.set_title(title, loc="left", fontsize=12)
    axes.set_xscale("log")
    axes.set(xlabel=cost.axis, ylabel="top-1 accuracy in percent")
    axes.grid(visible=True, which="both", color=GRID)
    axes.set_axisbelow(True)
    places = [place for row in rows for place in (row.claim, row.measured, row.cost, *row.ends) if place]
    costs, accuracies = zip(*places, strict=True)
    low, high = min(costs) * 0.86, max(costs) * 1.16
    margin = 0.09 * (max(accuracies) - min(accuracies)) or 1
    axes.set(xlim=(low, high), ylim=(min(accuracies) - margin, max(accuracies) + margin))
    axes.set_xticks([value for value in cost.ticks if low <= value <= high])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    for row in rows:
        _mark(axes, row)
    _label(axes, rows)
    handles = _handles(rows, cost)
    axes.legend(handles=handles, ncols=len(handles), borderaxespad=0.2, **ABOVE)


def _mark(axes: Axes, row: Model) -> None:
    """Draw the claim as an outline and the measurement filled, each joined to the base's.

    A measured cost without accuracy is a small diamond, joined to the claim.
    """
    colour, base = row.colour, row.base
    if base and row.claim and base.claim:
        axes.plot(*zip(base.claim, row.claim, strict=True), color=CSP, lw=1.1, alpha=0.5, zorder=2)
    if base and row.measured and base.measured:
        axes.plot(*zip(base.measured, row.measured, strict=True), color=CSP, lw=1.1, ls=DASHES, zorder=2)
    if row.claim:
        axes.plot(*row.claim, row.shape, mfc=PAPER, mec=colour, mew=1.4, ms=9, zorder=3)
    if row.measured:
        if row.ends:
            axes.plot(*zip(*row.ends, strict=True), color=colour, marker="_", ms=7, lw=1, alpha=0.7, zorder=2)
        axes.plot(*row.measured, row.shape, color=colour, ms=5, zorder=4)
    if row.cost:
        if row.claim:
            axes.plot(*zip(row.claim, row.cost, strict=True), color=colour, lw=1.4, zorder=2)
        axes.plot(*row.cost, "D", color=colour, ms=4, mew=0, zorder=4)


def _handles(rows: Sequence[Model], cost: Cost) -> list[Line2D]:
    from matplotlib.lines import Line2D

    published = partial(Line2D, [], [], mfc=PAPER, mew=1.4, ms=9)
    handles = [
        published(color=CSP, mec=CSP, marker="o", lw=1.1, label="CSP, published, joined to its base"),
        published(color=OTHER, mec=OTHER, marker="s", lw=0, label="base or other, published"),
    ]
    if any(row.measured for row in rows):
        bars = ", 95 % interval" if any(row.ends for row in rows) else ""
        measured = partial(Line2D, [], [], ms=5, ls=DASHES)
        handles.append(measured(color=CSP, marker="o", lw=1.1, label=f"CSP, measured{bars}"))
        handles.append(measured(color=OTHER, marker="s", lw=0, label="base or other, measured"))
    if any(row.cost for row in rows):
        text = f"measured {cost.title}, published top-1"
        handles.append(Line2D([], [], marker="D", color=OTHER, lw=0, ms=4, mew=0, label=text))
    return handles


def _label(axes: Axes, rows: Sequence[Model]) -> None:
    points = pixels(axes, [row.place for row in rows])
    joined = [(row.base.place, row.place) for row in rows if row.base]
    joined += [(row.base.measured, row.measured) for row in rows if row.base and row.measured and row.base.measured]
    lines = [(begin, end) for begin, end in (pixels(axes, line) for line in joined)]
    area = axes.bbox
    frame = Rectangle(area.x0 + 4, area.y0 + 4, area.x1 - 4, area.y1 - 4)
    taken = pixels(axes, [place for row in rows for place in (row.measured, row.cost) if place])
    taken += [place for row in rows for place in _along(pixels(axes, row.ends))]
    labels = [(row.place, row.label, row.colour) for row in rows]
    boxes = write_labels(axes, labels, lines, [frame] * len(rows), taken, fontsize=9, zorder=5)
    for at, (row, point, box) in enumerate(zip(rows, points, boxes, strict=True)):
        if box.distance(point) > DISTANCES[1] or ambiguous(box, at, points):
            ends = axes.transData.inverted().transform([point, box.nearest(point)])
            axes.plot(*ends.T, color=row.colour, alpha=0.7, lw=0.8, zorder=1)


def _along(ends: Sequence[Point]) -> list[Point]:
    """Points on a vertical bar, so close together that no label fits between them."""
    if not ends:
        return []
    (x, low), (_, high) = ends
    count = max(1, round(abs(high - low) / MARKER))
    return [(x, low + (high - low) * at / count) for at in range(count + 1)]
