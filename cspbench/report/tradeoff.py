"""Published accuracy over published operations, every CSP model joined to the model it was made from.

Reads the tables alone, so the figure shows what is claimed. The same tables give the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import cos, hypot, pi, sin
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cspbench.claims import Table
from cspbench.errors import UsageError
from cspbench.results import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "accuracy-vs-bflops.png"
TABLES = {"imagenet-small": "Small models", "imagenet-big": "Big models"}

CSP, OTHER = "#c0392b", "#34495e"
DISTANCES = (9, 15, 24, 36, 50, 66, 84, 104)
"""Pixels from a point to its label, the nearest first."""
DIRECTIONS = 16
MARKER = 6
"""Pixels around a point where no label may be."""

TICKS = (0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.5, 2, 5, 6, 7, 8, 9, 10, 12, 15, 20)
"""Billions of operations."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Published:
    """A row that prints both numbers; `base` is the place of the row it is compared with, None for a base itself."""

    label: str
    bflops: float
    """Billions of operations, as published: how they were counted differs from row to row."""
    top1: float
    """Percent."""
    base: int | None


def published(table: Table) -> list[Published]:
    """The rows of a table with operations and top-1, in its order."""
    rows = [row for row in table.rows if all(row.cells[name].value is not None for name in ("bflops", "top1"))]
    places = {row.id: at for at, row in enumerate(rows)}
    found = []
    for row in rows:
        bflops, top1 = (float(row.cells[name].value or 0) for name in ("bflops", "top1"))
        found.append(Published(row.label, bflops, top1, places.get(row.base) if row.base else None))
    return found


class Box(NamedTuple):
    """A rectangle in pixels."""

    left: float
    bottom: float
    right: float
    top: float

    def meets(self, other: Box) -> bool:
        """Whether both have a place in common."""
        return (
            self.left < other.right and other.left < self.right and self.bottom < other.top and other.bottom < self.top
        )

    def crossed(self, one: Point, other: Point) -> bool:
        """Whether a line passes through it; looked at in steps of at most 3 pixels."""
        steps = max(1, round(hypot(one[0] - other[0], one[1] - other[1]) / 3))
        for step in range(steps + 1):
            x, y = (a + (b - a) * step / steps for a, b in zip(one, other, strict=True))
            if self.left <= x <= self.right and self.bottom <= y <= self.top:
                return True
        return False


def _around(point: Point, size: Point) -> Iterable[tuple[float, Box]]:
    """Places for a label of that (width, height) around a point, with how far it is."""
    width, height = size
    for distance in DISTANCES:
        for step in range(DIRECTIONS):
            # from the right side on, which reads best
            angle = 2 * pi * step / DIRECTIONS
            x = point[0] + distance * cos(angle) + width / 2 * (cos(angle) - 1)
            y = point[1] + distance * sin(angle) + height / 2 * (sin(angle) - 1)
            yield distance, Box(x, y, x + width, y + height)


def _nearest(box: Box, point: Point) -> Point:
    return min(max(point[0], box.left), box.right), min(max(point[1], box.bottom), box.top)


def placed(
    points: Sequence[Point], sizes: Sequence[Point], lines: Sequence[tuple[Point, Point]], frame: Box
) -> list[Box]:
    """A place for each label, in pixels: within the frame, on no other label and no point, and rarely on a line.

    The labels with the nearest neighbours choose first. Lines from a label to its point avoid other labels, too.
    """
    markers = [Box(x - MARKER, y - MARKER, x + MARKER, y + MARKER) for x, y in points]
    crowd = [sorted(hypot(x - other[0], y - other[1]) for other in points)[1:4] for x, y in points]
    boxes: dict[int, Box] = {}
    for at in sorted(range(len(points)), key=lambda index: (sum(crowd[index]), index)):
        best: tuple[float, Box] | None = None
        for distance, box in _around(points[at], sizes[at]):
            if best is not None and best[0] <= distance:
                break  # nothing further away can be better
            near = _nearest(box, points[at])
            faults = 1000 * any(box.meets(other) for other in boxes.values())
            faults += 1000 * any(box.meets(marker) for marker in markers)
            faults += 1000 * (box.left < frame.left or box.right > frame.right)
            faults += 1000 * (box.bottom < frame.bottom or box.top > frame.top)
            faults += 300 * any(
                boxes[index].crossed(near, points[at])
                or box.crossed(points[index], _nearest(boxes[index], points[index]))
                for index in boxes
            )
            faults += 40 * sum(box.crossed(*line) for line in lines)
            if best is None or faults + distance < best[0]:
                best = (faults + distance, box)
        assert best is not None
        boxes[at] = best[1]
    return [boxes[at] for at in range(len(points))]


