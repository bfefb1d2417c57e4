"""The random numbers of training pictures: integers like those of C's rand(), from a counter or from a record.

Darknet takes them from rand(), which several threads share, so none of its runs can be repeated. Here each chunk of
images has integers of its own, which depend on the seed and on the number of the chunk's first image in the run alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

RANGE = 1 << 31
"""rand() gives 0 to RANGE - 1."""
BLOCK = 128
"""Integers that a counter makes at a time; an ordinary chunk needs about a hundred."""
Scalar = np.float32
"""Darknet's random numbers are single precision."""


def uniform(number: int, low: float | Scalar, high: float | Scalar) -> Scalar:
    """The random number from `low` to `high` that Darknet makes of an integer, in single precision."""
    low, high = Scalar(min(low, high)), Scalar(max(low, high))
    return Scalar(number) / Scalar(RANGE) * (high - low) + low


class Draws(ABC):
    """Integers from 0 to 2^31 - 1 in order, and what Darknet derives from them; every method uses one, `scale` two."""

    @abstractmethod
    def integer(self) -> int:
        """The next integer."""

    def uniform(self, low: float, high: float) -> Scalar:
        """A random number from `low` to `high`; a wrong order is put right."""
        return uniform(self.integer(), low, high)

    def between(self, low: int, high: int) -> int:
        """An integer from `low` to `high`, both included; a wrong order is put right."""
        low, high = min(low, high), max(low, high)
        return self.integer() % (high - low + 1) + low

    def below(self, count: int) -> int:
        """An integer from 0 to `count` - 1."""
        return self.integer() % count

    def coin(self) -> bool:
        """True or false, equally likely."""
        return self.integer() % 2 == 1

    def scale(self, limit: float) -> Scalar:
        """A factor between 1 and `limit`, or, equally likely, its reciprocal."""
        factor = self.uniform(1, limit)
        return factor if self.coin() else Scalar(1) / factor


class Recorded(Draws):
    """Integers that a program drew."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self.numbers, self.used = [int(number) for number in numbers], 0

    def integer(self) -> int:
        """The next integer; `IndexError` after the last."""
        number = self.numbers[self.used]
        self.used += 1
        return number


class Counter(Draws):
    """Integers of Philox, a generator that computes any place of its sequence at once.

    `stream` keeps sequences apart that are drawn for different purposes with equal numbers.
    """

    def __init__(self, seed: int, number: int, stream: int = 0) -> None:
        self._philox = np.random.Philox(key=np.array([seed % 2**64, stream], np.uint64), counter=[0, 0, number, 0])
        self._block: list[int] = []
        self._used = 0

    def integer(self) -> int:
        if self._used == len(self._block):
            self._block = (self._philox.random_raw(BLOCK) >> np.uint64(33)).tolist()
            self._used = 0
        self._used += 1
        return self._block[self._used - 1]
