"""The random numbers of the sample: a seed for each picture, and the range of seeds for training.

Pictures are drawn with integers and IEEE additions, multiplications and divisions only, which all machines round alike;
sines and fused operations are avoided.
"""

from __future__ import annotations

import numpy as np
from numpy.random import PCG64, Generator

HELD_OUT = 10_000_000
"""The first seed of the held-out pictures; training pictures have seeds from 0 to HELD_OUT - 1."""

Direction = tuple[float, float]
"""A unit vector: cosine and sine of an angle."""


def generator(seed: int) -> Generator:
    """The generator of the picture with this seed, 0 or more."""
    return Generator(PCG64(seed))


def between(random: Generator, low: float, high: float) -> float:
    """A random number from `low` to `high`."""
    return low + (high - low) * float(random.random())


def chance(random: Generator, probability: float) -> bool:
    """True with that probability."""
    return bool(random.random() < probability)


def direction(random: Generator) -> Direction:
    """A random direction, from rational points of the circle instead of sines."""
    t = float(random.random())
    cosine, sine = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
    quarters = ((cosine, sine), (-sine, cosine), (-cosine, -sine), (sine, -cosine))
    return quarters[int(random.integers(4))]


def choice(random: Generator, shares: tuple[int, ...]) -> int:
    """A random index of `shares`, with probabilities in proportion to them."""
    number = int(random.integers(sum(shares)))
    return int(np.searchsorted(np.cumsum(shares), number, side="right"))
