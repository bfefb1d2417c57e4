"""YOLOX's learning rate, and its last epochs, without mosaic and MixUp but with L1 (spec yolox d.4)."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, cos, pi

RATE_OF_IMAGE = 0.01 / 64
"""The highest learning rate for each image of a batch, on all devices together."""


@dataclass(frozen=True)
class Schedule:
    """Of a run with `length` iterations an epoch and `batch` images an iteration; the defaults are the releases'."""

    length: int
    batch: int = 64
    epochs: float = 300
    warmup: float = 5
    """Epochs in which the rate rises with the square of the iterations."""
    closing: float = 15
    """Epochs at the end with the lowest rate."""
    lowest: float = 0.05
    """Share of the highest rate."""
    rate: float = RATE_OF_IMAGE

    def after(self, iterations: int) -> float:
        """The rate that is set once so many iterations are done, for the next one.

        It is 0 before the first, unless there is no warm-up: that iteration changes statistics and averages only.
        """
        highest = self.rate * self.batch
        rising, level = self.warmup * self.length, (self.epochs - self.closing) * self.length
        if rising and iterations <= rising:
            return highest * (iterations / rising) ** 2
        low = highest * self.lowest
        if iterations >= level:
            return low
        return low + 0.5 * (highest - low) * (1 + cos(pi * (iterations - rising) / (level - rising)))

    def closes(self, epoch: int) -> bool:
        """Whether an epoch, the first being 1, is without mosaic and MixUp, and with L1.

        It is so from the epoch before the lowest rate on: the last 16 of 300, where `closing` is 15.
        """
        return epoch >= self.epochs - self.closing

    def closing_iteration(self) -> int:
        """The first iteration of the epochs that `closes` is true for."""
        return (max(ceil(self.epochs - self.closing), 1) - 1) * self.length + 1
