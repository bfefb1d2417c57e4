"""The textures of the sample, each the set of points of a shape that have its second colour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from cspbench.sample.seeds import Direction, between, direction
from cspbench.sample.shapes import Floats, Mask

Pattern = Callable[[Floats, Floats], Mask]
"""Whether points have the second colour, from coordinates in periods of the texture."""


def plain(u: Floats, v: Floats) -> Mask:
    """One colour."""
    return np.zeros(np.broadcast_shapes(u.shape, v.shape), np.bool_)


def striped(u: Floats, v: Floats) -> Mask:
    """Stripes along v, half a period wide."""
    second: Mask = (u + 0 * v) % 1 < 0.5
    return second


def checked(u: Floats, v: Floats) -> Mask:
    """A chessboard of squares half a period wide."""
    second: Mask = (u % 1 < 0.5) ^ (v % 1 < 0.5)
    return second


def dotted(u: Floats, v: Floats) -> Mask:
    """Dots, one in each square period."""
    across, down = u % 1 - 0.5, v % 1 - 0.5
    second: Mask = across * across + down * down <= 0.1
    return second


TEXTURES: dict[str, Pattern] = {each.__name__: each for each in (plain, striped, checked, dotted)}


@dataclass(frozen=True)
class Texture:
    """A texture with its position on a shape."""

    pattern: str
    period: float = 8.0
    """Pixels."""
    turned: Direction = (1.0, 0.0)
    shift: tuple[float, float] = (0.0, 0.0)
    """Periods from the shape's centre."""

    def second(self, right: Floats, down: Floats) -> Mask:
        """Whether points have the second colour; their coordinates are in pixels from the shape's centre."""
        cosine, sine = self.turned
        u = (right * cosine + down * sine) / self.period + self.shift[0]
        v = (down * cosine - right * sine) / self.period + self.shift[1]
        return TEXTURES[self.pattern](u, v)


def random_texture(random: Generator, pattern: str, smallest: float, largest: float) -> Texture:
    """A texture with a period from `smallest` to `largest` pixels, rotated and shifted at random."""
    period = between(random, smallest, largest)
    return Texture(pattern, period, direction(random), (float(random.random()), float(random.random())))
