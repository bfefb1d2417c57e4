"""Accuracy over operations or parameters, claimed and measured: every CSP model joined to its base model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from math import hypot
from typing import TYPE_CHECKING, NamedTuple

from cspbench.claims.model import Table
from cspbench.claims.verdict import Status
from cspbench.plots.label_placement import DISTANCES, MARKER, Box, Point, ambiguous, placed
from cspbench.plots.style import CSP, DASHES, GRID, OTHER, PAPER
from cspbench.report.model import ReportCell, ReportRow

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
    """A row as (cost, top-1 in percent); `base` is the index of the row it is compared with, None for a base.

    Different rows count operations and parameters differently.
    """

    label: str
    claim: Point | None
    measured: Point | None
    interval: Point | None
    """95 % confidence interval of the measured accuracy."""
    base: int | None
    cost: Point | None = None
    """The measured cost and the published accuracy, where only the cost was measured."""

    @property
    def place(self) -> Point:
        """The point that is labelled."""
        place = self.claim or self.measured or self.cost
        assert place is not None
        return place


def models(table: Table, lines: Iterable[ReportRow], cost: Cost = OPERATIONS) -> list[Model]:
    """The rows of a table that have both numbers, published or measured, in its order."""
    by_row = {line.row: line for line in lines if line.table == table.name}
    rows = []
    for row in table.rows:
        claims = [row.cells[name].value for name in (cost.metric, "top1")]
        claim = (float(claims[0]), float(claims[1])) if claims[0] is not None and claims[1] is not None else None
        line = by_row.get(row.id)
        measured, interval = _measured(line, cost)
        x = _comparable(line.cells.get(cost.metric)) if line else None
        at_claim = (x, float(claims[1])) if measured is None and x is not None and claims[1] is not None else None
        if claim or measured or at_claim:
            rows.append((row, claim, measured, interval, at_claim))
    places = {row.id: at for at, (row, *_) in enumerate(rows)}
    return [
        Model(row.label, claim, measured, interval, places.get(row.base) if row.base else None, at_claim)
        for row, claim, measured, interval, at_claim in rows
    ]


def _measured(line: ReportRow | None, cost: Cost) -> tuple[Point | None, Point | None]:
    """A row's measured point, and the interval of its accuracy."""
    pair = [line.cells.get(name) for name in (cost.metric, "top1")] if line else [None, None]
    x, y = map(_comparable, pair)
    if x is None or y is None:
        return None, None
    interval = pair[1].interval if pair[1] else None
    return (x, y), (float(interval[0]), float(interval[1])) if interval else None


def _comparable(cell: ReportCell | None) -> float | None:
    if cell is None or cell.measured is None or cell.verdict == Status.UNMEASURED:
        return None
    return float(cell.measured)


def figure(tables: Iterable[Table], lines: Sequence[ReportRow], cost: Cost = OPERATIONS) -> Figure:
    """A panel for each trade-off table, the one with the smallest models first; call it within `styled`."""
    from matplotlib.figure import Figure

    panels = {table.title: models(table, lines, cost) for table in tables if table.figure == "tradeoff"}
    drawable = [(title, rows) for title, rows in panels.items() if rows]
    shown = dict(sorted(drawable, key=lambda panel: min(row.place[0] for row in panel[1])))
    drawn = Figure(figsize=(11, 7 * max(1, len(shown))), dpi=100)
    drawn.subplots_adjust(left=0.075, right=0.98, top=0.94, bottom=0.05, hspace=0.17)
    how = words([row for rows in shown.values() for row in rows], cost)
    drawn.suptitle(f"ImageNet top-1 accuracy over {cost.title}, {how}", fontsize=14, y=0.98)
    for at, (title, rows) in enumerate(shown.items(), 1):
        _paint(drawn, drawn.add_subplot(len(shown), 1, at), rows, title, cost)
    return drawn


def words(rows: Iterable[Model], cost: Cost) -> str:
    """Whether the rows show claims alone, or measurements too, for titles."""
    rows = list(rows)
    if any(row.measured for row in rows):
        return "published and measured"
    return f"as published, and measured {cost.title}" if any(row.cost for row in rows) else "as published"


def _paint(drawn: Figure, axes: Axes, rows: Sequence[Model], title: str, cost: Cost) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axes.set_title(title, loc="left", fontsize=12)
    axes.set_xscale("log")
    axes.set_xlabel(cost.axis)
    axes.set_ylabel("top-1 accuracy in percent")
    axes.grid(visible=True, which="both", color=GRID)
    axes.set_axisbelow(True)
    places = [place for row in rows for place in (row.claim, row.measured, row.cost, *_ends(row)) if place]
    costs, accuracies = [place[0] for place in places], [place[1] for place in places]
    axes.set_xlim(min(costs) * 0.86, max(costs) * 1.16)
    margin = 0.09 * (max(accuracies) - min(accuracies)) or 1
    axes.set_ylim(min(accuracies) - margin, max(accuracies) + margin)
    axes.set_xticks([value for value in cost.ticks if _within(axes, value)])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    for row in rows:
        _mark(axes, row, None if row.base is None else rows[row.base])
    _label(drawn, axes, rows)
    handles = _handles(rows, cost)
    axes.legend(
        handles=handles,
        ncols=len(handles),
        loc="lower right",
        bbox_to_anchor=(1, 1),
        borderaxespad=0.2,
        fontsize=9,
        frameon=False,
    )


