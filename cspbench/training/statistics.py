"""Batch norm in training, whose running statistics change apart from the forward pass.

So mini-batches that several processes compute change them in the order of the iteration, with the same bytes as in one
process (spec training, layers in training mode).
"""

from __future__ import annotations

from itertools import compress

import torch
from torch import Tensor, nn
from torch.nn import functional

from cspbench.network.modules import SharedBatchNorm

MOMENTUM = 0.01
"""The share of a new mini-batch in the running statistics."""


class BatchNorm(nn.BatchNorm2d):
    """Normalises by the biased variance of the mini-batch; keeps its mean and unbiased variance for `Statistics`."""

    batch_mean: Tensor
    batch_var: Tensor

    def __init__(self, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
        super().__init__(norm.num_features, norm.eps, MOMENTUM)
        _add_buffers(self, norm.num_features)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, ...) to the same shape."""
        if self.training:
            return _normalised(x, self, self)
        return functional.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


class FrozenBatchNorm(nn.BatchNorm2d):
    """A batch norm before the layer at which gradients end: it normalises by its running statistics."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, ...) to the same shape."""
        return functional.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


class SharingBatchNorm(SharedBatchNorm):
    """A batch norm with the arrays of another; statistics of both change the same running ones, in turn."""

    batch_mean: Tensor
    batch_var: Tensor

    def __init__(self, owner: nn.BatchNorm2d) -> None:
        super().__init__(owner)
        _add_buffers(self, owner.num_features)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        (owner,) = self.owner
        return _normalised(x, owner, self) if self.training and isinstance(owner, BatchNorm) else super().forward(x)


def _add_buffers(part: nn.Module, size: int) -> None:
    part.register_buffer("batch_mean", torch.zeros(size), persistent=False)
    part.register_buffer("batch_var", torch.zeros(size), persistent=False)


def _normalised(x: Tensor, norm: nn.BatchNorm2d, kept: BatchNorm | SharingBatchNorm) -> Tensor:
    # with a momentum of 1, torch writes the statistics of this mini-batch alone
    return functional.batch_norm(x, kept.batch_mean, kept.batch_var, norm.weight, norm.bias, True, 1.0, norm.eps)


class Statistics:
    """The batch norms of a module whose running statistics change."""

    def __init__(self, module: nn.Module, momentum: float = MOMENTUM) -> None:
        self.momentum = momentum
        parts = [part for part in module.modules() if isinstance(part, BatchNorm | SharingBatchNorm)]
        self._parts = parts
        self._kept = [tensor for part in parts for tensor in (part.batch_mean, part.batch_var)]
        self.running: list[Tensor] = []
        """Means and variances; one that several batch norms share appears several times."""
        for part in parts:
            owner = part if isinstance(part, BatchNorm) else part.owner[0]
            assert owner.running_mean is not None
            assert owner.running_var is not None
            self.running += (owner.running_mean, owner.running_var)
        self._shared = any(isinstance(part, SharingBatchNorm) for part in parts)

    @property
    def size(self) -> int:
        """How many numbers `taken` has."""
        return sum(len(kept) for kept in self._kept)

    def taken(self) -> Tensor:
        """All means and variances of the last mini-batch, (values,)."""
        return torch.cat(self._kept) if self._kept else torch.zeros(0)

    def forget(self) -> None:
        """Set those of the last mini-batch to 0; torch multiplies them by 0 for the next, and infinity stays."""
        for kept in self._kept:
            kept.zero_()

    @torch.no_grad()
    def add(self, taken: Tensor) -> None:
        """Change the running statistics of what is in training mode by those of one mini-batch, in order."""
        if not self._kept:
            return
        new = torch.split(taken, [len(kept) for kept in self._kept])
        training = [part.training for part in self._parts for _ in range(2)]
        running, batches = (tuple(compress(all_of, training)) for all_of in (self.running, new))
        if not running:
            return
        if self._shared:  # one running statistic may change twice
            for one, batch in zip(running, batches, strict=True):
                one.mul_(1 - self.momentum).add_(batch, alpha=self.momentum)
        else:
            torch._foreach_mul_(running, 1 - self.momentum)
            torch._foreach_add_(running, batches, alpha=self.momentum)
