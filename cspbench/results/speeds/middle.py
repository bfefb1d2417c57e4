"""The median of repeated measurements, its spread and its 95 % interval.

The interval is that between two order statistics (the inversion of the sign test): it supposes no distribution, draws
nothing at random, and covers the median with at least 95 % if the rounds are independent. Of fewer than six rounds
there is none.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

MISSED = 20
"""An interval may miss the median once in so many times."""


@dataclass(frozen=True)
class Middle:
    """The median of so many rounds, their quartiles, and the interval of the median."""

    median: float
    quartiles: tuple[float, float]
    interval: tuple[float, float] | None
    rounds: int

    def inverse(self) -> Middle:
        """The same of 1 / value, for positive values: frames per second for seconds a frame."""
        interval = None if self.interval is None else (1 / self.interval[1], 1 / self.interval[0])
        return Middle(1 / self.median, (1 / self.quartiles[1], 1 / self.quartiles[0]), interval, self.rounds)


def middle(values: Sequence[float]) -> Middle:
    """The median and its company, of at least one value."""
    ordered = sorted(values)
    low, _, high = statistics.quantiles(ordered, n=4, method="inclusive") if len(ordered) > 1 else ordered * 3
    rank = _rank(len(ordered))
    interval = (ordered[rank - 1], ordered[-rank]) if rank else None
    return Middle(statistics.median(ordered), (low, high), interval, len(ordered))


@cache
def _rank(count: int) -> int:
    """The largest k for which the k-th smallest and the k-th largest value enclose the median with 95 %; 0 if none."""
    below, ways, rank = 0, 1, 0
    while True:
        below += ways
        if 2 * MISSED * below > 2**count:  # integers, since 2^count soon exceeds every float
            return rank
        ways = ways * (count - rank) // (rank + 1)
        rank += 1
