"""Common parts of both trainings: initial weights, learning rate, weight averaging, augmentation, files."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from cspbench.io import write_text
from cspbench.network.cfg.writer import write as cfg_text
from cspbench.network.module import to_module
from cspbench.network.network import Network
from cspbench.weights import darknet
from cspbench.weights.header import Header
from cspbench.weights.loading import extract

LEAK = 0.1
WEIGHT_DECAY = 0.02
WARM_UP = 0.04
"""Fraction of the steps in which the learning rate rises to its peak; then it falls like a cosine."""
LAST_RATE = 0.02
"""As a fraction of the peak."""
STATISTICS = 0.03
"""The weight of a batch in the running mean and variance of batch norm."""


class Log:
    """Lines on standard output and in a file, each with the minutes since the start."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.start = stream, time.monotonic()

    def say(self, text: str) -> None:
        line = f"{(time.monotonic() - self.start) / 60:6.2f} min  {text}"
        print(line, flush=True)
        print(line, file=self.stream, flush=True)


def fresh(network: Network, outputs: Sequence[int] | None = None) -> fx.GraphModule:
    """The network in training mode with random weights (He's, for leaky units) and zero biases.

    `outputs` are the layers whose values it returns, as in `to_module`.
    """
    module = to_module(network, outputs)
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, LEAK)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.BatchNorm2d):
            part.momentum = STATISTICS
    # oneDNN is faster with channels last
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module.train()


def optimizer(module: nn.Module, rate: float) -> torch.optim.Optimizer:
    """AdamW with weight decay for the kernels only."""
    kernels = [parameter for parameter in module.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in module.parameters() if parameter.ndim == 1]
    groups: list[dict[str, Any]] = [{"params": kernels, "weight_decay": WEIGHT_DECAY}, {"params": others}]
    return torch.optim.AdamW(groups, rate, weight_decay=0)


def rate_at(step: int, steps: int, peak: float) -> float:
    warm_up = WARM_UP * steps
    if step < warm_up:
        return peak * (step + 1) / warm_up
    share = (step - warm_up) / (steps - warm_up)
    return peak * (LAST_RATE + (1 - LAST_RATE) * (1 + math.cos(math.pi * share)) / 2)


class Averaged:
    """A running mean of a module's weights and statistics, more accurate than the last ones."""

    def __init__(self, module: fx.GraphModule, decay: float) -> None:
        self.module, self.decay, self.steps = copy.deepcopy(module).eval(), decay, 0

    @torch.no_grad()
    def add(self, module: nn.Module) -> None:
        """Add the weights of a step; the decay grows at first, so that early weights are soon forgotten."""
        self.steps += 1
        decay = self.decay * (1 - math.exp(-self.steps / 200))
        for mine, theirs in zip(self._values(self.module), self._values(module), strict=True):
            mine.lerp_(theirs, 1 - decay)

    @staticmethod
    def _values(module: nn.Module) -> Iterable[Tensor]:
        return [value for value in module.state_dict().values() if value.is_floating_point()]


def batches(count: int, size: int, steps: int, random: np.random.Generator) -> Iterable[NDArray[np.int64]]:
    """`steps` batches of indices below `count`; every index comes once before any repeats."""
    order = np.concatenate([random.permutation(count) for _ in range(-(-steps * size // count))])
    return (np.sort(order[step * size : (step + 1) * size]) for step in range(steps))


def turned(image: NDArray[np.uint8], turns: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """A picture (3, H, W) with its sides swapped according to `turns`, its colours permuted and sometimes inverted.

    Bits of `turns`: 1 swaps left and right, 2 top and bottom, 4 rows and columns.
    """
    if turns & 1:
        image = image[:, :, ::-1]
    if turns & 2:
        image = image[:, ::-1]
    if turns & 4:
        image = image.transpose(0, 2, 1)
    image = image[random.permutation(3)]
    return 255 - image if random.random() < 0.5 else image


def inputs(images: list[NDArray[np.uint8]]) -> Tensor:
    """A network's input: float32 (N, 3, H, W) from 0 to 1."""
    batch = torch.from_numpy(np.stack(images)).float().div_(255)
    return batch.contiguous(memory_format=torch.channels_last)


def save(module: fx.GraphModule, network: Network, folder: Path, images: int) -> None:
    """Write NAME.cfg and NAME.weights, with `images` as the number of images seen in training."""
    write_text(folder / f"{network.name}.cfg", cfg_text(network))
    plain = copy.deepcopy(module).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    darknet.write(folder / f"{network.name}.weights", network, extract(plain, network), Header(seen=images))
