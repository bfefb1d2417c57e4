"""Which of YOLOX's arrays decay, and torch's SGD over them (spec yolox d.4)."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn
from torch.optim import SGD

MOMENTUM = 0.9
DECAY = 5e-4


class Groups(NamedTuple):
    """A module's parameters by what the decay does with them, each in the module's order."""

    scales: list[nn.Parameter]
    """The weights of batch normalisation: no decay."""
    weights: list[nn.Parameter]
    """All other weights: these alone decay."""
    biases: list[nn.Parameter]
    """No decay."""


def groups(module: nn.Module) -> Groups:
    """A module whose name contains "bn" counts as batch normalisation, as in the original."""
    found = Groups([], [], [])
    for name, part in module.named_modules():
        bias, weight = getattr(part, "bias", None), getattr(part, "weight", None)
        if isinstance(bias, nn.Parameter):
            found.biases.append(bias)
        if isinstance(weight, nn.Parameter):
            scale = isinstance(part, nn.BatchNorm2d) or "bn" in name
            (found.scales if scale else found.weights).append(weight)
    return found


def sgd(module: nn.Module, rate: float = 0.0, momentum: float = MOMENTUM, decay: float = DECAY) -> SGD:
    """Nesterov's SGD over the module's groups, with a rate that the schedule sets after each iteration."""
    own = groups(module)
    parts = [
        {"params": own.scales, "weight_decay": 0.0},
        {"params": own.weights, "weight_decay": decay},
        {"params": own.biases, "weight_decay": 0.0},
    ]
    return SGD(parts, lr=rate, momentum=momentum, nesterov=True)
