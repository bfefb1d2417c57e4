"""What the training of a module asks of its loss: a scalar for each mini-batch, and what becomes of their sum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from torch import Tensor


class Cost(NamedTuple):
    """Of a mini-batch."""

    loss: Tensor
    """The scalar that is differentiated."""
    figures: Tensor
    """(F,) float64 on the CPU, which are added up over the mini-batches of an iteration for `Criterion.summary`."""


class Summary(NamedTuple):
    """Of an iteration."""

    divisor: float
    """Of the sum of the mini-batches' gradients."""
    loss: float
    parts: Mapping[str, float] = {}
    """What the loss is the sum of, by name."""
    positives: float | None = None
    """For each truth."""


class Criterion(Protocol):
    """The loss of a training. Each mini-batch stands for one GPU of an original."""

    @property
    def figures(self) -> int:
        """How many a `Cost` has."""

    def cost(self, raw: Tensor, labels: Tensor, size: tuple[int, int], iteration: int, /) -> Cost:
        """Of raw outputs for labels; height and width of the input; iterations are counted from 1."""

    def summary(self, total: Tensor, count: int, /) -> Summary:
        """Of the figures (F,) of `count` mini-batches, added up."""
