"""Top-1 and top-5 from kept predictions, their uncertainty, and the comparison of two runs."""

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
"""Images of the ImageNet validation set, the only split the tables' accuracies are of."""


def wilson(correct: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a proportion, in percent (Wilson 1927)."""
    if total == 0:
        return 0.0, 100.0
    share, square = correct / total, Z95**2
    centre = (share + square / (2 * total)) / (1 + square / total)
    half = Z95 * sqrt(share * (1 - share) / total + square / (4 * total**2)) / (1 + square / total)
    # at 0 and at all correct the bound is the share itself, which floats miss by a rounding
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
        """Exact share in percent."""
        return Decimal(100 * self.correct) / Decimal(self.total) if self.total else Decimal(0)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval in percent."""
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
    """Indices of the k largest of each row, (N, k); on equal values the lower index comes first, as in Darknet."""
    return np.argsort(-logits, axis=1, kind="stable")[:, :k]


def accuracies(predicted: Array, labels: Array) -> tuple[Accuracy, Accuracy]:
    """Top-1 and top-5 of predicted class ids (N, 5) against labels (N,); a label of -1 is never hit."""
    hits = predicted == labels[:, None]
    return Accuracy(int(hits[:, 0].sum()), len(labels)), Accuracy(int(hits.any(1).sum()), len(labels))


def mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided exact p-value that two classifiers err alike, from the images only one of them gets right.

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
    # integers throughout: 0.5 ** 1000 is still a float, its sums of comb() are not
    tail = sum(comb(total, hits) for hits in range(fewer + 1))
    return float(min(1.0, 2 * tail / 2**total))


@dataclass(frozen=True)
class Comparison:
    """Two runs on the same images: how many each alone got right, and the images whose top-1 verdict flipped."""

    both: int
    only_first: int
    only_second: int
    neither: int
    flipped: tuple[str, ...]

    @property
    def p(self) -> float:
        """McNemar's p-value."""
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
