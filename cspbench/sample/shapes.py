"""The shapes of the sample as sets of points, and which share of each pixel a shape covers.

A shape is where a function of (u, v) is true; it reaches from -1 to 1 along u and lies within `REACH` of the origin.
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
"""Points along each side of a pixel at which a shape is looked up."""
POINTS = SAMPLES * SAMPLES
REACH = 1.1
ROOT3 = 1.7320508075688772
PENTAGON = (
    *((0.0, -1.0), (0.9510565162951535, -0.30901699437494745), (0.5877852522924731, 0.8090169943749475)),
    *((-0.5877852522924731, 0.8090169943749475), (-0.9510565162951535, -0.30901699437494745)),
)
"""The corners of a regular pentagon in the unit circle."""
PENTAGRAM = 0.30901699437494745
"""How far from the centre the five lines of a pentagram lie whose tips are on the unit circle."""


def disc(u: Floats, v: Floats) -> Mask:
    """The unit disc."""
    inside: Mask = u * u + v * v <= 1
    return inside


def ring(u: Floats, v: Floats) -> Mask:
    """The unit disc without one of half the radius."""
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
    """The five-pointed star in the unit circle: its points lie on the inner side of four of its five lines."""
    sides = [u * x + v * y >= -PENTAGRAM for x, y in PENTAGON]
    inside: Mask = np.sum(sides, axis=0) >= 4
    return inside


def cross(u: Floats, v: Floats) -> Mask:
    """Two bars of length 2 and width 0.6, one across the other."""
    across, down = np.abs(u), np.abs(v)
    inside: Mask = (np.minimum(across, down) <= 0.3) & (np.maximum(across, down) <= 1)
    return inside


def crescent(u: Floats, v: Floats) -> Mask:
    """The unit disc without a smaller one that is moved to a side."""
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
    each.__name__: each for each in (disc, ring, square, triangle, star, cross, crescent, bar, arrow)
}


class Window(NamedTuple):
    """A rectangle of pixels, the ends excluded."""

    left: int
    top: int
    right: int
    bottom: int

    def of(self, array: NDArray[Any]) -> NDArray[Any]:
        """The part of an image (H, W, ...) that lies in it."""
        return array[self.top : self.bottom, self.left : self.right]


@dataclass(frozen=True)
class Outline:
    """A shape where it is to be drawn; lengths in pixels, the corner of the image at (0, 0), its first pixel's centre
    at (0.5, 0.5).
    """

    shape: str
    x: float
    y: float
    radius: float
    """Half of its length along u."""
    aspect: float = 1.0
    """Its scale along v, as a share of that along u."""
    turned: Direction = (1.0, 0.0)

    def window(self, width: int, height: int) -> Window:
        """The pixels of an image that it can touch."""
        reach = self.radius * REACH + 1
        left, top = max(0, floor(self.x - reach)), max(0, floor(self.y - reach))
        right, bottom = min(width, ceil(self.x + reach)), min(height, ceil(self.y + reach))
        return Window(left, top, max(left, right), max(top, bottom))

    def points(self, window: Window) -> tuple[Floats, Floats]:
        """How far right and below of the centre the points of the window's pixels lie: (1, 3 W) and (3 H, 1)."""
        columns = np.arange(window.left * SAMPLES, window.right * SAMPLES)
        rows = np.arange(window.top * SAMPLES, window.bottom * SAMPLES)
        right = (2 * columns + 1) / (2 * SAMPLES) - self.x
        down = (2 * rows + 1) / (2 * SAMPLES) - self.y
        return right[None, :], down[:, None]

    def inside(self, window: Window) -> Mask:
        """Which points of the window's pixels it covers, (3 H, 3 W)."""
        right, down = self.points(window)
        cosine, sine = self.turned
        u = (right * cosine + down * sine) / self.radius
        v = (down * cosine - right * sine) / (self.radius * self.aspect)
        return SHAPES[self.shape](u, v)


def per_pixel(points: Mask) -> Counts:
    """How many of the points of each pixel are true: (3 H, 3 W) to (H, W), from 0 to 9."""
    bits = points.view(np.uint8)
    rows = bits[0::SAMPLES] + bits[1::SAMPLES] + bits[2::SAMPLES]
    counts: Counts = (rows[:, 0::SAMPLES] + rows[:, 1::SAMPLES] + rows[:, 2::SAMPLES]).astype(np.int64)
    return counts
