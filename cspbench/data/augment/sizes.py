"""Multi-scale training of detectors: the network's input changes every ten iterations (random= in [yolo], spec c.5)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cspbench.data.augment.draws import Counter, Draws, Scalar
from cspbench.network.era import Era

EVERY = 10
"""Iterations with one size."""
LAST = 100
"""Iterations at the end, with the largest size, so that batch norm's statistics are those of one size."""
USUAL = 1.4
"""The limit of the factor that random=1 stands for."""
STREAM = 1
"""The sequence of random numbers for sizes."""


@dataclass(frozen=True)
class Sizes:
    """The sizes of a run: `width` and `height` of the cfg, changed by a factor up to `limit`; 0 keeps them.

    `limit` is the key random=, whose value 1 means 1.4. Both sides become multiples of `step` (resize_step).
    """

    width: int
    height: int
    limit: float = 0
    step: int = 32
    iterations: int = 0
    """max_batches; 0 for a run without an end."""
    era: Era = Era.HEAD

    def at(self, iteration: int, seed: int) -> tuple[int, int]:
        """Width and height in an iteration, from 1; the same for the ten from 1, 11, 21, ... on."""
        if not self.limit:
            return self.width, self.height
        begin = (iteration - 1) // EVERY * EVERY
        limit = USUAL if self.limit == 1 else self.limit
        ending = self.era is Era.HEAD and self.iterations and begin > self.iterations - LAST
        if begin == 0 or ending:
            return self._scaled(Scalar(limit))
        return self.drawn(Counter(seed, begin, STREAM))

    def drawn(self, draws: Draws) -> tuple[int, int]:
        """Width and height by random numbers; today a factor below 1 never enlarges."""
        limit = USUAL if self.limit == 1 else self.limit
        factor = draws.scale(limit)
        width, height = self._scaled(factor)
        if self.era is Era.HEAD and factor < 1 and (width > self.width or height > self.height):
            return self.width, self.height
        return width, height

    def _scaled(self, factor: Scalar) -> tuple[int, int]:
        width, height = (
            math.floor(float(factor * Scalar(side) / Scalar(self.step) + Scalar(1)) + 0.5) * self.step
            for side in (self.width, self.height)
        )
        return max(width, self.step), max(height, self.step)