def _ends(row: Model) -> list[Point]:
    """The end points of the interval of a measured accuracy."""
    return [(row.measured[0], end) for end in row.interval] if row.measured and row.interval else []


def _mark(axes: Axes, row: Model, base: Model | None) -> None:
    """Draw the claim as a ring and the measurement as a dot, each joined to the base's.

    A measured cost without accuracy is a small diamond, joined to the claim.
    """
    colour = OTHER if base is None else CSP
    if base and row.claim and base.claim:
        axes.plot(*zip(base.claim, row.claim, strict=True), color=CSP, lw=1.1, alpha=0.5, zorder=2)
    if base and row.measured and base.measured:
        axes.plot(*zip(base.measured, row.measured, strict=True), color=CSP, lw=1.1, ls=DASHES, zorder=2)
    if row.claim:
        axes.plot(*row.claim, "o", mfc=PAPER, mec=colour, mew=1.4, ms=9, zorder=3)
    if row.measured:
        if row.interval:
            low, high = row.interval
            axes.plot([row.measured[0]] * 2, [low, high], color=colour, lw=1, alpha=0.6, zorder=2)
        axes.plot(*row.measured, "o", color=colour, ms=5, zorder=4)
    if row.cost:
        if row.claim:
            axes.plot(*zip(row.claim, row.cost, strict=True), color=colour, lw=1.4, zorder=2)
        axes.plot(*row.cost, "D", color=colour, ms=4, mew=0, zorder=4)


def _handles(rows: Sequence[Model], cost: Cost) -> list[Line2D]:
    from matplotlib.lines import Line2D

    published = partial(Line2D, [], [], marker="o", mfc=PAPER, mew=1.4, ms=9)
    handles = [
        published(color=CSP, mec=CSP, lw=1.1, label="CSP, published, joined to its base"),
        published(color=OTHER, mec=OTHER, lw=0, label="base or other, published"),
    ]
    if any(row.measured for row in rows):
        measured = partial(Line2D, [], [], marker="o", ms=5, ls=DASHES)
        handles.append(measured(color=CSP, lw=1.1, label="CSP, measured"))
        handles.append(measured(color=OTHER, lw=0, label="base or other, measured"))
    if any(row.cost for row in rows):
        text = f"measured {cost.title} at the published top-1"
        handles.append(Line2D([], [], marker="D", color=OTHER, lw=0, ms=4, mew=0, label=text))
    return handles


def _within(axes: Axes, value: float) -> bool:
    low, high = axes.get_xlim()
    return bool(low <= value <= high)


def _label(drawn: Figure, axes: Axes, rows: Sequence[Model]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    renderer = FigureCanvasAgg(drawn).get_renderer()  # type: ignore[no-untyped-call]

    def pixels(place: Point) -> Point:
        x, y = axes.transData.transform(place)
        return float(x), float(y)

    points = [pixels(row.place) for row in rows]
    texts = [axes.text(*row.place, row.label, fontsize=9, va="bottom", ha="left", zorder=5) for row in rows]
    extents = [text.get_window_extent(renderer) for text in texts]
    sizes = [(float(extent.width) + 4, float(extent.height) + 2) for extent in extents]
    lines = [(points[row.base], points[at]) for at, row in enumerate(rows) if row.base is not None]
    lines += [
        (pixels(base), pixels(row.measured))
        for row in rows
        if row.base is not None and row.measured and (base := rows[row.base].measured)
    ]
    area = axes.get_window_extent(renderer)
    frame = Box(area.x0 + 4, area.y0 + 4, area.x1 - 4, area.y1 - 4)
    taken = [pixels(place) for row in rows for place in (row.measured, row.cost) if place]
    taken += [place for row in rows for place in _along([pixels(end) for end in _ends(row)])]
    boxes = placed(points, sizes, lines, [frame] * len(points), taken)
    for at, (row, text, point, box) in enumerate(zip(rows, texts, points, boxes, strict=True)):
        x, y = axes.transData.inverted().transform((box.left + 2, box.bottom + 1))
        text.set_position((x, y))
        text.set_color(OTHER if row.base is None else CSP)
        end = box.nearest(point)
        if hypot(*box.offset(point)) > DISTANCES[1] or ambiguous(box, at, points):
            ends = [axes.transData.inverted().transform(place) for place in (point, end)]
            axes.plot(*zip(*ends, strict=True), color=text.get_color(), alpha=0.7, lw=0.8, zorder=1)


def _along(ends: Sequence[Point]) -> list[Point]:
    """Points on a vertical bar, so close together that no label fits between them."""
    if not ends:
        return []
    (x, low), (_, high) = ends
    count = max(1, round(abs(high - low) / MARKER))
    return [(x, low + (high - low) * at / count) for at in range(count + 1)]
