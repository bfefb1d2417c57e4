"""YOLOX's moving average of all arrays, statistics included; it is what is evaluated and saved (spec yolox d.4)."""

from __future__ import annotations

from collections.abc import Collection
from math import exp

import torch
from torch import Tensor, nn

HIGHEST = 0.9998
RISE = 2000
"""Updates in which the distance from the highest decay falls by a factor of e."""


def decay(update: int) -> float:
    """The share of the old average in the update of this number, the first being 1."""
    return HIGHEST * (1 - exp(-update / RISE))


class Average:
    """The averages of a module's state, by key; counters keep the values that they have at first."""

    def __init__(self, module: nn.Module) -> None:
        self.updates = 0
        """A resumed training sets it to its iterations."""
        self.arrays: dict[str, Tensor] = {name: array.detach().clone() for name, array in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module, unchanged: Collection[str] = ()) -> None:
        """After an iteration; averages of what has never changed keep their bytes."""
        self.updates += 1
        old = decay(self.updates)
        for name, array in module.state_dict().items():
            if array.is_floating_point() and name not in unchanged:
                self.arrays[name].mul_(old).add_(array.detach(), alpha=1 - old)