def draw(tables: Iterable[Table], path: Path) -> None:
    """Write the figure as PNG. Needs matplotlib."""
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError("plots need matplotlib", found="not installed", remedy="Install cspbench[plot]") from None
    given = {table.name: table for table in tables}
    with mpl.rc_context({"font.family": "DejaVu Sans", "font.size": 10}):
        figure = Figure(figsize=(11, 14), dpi=100)
        figure.subplots_adjust(left=0.075, right=0.98, top=0.94, bottom=0.05, hspace=0.17)
        figure.suptitle("ImageNet top-1 accuracy over operations, as published", fontsize=14, y=0.98)
        for at, (name, title) in enumerate(TABLES.items(), 1):
            _paint(figure, figure.add_subplot(len(TABLES), 1, at), published(given[name]), title)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
    write_bytes(path, buffer.getvalue())


def _paint(figure: Figure, axes: Axes, rows: Sequence[Published], title: str) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axes.set_title(title, loc="left", fontsize=12)
    axes.set_xscale("log")
    axes.set_xlabel("operations in billions (BFLOPs), logarithmic")
    axes.set_ylabel("top-1 accuracy in percent")
    axes.grid(visible=True, which="both", color="#eeeeee")
    axes.set_axisbelow(True)
    operations, accuracies = [row.bflops for row in rows], [row.top1 for row in rows]
    axes.set_xlim(min(operations) * 0.86, max(operations) * 1.16)
    margin = 0.09 * (max(accuracies) - min(accuracies))
    axes.set_ylim(min(accuracies) - margin, max(accuracies) + margin)
    ticks = [value for value in TICKS if _within(axes, value)]
    axes.set_xticks(ticks)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    for row in rows:
        if row.base is not None:
            base = rows[row.base]
            axes.plot([base.bflops, row.bflops], [base.top1, row.top1], color=CSP, lw=1.1, alpha=0.5, zorder=2)
        axes.plot(row.bflops, row.top1, "o", color=OTHER if row.base is None else CSP, ms=6, zorder=3)
    _label(figure, axes, rows)
    handles = [
        Line2D([], [], color=CSP, marker="o", lw=1.1, label="CSP model, joined to its base"),
        Line2D([], [], color=OTHER, marker="o", lw=0, label="base, or another model"),
    ]
    axes.legend(handles=handles, loc="lower right", fontsize=9)


def _within(axes: Axes, value: float) -> bool:
    low, high = axes.get_xlim()
    return bool(low <= value <= high)


def _label(figure: Figure, axes: Axes, rows: Sequence[Published]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    to_pixels = axes.transData.transform
    points = [tuple(map(float, to_pixels((row.bflops, row.top1)))) for row in rows]
    texts = [axes.text(row.bflops, row.top1, row.label, fontsize=9, va="bottom", ha="left", zorder=4) for row in rows]
    extents = [text.get_window_extent(renderer) for text in texts]
    sizes = [(float(extent.width) + 4, float(extent.height) + 2) for extent in extents]
    lines = [(points[row.base], points[at]) for at, row in enumerate(rows) if row.base is not None]
    area = axes.get_window_extent(renderer)
    frame = Box(area.x0 + 4, area.y0 + 4, area.x1 - 4, area.y1 - 4)
    boxes = placed(points, sizes, lines, frame)  # type: ignore[arg-type]
    for row, text, point, box in zip(rows, texts, points, boxes, strict=True):
        x, y = axes.transData.inverted().transform((box.left + 2, box.bottom + 1))
        text.set_position((x, y))
        text.set_color(OTHER if row.base is None else CSP)
        end = _nearest(box, point)  # type: ignore[arg-type]
        if hypot(end[0] - point[0], end[1] - point[1]) > DISTANCES[1]:
            ends = [axes.transData.inverted().transform(place) for place in (point, end)]
            axes.plot(*zip(*ends, strict=True), color="#aaaaaa", lw=0.6, zorder=1)
