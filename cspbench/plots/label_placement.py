"""Labels of a crowded figure, clear of other labels and points, and if possible of lines; distances are in pixels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import cos, dist, pi, sin
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DISTANCES = (9, 15, 24, 36, 50, 66, 84, 104)
"""Pixels from a point to its label, the nearest first."""
DIRECTIONS = 16
MARKER = 6
"""Pixels around a point that labels keep clear of."""
CLEAR = 4
"""Pixels by which a label must be nearer to its own point than to any other."""

Point = tuple[float, float]


class Rectangle(NamedTuple):
    """A rectangle in pixels; x0 <= x1 and y0 <= y1."""

    x0: float
    y0: float
    x1: float
    y1: float

    def meets(self, other: Rectangle) -> bool:
        """Whether the two overlap."""
        return self.x0 < other.x1 and other.x0 < self.x1 and self.y0 < other.y1 and other.y0 < self.y1

    def crossed(self, begin: Point, end: Point) -> bool:
        """Whether a line passes through it, sampled in steps of at most 3 pixels."""
        steps = max(1, round(dist(begin, end) / 3))
        for step in range(steps + 1):
            x, y = (a + (b - a) * step / steps for a, b in zip(begin, end, strict=True))
            if self.x0 <= x <= self.x1 and self.y0 <= y <= self.y1:
                return True
        return False

    def nearest(self, point: Point) -> Point:
        """Its point that is nearest to a point."""
        return min(max(point[0], self.x0), self.x1), min(max(point[1], self.y0), self.y1)

    def distance(self, point: Point) -> float:
        """From a point to the nearest point of it."""
        return dist(point, self.nearest(point))


def _around(point: Point, size: Point) -> Iterable[tuple[float, Rectangle]]:
    """Places for a label of `size` (width, height) around a point, with their distances."""
    width, height = size
    for distance in DISTANCES:
        for step in range(DIRECTIONS):
            # starting at the right, which reads best
            angle = 2 * pi * step / DIRECTIONS
            x = point[0] + distance * cos(angle) + width / 2 * (cos(angle) - 1)
            y = point[1] + distance * sin(angle) + height / 2 * (sin(angle) - 1)
            yield distance, Rectangle(x, y, x + width, y + height)


def ambiguous(box: Rectangle, at: int, points: Sequence[Point]) -> bool:
    """Whether another point is about as near to the label as its own."""
    limit = box.distance(points[at]) + CLEAR
    return any(box.distance(point) < limit for index, point in enumerate(points) if index != at)


def placed(
    points: Sequence[Point],
    sizes: Sequence[Point],
    lines: Sequence[tuple[Point, Point]],
    frames: Sequence[Rectangle],
    others: Sequence[Point] = (),
) -> list[Rectangle]:
    """A place for the label of each point, within its frame; `others` are points without labels.

    The most crowded labels choose first. Lines from labels to their points avoid labels, too.
    """
    markers = [Rectangle(x - MARKER, y - MARKER, x + MARKER, y + MARKER) for x, y in [*points, *others]]
    crowd = [sum(sorted(dist(point, neighbour) for neighbour in points)[1:4]) for point in points]
    boxes: dict[int, Rectangle] = {}
    for at in sorted(range(len(points)), key=lambda index: (crowd[index], index)):
        best: tuple[float, Rectangle] | None = None
        frame = frames[at]
        for distance, box in _around(points[at], sizes[at]):
            if best is not None and best[0] <= distance:
                break  # no place farther away can be better
            near = box.nearest(points[at])
            faults = 1000 * any(box.meets(label) for label in boxes.values())
            faults += 1000 * any(box.meets(marker) for marker in markers)
            faults += 1000 * (box.x0 < frame.x0 or box.x1 > frame.x1)
            faults += 1000 * (box.y0 < frame.y0 or box.y1 > frame.y1)
            faults += 300 * any(
                boxes[index].crossed(near, points[at])
                or box.crossed(points[index], boxes[index].nearest(points[index]))
                for index in boxes
            )
            faults += 40 * sum(box.crossed(*line) for line in lines)
            faults += 60 * ambiguous(box, at, points)
            if best is None or faults + distance < best[0]:
                best = (faults + distance, box)
        assert best is not None
        boxes[at] = best[1]
    return [boxes[at] for at in range(len(points))]


def pixels(axes: Axes, points: Iterable[Point]) -> list[Point]:
    """Points of the data in pixels."""
    return [(float(x), float(y)) for x, y in map(axes.transData.transform, points)]


def write_labels(
    axes: Axes,
    labels: Sequence[tuple[Point, str, str]],
    lines: Sequence[tuple[Point, Point]],
    frames: Sequence[Rectangle],
    others: Sequence[Point] = (),
    **style: Any,
) -> list[Rectangle]:
    """Write labels (point of the data, text, colour) where `placed` says; returns their places in pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    renderer = FigureCanvasAgg(axes.figure).get_renderer()  # type: ignore[no-untyped-call,arg-type]
    texts = [axes.text(*at, text, color=colour, va="bottom", ha="left", **style) for at, text, colour in labels]
    extents = [text.get_window_extent(renderer) for text in texts]
    sizes = [(float(extent.width) + 4, float(extent.height) + 2) for extent in extents]
    boxes = placed(pixels(axes, [at for at, *_ in labels]), sizes, lines, frames, others)
    for text, box in zip(texts, boxes, strict=True):
        x, y = axes.transData.inverted().transform((box.x0 + 2, box.y0 + 1))
        text.set_position((x, y))
    return boxes
