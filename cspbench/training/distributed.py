"""An iteration that several processes compute: each takes some of its mini-batches, all add them up in order.

So the arrays are the same bytes in every process, and with equal threads those of one process.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from cspbench.errors import UsageError
from cspbench.inference.distributed import broadcast
from cspbench.training.learner import Learner, Passed, Update

Pairs = Iterator[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Share:
    """The mini-batches of process `number` among `count`."""

    number: int
    count: int

    def check(self, subdivisions: int) -> None:
        """Raise `UsageError` for processes that would have nothing to do."""
        if self.count > subdivisions:
            raise UsageError(
                "usage.too-many-processes",
                "more processes than mini-batches in an iteration",
                expected=f"at most {subdivisions} processes, as subdivisions={subdivisions}",
                found=str(self.count),
                remedy=f"Start {subdivisions} with torchrun --nproc-per-node {subdivisions}, or raise subdivisions=, "
                "which changes the images that batch norm sees together",
            )

    def agreed(self, value: int) -> list[int]:
        """The values of all processes, which call it together. Raises `IncompleteRunError` if one dies."""
        values = torch.full((self.count,), value)
        for owner in range(self.count if self.count > 1 else 0):
            broadcast(values[owner : owner + 1], owner, (self.number, self.count))
        return [int(own) for own in values]

    def of(self, subdivisions: int) -> range:
        """The numbers of its mini-batches."""
        return range(self.number, subdivisions, self.count)


def iterate(trainer: Learner, mine: Pairs, share: Share) -> Update:
    """One iteration over all mini-batches; `mine` gives images and truths of this process's. Raises errors of peers."""
    if share.count == 1:
        return trainer.iterate(mine)
    total = torch.zeros(trainer.figures, dtype=torch.float64)
    for first in range(0, trainer.subdivisions, share.count):
        present = min(share.count, trainer.subdivisions - first)
        own = None
        if share.number < present:
            images, truths = next(mine)
            own = _Packed.of(trainer, trainer.mini_batch(images, truths))
        for owner in range(present):
            packed = own if owner == share.number else None
            values = packed.values if packed else torch.empty(_size(trainer))
            figures = packed.figures if packed else torch.empty_like(total)
            broadcast(values, owner, (share.number, share.count))
            broadcast(figures, owner, (share.number, share.count))
            _add(trainer, values)
            total += figures
    trainer.seen += trainer.images
    return trainer.update(total)


@dataclass(frozen=True)
class _Packed:
    """What a mini-batch gave, in one array on the CPU: gradients in the optimiser's order, then statistics."""

    values: Tensor
    figures: Tensor

    @classmethod
    def of(cls, trainer: Learner, result: Passed) -> _Packed:
        parts = [
            (torch.zeros_like(array) if gradient is None else gradient).reshape(-1)
            for array, gradient in zip(trainer.arrays, result.gradients, strict=True)
            if array.requires_grad
        ]
        return cls(torch.cat([*parts, result.statistics]).float().cpu(), result.figures)


def _size(trainer: Learner) -> int:
    gradients = sum(array.numel() for array in trainer.arrays if array.requires_grad)
    return gradients + trainer.statistics.size


def _add(trainer: Learner, packed: Tensor) -> None:
    gradients: list[Tensor | None] = []
    at = 0
    packed = packed.to(trainer.device)
    for array in trainer.arrays:
        if not array.requires_grad:
            gradients.append(None)
            continue
        gradients.append(packed[at : at + array.numel()].view(array.shape))
        at += array.numel()
    trainer.add(gradients, packed[at:])
