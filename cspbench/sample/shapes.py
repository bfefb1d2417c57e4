"""The shapes of the sample as sets of points, and the share of each pixel that a shape covers.

A shape is the set of points (u, v) for which a function is true; it extends from -1 to 1 along u and lies within
`REACH` of the origin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, floor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cspbench.sample.seeds import Direction

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Counts = NDArray[np.int64]
Inside = Callable[[Floats, Floats], Mask]

SAMPLES = 3
"""Points along each side of a pixel at which a shape is evaluated."""
POINTS = SAMPLES * SAMPLES
REACH = 1.1
ROOT3 = 1.7320508075688772
PENTAGON = (
    *((0.0, -1.0), (0.9510565162951535, -0.30901699437494745), (0.5877852522924731, 0.8090169943749475)),
    *((-0.5877852522924731, 0.8090169943749475), (-0.9510565162951535, -0.30901699437494745)),
)
"""The corners of a regular pentagon in the unit circle."""
PENTAGRAM = 0.30901699437494745
"""Distance from the centre of the five lines of a pentagram with its tips on the unit circle."""


def disc(u: Floats, v: Floats) -> Mask:
    """The unit disc."""
    inside: Mask = u * u + v * v <= 1
    return inside


def ring(u: Floats, v: Floats) -> Mask:
    """The unit disc without a disc of half its radius."""
    square = u * u + v * v
    inside: Mask = (square <= 1) & (square >= 0.25)
    return inside


def square(u: Floats, v: Floats) -> Mask:
    """The square of side 1.5."""
    inside: Mask = (np.abs(u) <= 0.75) & (np.abs(v) <= 0.75)
    return inside


def triangle(u: Floats, v: Floats) -> Mask:
    """The equilateral triangle in the unit circle."""
    inside: Mask = (v <= 0.5) & (ROOT3 * np.abs(u) <= v + 1)
    return inside


def star(u: Floats, v: Floats) -> Mask:
    """The five-pointed star in the unit circle: points on the inner side of at least four of its five lines."""
    sides = [u * x + v * y >= -PENTAGRAM for x, y in PENTAGON]
    inside: Mask = np.sum(sides, axis=0) >= 4
    return inside


def cross(u: Floats, v: Floats) -> Mask:
    """Two crossed bars of length 2 and width 0.6."""
    across, down = np.abs(u), np.abs(v)
    inside: Mask = (np.minimum(across, down) <= 0.3) & (np.maximum(across, down) <= 1)
    return inside


def crescent(u: Floats, v: Floats) -> Mask:
    """The unit disc without a smaller disc at its side."""
    aside = u - 0.55
    inside: Mask = (u * u + v * v <= 1) & (aside * aside + v * v >= 0.64)
    return inside


def bar(u: Floats, v: Floats) -> Mask:
    """The rectangle of 2 by 0.5."""
    inside: Mask = (np.abs(u) <= 1) & (np.abs(v) <= 0.25)
    return inside


def arrow(u: Floats, v: Floats) -> Mask:
    """A triangular head before a shaft of width 0.5."""
    across = np.abs(v)
    inside: Mask = ((u >= 0) & (u + across <= 1)) | ((u >= -1) & (u <= 0) & (across <= 0.25))
    return inside


SHAPES: dict[str, Inside] = {
    shape.__name__: shape for shape in (disc, ring, square, triangle, star, cross, crescent, bar, arrow)
}


class Window(NamedTuple):
    """A rectangle of pixels, the ends excluded."""

    left: int
    top: int
    right: int
    bottom: int

    def of(self, array: NDArray[Any]) -> NDArray[Any]:
        """The part of an image (H, W, ...) inside the window."""
        return array[self.top : self.bottom, self.left : self.right]


@dataclass(frozen=True)
class Outline:
    """A shape with its position and size in pixels; the centre of an image's first pixel is (0.5, 0.5)."""

    shape: str
    x: float
    y: float
    radius: float
    """Half of the length along u."""
    aspect: float = 1.0
    """The scale along v relative to that along u."""
    turned: Direction = (1.0, 0.0)

    def window(self, width: int, height: int) -> Window:
        """The pixels of an image that the shape can touch."""
        reach = self.radius * REACH + 1
        left, top = max(0, floor(self.x - reach)), max(0, floor(self.y - reach))
        right, bottom = min(width, ceil(self.x + reach)), min(height, ceil(self.y + reach))
        return Window(left, top, max(left, right), max(top, bottom))

    def points(self, window: Window) -> tuple[Floats, Floats]:
        """Offsets to the right and down from the centre of the points of the window's pixels: (1, 3 W) and (3 H, 1)."""
        columns = np.arange(window.left * SAMPLES, window.right * SAMPLES)
        rows = np.arange(window.top * SAMPLES, window.bottom * SAMPLES)
        right = (2 * columns + 1) / (2 * SAMPLES) - self.x
        down = (2 * rows + 1) / (2 * SAMPLES) - self.y
        return right[None, :], down[:, None]

    def inside(self, window: Window) -> Mask:
        """Whether the shape covers each point of the window's pixels, (3 H, 3 W)."""
        right, down = self.points(window)
        cosine, sine = self.turned
        u = (right * cosine + down * sine) / self.radius
        v = (down * cosine - right * sine) / (self.radius * self.aspect)
        return SHAPES[self.shape](u, v)


def per_pixel(points: Mask) -> Counts:
    """The number of true points of each pixel: (3 H, 3 W) to (H, W), from 0 to 9."""
    bits = points.view(np.uint8)
    rows = bits[0::SAMPLES] + bits[1::SAMPLES] + bits[2::SAMPLES]
    counts: Counts = (rows[:, 0::SAMPLES] + rows[:, 1::SAMPLES] + rows[:, 2::SAMPLES]).astype(np.int64)
    return counts
