"""The shapes of the sample and their textures as sets of points, and the share of each pixel that a shape covers.

A shape is the set of points (u, v) for which a function is true; it extends from -1 to 1 along u and lies within
`REACH` of the origin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, floor
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cspbench.sample.seeds import Direction, between, direction

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


SHAPES: dict[str, Inside] = {
    "disc": lambda u, v: u * u + v * v <= 1,
    # without a disc of half its radius
    "ring": lambda u, v: (u * u + v * v <= 1) & (u * u + v * v >= 0.25),
    # of side 1.5
    "square": lambda u, v: (np.abs(u) <= 0.75) & (np.abs(v) <= 0.75),
    # equilateral, in the unit circle
    "triangle": lambda u, v: (v <= 0.5) & (ROOT3 * np.abs(u) <= v + 1),
    # in the unit circle: points on the inner side of at least four of the five lines of a pentagram
    "star": lambda u, v: np.sum([u * x + v * y >= -PENTAGRAM for x, y in PENTAGON], axis=0) >= 4,
    # two bars of length 2 and width 0.6
    "cross": lambda u, v: (np.minimum(np.abs(u), np.abs(v)) <= 0.3) & (np.maximum(np.abs(u), np.abs(v)) <= 1),
    # the unit disc without a smaller disc at its side
    "crescent": lambda u, v: (u * u + v * v <= 1) & ((u - 0.55) * (u - 0.55) + v * v >= 0.64),
    # 2 by 0.5
    "bar": lambda u, v: (np.abs(u) <= 1) & (np.abs(v) <= 0.25),
    # a triangular head before a shaft of width 0.5
    "arrow": lambda u, v: ((u >= 0) & (u + np.abs(v) <= 1)) | ((u >= -1) & (u <= 0) & (np.abs(v) <= 0.25)),
}


def _turned(right: Floats, down: Floats, along: Direction) -> tuple[Floats, Floats]:
    """Coordinates along a direction and across it."""
    cosine, sine = along
    return right * cosine + down * sine, down * cosine - right * sine


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
        u, v = _turned(right, down, self.turned)
        return SHAPES[self.shape](u / self.radius, v / (self.radius * self.aspect))


def per_pixel(points: Mask) -> Counts:
    """The number of true points of each pixel: (3 H, 3 W) to (H, W), from 0 to 9."""
    bits = points.view(np.uint8)
    rows = bits[0::SAMPLES] + bits[1::SAMPLES] + bits[2::SAMPLES]
    counts: Counts = (rows[:, 0::SAMPLES] + rows[:, 1::SAMPLES] + rows[:, 2::SAMPLES]).astype(np.int64)
    return counts


Pattern = Callable[[Floats, Floats], Mask]
"""Whether points have the second colour, from coordinates in periods of the texture."""


TEXTURES: dict[str, Pattern] = {
    "plain": lambda u, v: np.zeros(np.broadcast_shapes(u.shape, v.shape), np.bool_),
    # half a period wide
    "striped": lambda u, v: (u + 0 * v) % 1 < 0.5,
    # squares half a period wide
    "checked": lambda u, v: (u % 1 < 0.5) ^ (v % 1 < 0.5),
    # a dot in each square period
    "dotted": lambda u, v: (u % 1 - 0.5) * (u % 1 - 0.5) + (v % 1 - 0.5) * (v % 1 - 0.5) <= 0.1,
}


@dataclass(frozen=True)
class Texture:
    """A texture with its position on a shape: the set of points that have the shape's second colour."""

    pattern: str
    period: float = 8.0
    """Pixels."""
    turned: Direction = (1.0, 0.0)
    shift: tuple[float, float] = (0.0, 0.0)
    """Periods from the shape's centre."""

    def second(self, right: Floats, down: Floats) -> Mask:
        """Whether points have the second colour; their coordinates are in pixels from the shape's centre."""
        u, v = _turned(right, down, self.turned)
        return TEXTURES[self.pattern](u / self.period + self.shift[0], v / self.period + self.shift[1])


def random_texture(random: Generator, pattern: str, smallest: float, largest: float) -> Texture:
    """A texture with a period from `smallest` to `largest` pixels, rotated and shifted at random."""
    period = between(random, smallest, largest)
    return Texture(pattern, period, direction(random), (float(random.random()), float(random.random())))
