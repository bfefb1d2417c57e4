"""Top-1 and top-5 accuracy, their confidence intervals, and the comparison of two runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import comb, sqrt
from typing import Any

import numpy as np

from cspbench.claims.rounding import round_half_up

Array = np.ndarray[Any, Any]

Z95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""

FULL = 50_000
"""Images of the ImageNet validation set, the only split of the tables' accuracies."""


def wilson(correct: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a proportion, in percent (Wilson 1927)."""
    if total == 0:
        return 0.0, 100.0
    share, square = correct / total, Z95**2
    centre = (share + square / (2 * total)) / (1 + square / total)
    half = Z95 * sqrt(share * (1 - share) / total + square / (4 * total**2)) / (1 + square / total)
    # for 0 or all correct the bound is exactly the share, which floats would miss by rounding
    low = 0.0 if correct == 0 else 100 * (centre - half)
    high = 100.0 if correct == total else 100 * (centre + half)
    return low, high


@dataclass(frozen=True)
class Accuracy:
    """Correct predictions among `total` images; an image without a usable label or pixels counts as wrong."""

    correct: int
    total: int

    @property
    def percent(self) -> Decimal:
        """The exact share in percent."""
        return Decimal(100 * self.correct) / Decimal(self.total) if self.total else Decimal(0)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval in percent."""
        return wilson(self.correct, self.total)

    def as_json(self) -> dict[str, Any]:
        """Correct, total, percent and interval."""
        low, high = self.interval
        return {
            "correct": self.correct,
            "total": self.total,
            "percent": float(round_half_up(self.percent, 4)),
            "interval": [round(low, 4), round(high, 4)],
        }


def top_k(logits: Array, k: int = 5) -> Array:
    """Indices of the k largest values of each row, (N, k); the lower index first among equal values, as in Darknet."""
    return np.argsort(-logits, axis=1, kind="stable")[:, :k]


def accuracies(predicted: Array, labels: Array) -> list[Accuracy]:
    """Top-1 to top-k accuracy of predicted classes (N, k) for labels (N,); a label of -1 always counts as wrong."""
    hits = np.logical_or.accumulate(predicted == labels[:, None], axis=1)
    return [Accuracy(int(correct), len(labels)) for correct in hits.sum(0)]


def mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided exact p-value of equal error rates, from the numbers of images that only one classifier gets right.

    Binomial with p = 1/2 up to 1000 discordant images, the normal approximation with continuity correction above
    (McNemar 1947).
    """
    total = only_first + only_second
    if total == 0:
        return 1.0
    fewer = min(only_first, only_second)
    if total > 1000:
        from statistics import NormalDist

        z = max(0.0, abs(only_first - only_second) - 1) / sqrt(total)
        return 2 * (1 - NormalDist().cdf(z))
    # in integers, because the sums of comb() would overflow a float
    tail = sum(comb(total, hits) for hits in range(fewer + 1))
    return float(min(1.0, 2 * tail / 2**total))


@dataclass(frozen=True)
class Comparison:
    """Two runs on the same images: how many each alone got right, and the keys of these images."""

    both: int
    only_first: int
    only_second: int
    neither: int
    flipped: tuple[str, ...]

    @property
    def p(self) -> float:
        """The p-value of McNemar's test."""
        return mcnemar(self.only_first, self.only_second)


def compare(first: Array, second: Array, keys: Sequence[str]) -> Comparison:
    """Compare two boolean arrays of top-1 hits over the same images, named by `keys`."""
    different = np.flatnonzero(first != second)
    return Comparison(
        both=int((first & second).sum()),
        only_first=int((first & ~second).sum()),
        only_second=int((~first & second).sum()),
        neither=int((~first & ~second).sum()),
        flipped=tuple(keys[int(index)] for index in different),
    )
