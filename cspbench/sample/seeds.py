"""Where the sample's randomness comes from: one seed for each picture, and which seeds are for training.

Pictures are drawn with IEEE additions, multiplications, divisions and integers only, none of which two machines round
differently; sines and fused operations are avoided.
"""

from __future__ import annotations

import numpy as np
from numpy.random import PCG64, Generator

from cspbench.errors import UsageError

HELD_OUT = 10_000_000
"""The first seed of the held-out pictures; pictures to train on have the seeds from 0 to HELD_OUT - 1."""

Direction = tuple[float, float]
"""A unit vector: cosine and sine of an angle."""


def generator(seed: int) -> Generator:
    """The generator of the picture with that seed; raises `UsageError` for a negative one."""
    if seed < 0:
        raise UsageError(
            "usage.negative-seed", "seeds are not negative", found=str(seed), remedy="Give a seed of 0 or more"
        )
    return Generator(PCG64(seed))


def between(random: Generator, low: float, high: float) -> float:
    """A number from `low` to `high`."""
    return low + (high - low) * float(random.random())


def chance(random: Generator, probability: float) -> bool:
    """True with that probability."""
    return bool(random.random() < probability)


def direction(random: Generator) -> Direction:
    """Any direction, by rational points of the circle: no sine is computed."""
    t = float(random.random())
    cosine, sine = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
    quarters = ((cosine, sine), (-sine, cosine), (-cosine, -sine), (sine, -cosine))
    return quarters[int(random.integers(4))]


def choice(random: Generator, shares: tuple[int, ...]) -> int:
    """One of the places of `shares`, with chances as they say."""
    at = int(random.integers(sum(shares)))
    return int(np.searchsorted(np.cumsum(shares), at, side="right"))
