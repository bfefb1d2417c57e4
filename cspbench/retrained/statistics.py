"""Statistics over the seeds of trainings: mean, spread, and 95 % intervals of differences.

The differences of n pairs (two trainings of one seed) have Student's t: mean ± t s / √n. Fewer than ten cannot show
their own distribution, so a normal one is assumed, and t pays for the spread that is estimated from them. It stays from
ten on, where a mean is close to normal and a percentile bootstrap would still decide too many null differences.

Without pairs, Welch's t: it does not assume that both spreads are the same. Its degrees of freedom are cut to a whole
number, as with a printed table, which never makes the interval narrower.

Sources: Student, The Probable Error of a Mean, 1908; B. L. Welch, The Generalization of Student's Problem, 1947;
Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

EQUAL = 1e-9
"""Numbers that differ by less are equal: no spread can be seen in them."""
Array = NDArray[np.float64]


class Method(StrEnum):
    """How an interval was computed."""

    PAIRED_T = "paired t"
    WELCH = "Welch's t"


class Lack(StrEnum):
    """Why there is no interval."""

    SEEDS = "fewer than two seeds"
    SPREAD = "no spread"


@dataclass(frozen=True)
class Summary:
    """The numbers of several seeds; `spread` is their sample standard deviation, None of one seed."""

    count: int
    mean: float
    spread: float | None


@dataclass(frozen=True)
class Difference:
    """The mean of a variant minus that of its base, with the 95 % interval, or why there is none.

    `pairs` is the number of seeds that both have; 0 where the difference is that of two means.
    """

    mean: float
    pairs: int
    interval: tuple[float, float] | None = None
    method: Method | None = None
    lack: Lack | None = None


def summary(numbers: Sequence[float]) -> Summary:
    """Mean and spread of one number or more."""
    values = np.asarray(numbers, np.float64)
    spread = float(values.std(ddof=1)) if len(values) > 1 else None
    return Summary(len(values), float(values.mean()), spread)


def difference(variant: Mapping[int, float], base: Mapping[int, float]) -> Difference:
    """The difference of a variant from its base, each with a number or more by seed.

    Over the seeds that both have, if those are two or more, or if one of the two has a single seed; else of the means.
    """
    common = sorted(variant.keys() & base.keys())
    single = min(len(variant), len(base)) < 2
    if len(common) > 1 or (common and single):
        differences = np.array([variant[seed] - base[seed] for seed in common], np.float64)
        method, mean, pairs, spread = (
            Method.PAIRED_T,
            float(differences.mean()),
            len(common),
            float(np.ptp(differences)),
        )
    else:
        one, other = (np.array([numbers[seed] for seed in sorted(numbers)], np.float64) for numbers in (variant, base))
        method, mean, pairs = Method.WELCH, float(one.mean() - other.mean()), 0
        spread = float(max(np.ptp(one), np.ptp(other)))
    if single or spread < EQUAL:
        return Difference(mean, pairs, lack=Lack.SEEDS if single else Lack.SPREAD)
    low, high = welch_bounds(one, other) if method is Method.WELCH else paired_bounds(differences)
    return Difference(mean, pairs, (float(low), float(high)), method)


def paired_bounds(differences: Array) -> tuple[Array, Array]:
    """The bounds of the 95 % intervals of the means of (..., n) differences, n at least 2; each (...)."""
    count = differences.shape[-1]
    mean = differences.mean(-1)
    half = t_quantile(count - 1) * differences.std(-1, ddof=1) / math.sqrt(count)
    return mean - half, mean + half


def welch_bounds(one: Array, other: Array) -> tuple[Array, Array]:
    """The bounds of the 95 % intervals of the differences of the means of (..., n) and (..., m) numbers; each (...)."""
    parts = [numbers.var(-1, ddof=1) / numbers.shape[-1] for numbers in (one, other)]
    total = parts[0] + parts[1]
    below = sum(part**2 / (numbers.shape[-1] - 1) for part, numbers in zip(parts, (one, other), strict=True))
    # a sum of rounded squares may lie just below a whole number
    freedom = np.floor(total**2 / below + 1e-9).astype(int)
    mean, half = one.mean(-1) - other.mean(-1), np.vectorize(t_quantile, otypes=[float])(freedom) * np.sqrt(total)
    return mean - half, mean + half


@lru_cache(maxsize=1024)
def t_quantile(freedom: int, inside: float = 0.95) -> float:
    """The t that Student's t, of `freedom` degrees of freedom, is within ± of with probability `inside`."""
    low, high = 0.0, 1.0
    while within(high, freedom) < inside:
        low, high = high, 2 * high
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if within(middle, freedom) < inside else (low, middle)
    return high


def within(t: float, freedom: int) -> float:
    """The probability that Student's t lies within ± t (Abramowitz and Stegun 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(freedom))
    square = math.cos(angle) ** 2
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    total = term if freedom > 1 else 0.0
    for step in range(2 + odd, freedom - 1, 2):
        term *= square * (step - 1) / step
        total += term
    return 2 / math.pi * (angle + math.sin(angle) * total) if odd else math.sin(angle) * total
