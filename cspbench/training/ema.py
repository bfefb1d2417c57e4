"""The moving average of weights, `ema_alpha` (spec training e.1)."""

from __future__ import annotations

import torch
from torch import Tensor

from cspbench.network.layers import Convolution
from cspbench.network.network import Network
from cspbench.network.recipe import NetRecipe
from cspbench.training.optimiser import Optimiser

LAST_ITERATIONS = 1000
"""Of a run continue from the average, without averaging."""


class Average:
    """Averages of the convolutions' trained arrays, from half of the iterations on; of no running statistics."""

    def __init__(self, network: Network, net: NetRecipe) -> None:
        self.network, self.net = network, net
        self.arrays: dict[str, Tensor] = {}
        """By name in the module; empty before the first average."""

    @torch.no_grad()
    def update(self, optimiser: Optimiser, iteration: int) -> None:
        """After the update of an iteration: average, and at the last but thousandth take the average over."""
        net, end = self.net, self.net.max_batches - LAST_ITERATIONS
        if not net.ema_alpha or iteration < net.max_batches // 2 or iteration > end:
            return
        for array in optimiser.arrays:
            if not isinstance(self.network.layers[array.layer], Convolution):
                continue
            average = self.arrays.get(array.name)
            if average is None:
                self.arrays[array.name] = array.values.detach().clone()
            else:
                average.mul_(net.ema_alpha).add_(array.values, alpha=1 - net.ema_alpha)
            if iteration == end:
                array.values.copy_(self.arrays[array.name])
