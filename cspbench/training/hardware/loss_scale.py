"""Half precision's loss scale: gradients are multiplied by it on their way through the network (Micikevicius et al.,
arXiv 1710.03740; the constants are those of torch's `GradScaler`).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

FIRST = 2.0**16
GROWTH = 2.0
BACKOFF = 0.5
INTERVAL = 2000
"""Iterations without an overflow after which the scale grows."""
LEAST = 2.0**-24
"""Numbers that are not finite at a smaller scale are the network's own: the training has diverged."""


class LossScale:
    """The scale of a training, and what an iteration changes before its update, to be taken back if it overflows.

    `changed` are those tensors. `state` (2,), float64 on the CPU, is the scale and the number of iterations since it
    last changed; a checkpoint has it.
    """

    def __init__(self, changed: Sequence[Tensor]) -> None:
        self.state = torch.tensor([FIRST, 0.0], dtype=torch.float64)
        self._changed = list(changed)
        self._before: list[Tensor] = []

    @property
    def value(self) -> float:
        """The factor of the gradients."""
        return float(self.state[0])

    @property
    def exhausted(self) -> bool:
        """Whether no smaller scale is worth an attempt."""
        return self.value < LEAST

    @torch.no_grad()
    def begin(self) -> None:
        """Remember the tensors at the beginning of an iteration; once is enough."""
        if not self._before:
            self._before = [tensor.clone() for tensor in self._changed]

    @torch.no_grad()
    def unscaled(self, gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
        """Gradients without the scale, in place."""
        given = [gradient for gradient in gradients if gradient is not None]
        if given:
            torch._foreach_mul_(given, 1 / self.value)  # exact: the scale is a power of two
        return list(gradients)

    @torch.no_grad()
    def end(self) -> bool:
        """Whether the iteration counts; after infinite numbers the tensors are put back and the scale falls."""
        before, self._before = self._before, []
        if all(bool(tensor.isfinite().all()) for tensor in self._changed):
            self.state[1] += 1
            if self.state[1] == INTERVAL:
                self.state[0] *= GROWTH
                self.state[1] = 0
            return True
        for tensor, earlier in zip(self._changed, before, strict=True):
            tensor.copy_(earlier)
        self.state[0] *= BACKOFF
        self.state[1] = 0
        return False
