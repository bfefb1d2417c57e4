"""Initial values of a network's arrays, drawn as Darknet draws them.

Source: spec training a.8. A convolution, a locally connected or a connected layer has weights sqrt(2 / n) * U(-1, 1),
where n is the number of inputs of a filter, for convolutions with groups rounded down; biases are 0, scales 1, the
factors of weighted shortcuts 1. Unlike in Darknet the rolling variance is 1, not 0, so that a module is usable before
it is trained.
"""

from __future__ import annotations

import torch
from torch import nn

from cspbench.network.local_modules import LocalConv
from cspbench.network.modules import Vector

VECTOR_SPREAD = 0.02
"""std_init of [implicit] where a cfg says nothing; its mean_init is 0."""


@torch.no_grad()
def initialise(module: nn.Module) -> None:
    """Draw every array of a module from `to_module`, in place, with torch's global generator (`torch.manual_seed`)."""
    for part in module.modules():
        match part:
            case nn.Conv2d():
                side = part.kernel_size[0] * part.kernel_size[1]
                _draw(part, side * part.in_channels // part.groups)
            case nn.Linear():
                _draw(part, part.in_features)
            case LocalConv():
                _draw(part, part.weight.shape[-1])
            case nn.BatchNorm1d() | nn.BatchNorm2d():
                part.reset_parameters()
            case Vector():
                part.weight.uniform_(-VECTOR_SPREAD, VECTOR_SPREAD)


def _draw(part: nn.Conv2d | nn.Linear | LocalConv, inputs: int) -> None:
    scale = (2 / inputs) ** 0.5
    part.weight.uniform_(-scale, scale)
    if part.bias is not None:
        part.bias.zero_()
