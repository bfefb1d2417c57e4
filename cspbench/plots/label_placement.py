"""Places for the labels of a crowded figure, in pixels: clear of labels and points, and if possible of lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import cos, dist, hypot, pi, sin
from typing import NamedTuple

DISTANCES = (9, 15, 24, 36, 50, 66, 84, 104)
"""Pixels from a point to its label, the nearest first."""
DIRECTIONS = 16
MARKER = 6
"""Pixels around a point that labels keep clear of."""
CLEAR = 4
"""Pixels by which a label must be nearer to its own point than to any other."""

Point = tuple[float, float]


class Box(NamedTuple):
    """A rectangle in pixels."""

    left: float
    bottom: float
    right: float
    top: float

    def meets(self, other: Box) -> bool:
        """Whether the two overlap."""
        return (
            self.left < other.right and other.left < self.right and self.bottom < other.top and other.bottom < self.top
        )

    def crossed(self, begin: Point, end: Point) -> bool:
        """Whether a line passes through the box, sampled in steps of at most 3 pixels."""
        steps = max(1, round(dist(begin, end) / 3))
        for step in range(steps + 1):
            x, y = (a + (b - a) * step / steps for a, b in zip(begin, end, strict=True))
            if self.left <= x <= self.right and self.bottom <= y <= self.top:
                return True
        return False

    def offset(self, point: Point) -> Point:
        """The vector from a point to the nearest point of the box."""
        x, y = self.nearest(point)
        return x - point[0], y - point[1]

    def nearest(self, point: Point) -> Point:
        """The point of the box that is nearest to a point."""
        return min(max(point[0], self.left), self.right), min(max(point[1], self.bottom), self.top)


def _around(point: Point, size: Point) -> Iterable[tuple[float, Box]]:
    """Boxes for a label of `size` (width, height) around a point, with their distances."""
    width, height = size
    for distance in DISTANCES:
        for step in range(DIRECTIONS):
            # starting at the right, which reads best
            angle = 2 * pi * step / DIRECTIONS
            x = point[0] + distance * cos(angle) + width / 2 * (cos(angle) - 1)
            y = point[1] + distance * sin(angle) + height / 2 * (sin(angle) - 1)
            yield distance, Box(x, y, x + width, y + height)


def ambiguous(box: Box, at: int, points: Sequence[Point]) -> bool:
    """Whether another point is about as near to the label as its own."""
    distance = hypot(*box.offset(points[at]))
    return any(hypot(*box.offset(point)) < distance + CLEAR for index, point in enumerate(points) if index != at)


def placed(
    points: Sequence[Point],
    sizes: Sequence[Point],
    lines: Sequence[tuple[Point, Point]],
    frames: Sequence[Box],
    others: Sequence[Point] = (),
) -> list[Box]:
    """A box for the label of each point, within its frame; `others` are points without labels.

    The most crowded labels choose first. Lines from labels to their points avoid labels, too.
    """
    markers = [Box(x - MARKER, y - MARKER, x + MARKER, y + MARKER) for x, y in [*points, *others]]
    crowd = [sorted(dist(point, neighbour) for neighbour in points)[1:4] for point in points]
    boxes: dict[int, Box] = {}
    for at in sorted(range(len(points)), key=lambda index: (sum(crowd[index]), index)):
        best: tuple[float, Box] | None = None
        frame = frames[at]
        for distance, box in _around(points[at], sizes[at]):
            if best is not None and best[0] <= distance:
                break  # no place farther away can be better
            near = box.nearest(points[at])
            faults = 1000 * any(box.meets(label) for label in boxes.values())
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
