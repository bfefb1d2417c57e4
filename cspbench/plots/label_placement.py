"""Places for the labels of a crowded figure, in pixels: on no other label, on no point, and rarely on a line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import cos, hypot, pi, sin
from typing import NamedTuple

DISTANCES = (9, 15, 24, 36, 50, 66, 84, 104)
"""Pixels from a point to its label, the nearest first."""
DIRECTIONS = 16
MARKER = 6
"""Pixels around a point where no label may be."""
CLEAR = 4
"""Pixels by which a label's own point is nearer than any other."""

Point = tuple[float, float]


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

    def offset(self, point: Point) -> Point:
        """From a point to its nearest place, right and up."""
        x, y = self.nearest(point)
        return x - point[0], y - point[1]

    def nearest(self, point: Point) -> Point:
        """Its place that is nearest to a point."""
        return min(max(point[0], self.left), self.right), min(max(point[1], self.bottom), self.top)


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


def ambiguous(box: Box, at: int, points: Sequence[Point]) -> bool:
    """Whether a label can be read as that of another point: one that is about as near as its own."""
    own = hypot(*box.offset(points[at]))
    return any(hypot(*box.offset(point)) < own + CLEAR for index, point in enumerate(points) if index != at)


def placed(
    points: Sequence[Point],
    sizes: Sequence[Point],
    lines: Sequence[tuple[Point, Point]],
    frames: Sequence[Box],
    others: Sequence[Point] = (),
) -> list[Box]:
    """A place for the label of each point, within its frame; `others` are points without a label.

    The labels with the nearest neighbours choose first. Lines from a label to its point avoid other labels, too.
    """
    markers = [Box(x - MARKER, y - MARKER, x + MARKER, y + MARKER) for x, y in [*points, *others]]
    crowd = [sorted(hypot(x - other[0], y - other[1]) for other in points)[1:4] for x, y in points]
    boxes: dict[int, Box] = {}
    for at in sorted(range(len(points)), key=lambda index: (sum(crowd[index]), index)):
        best: tuple[float, Box] | None = None
        frame = frames[at]
        for distance, box in _around(points[at], sizes[at]):
            if best is not None and best[0] <= distance:
                break  # nothing further away can be better
            near = box.nearest(points[at])
            faults = 1000 * any(box.meets(other) for other in boxes.values())
            faults += 1000 * any(box.meets(marker) for marker in markers)
            faults += 1000 * (box.left < frame.left or box.right > frame.right)
            faults += 1000 * (box.bottom < frame.bottom or box.top > frame.top)
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
