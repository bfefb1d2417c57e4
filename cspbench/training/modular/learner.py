"""A torch module in training: gradients by autograd, torch's SGD, and for YOLOX a moving average (spec yolox d.2, d.4).

Each mini-batch stands for one GPU of the original, with positives and batch norm of its own. Gradients are averaged
over them as there, and so are the statistics of batch norm: since running statistics are linear in those of the
batches, this is what the original, whose processes keep their own, gets by averaging them before an evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import SGD

from cspbench.network.modular.network import ModuleNetwork
from cspbench.training.hardware.compilation import compiled as compiled_module
from cspbench.training.hardware.loss_scale import LossScale
from cspbench.training.learner import Update
from cspbench.training.modular.criterion import Criterion
from cspbench.training.modular.freezing import Freezing
from cspbench.training.statistics import BatchNorm, Statistics
from cspbench.training.yolox.average import Average

MOMENTUM = 0.03
"""The share of an iteration in batch norm's running statistics (spec a.1)."""
BUFFER = "momentum_buffer"
"""Torch's name of a velocity."""


@dataclass(frozen=True)
class Passed:
    """What one forward and backward pass gave."""

    gradients: Sequence[Tensor | None]
    statistics: Tensor
    figures: Tensor


class ModuleLearner:
    """`module` is `prepared`, on its device; `rates` gives the learning rate of an iteration, from 1.

    `averaged` keeps the moving average of all arrays, which then is what is written.
    """

    def __init__(
        self,
        network: ModuleNetwork,
        module: nn.Module,
        criterion: Criterion,
        optimiser: SGD,
        rates: Callable[[int], float],
        *,
        images: int,
        subdivisions: int,
        averaged: bool = True,
        precision: torch.dtype = torch.float32,
        compiled: bool = False,
        freezing: Freezing | None = None,
    ) -> None:
        self.network, self.module, self.criterion = network, module, criterion
        self.images, self.subdivisions = images, subdivisions
        self.optimiser, self.rates, self.precision = optimiser, rates, precision
        self.freezing = freezing
        self._forward = compiled_module(module) if compiled else module
        self._parameters = dict(module.named_parameters())
        self.arrays: Sequence[Tensor] = [*self._parameters.values()]
        for array in self.arrays:  # zeros are what torch begins with, and a checkpoint can be read into them
            optimiser.state[array][BUFFER] = torch.zeros_like(array)
        self.statistics = Statistics(module, MOMENTUM)
        self.average = Average(module) if averaged else None
        self.seen = 0
        self._gradients = [torch.zeros_like(array) for array in self.arrays]
        self._statistics = torch.zeros(self.statistics.size, device=self.device)
        self.scale: LossScale | None = None
        if precision == torch.float16:
            self.scale = LossScale([*self._gradients, *self.statistics.running])

    @property
    def figures(self) -> int:
        return self.criterion.figures

    @property
    def device(self) -> torch.device:
        return self.arrays[0].device

    @property
    def iteration(self) -> int:
        return self.seen // self.images

    def mini_batch(self, images: Tensor, truths: Tensor) -> Passed:
        """Forward and backward of (N, 3, H, W) images with labels (N, L, 5); between iterations alone."""
        if self.freezing is not None:
            self.freezing.at(self.iteration + 1)
        with torch.autocast(images.device.type, self.precision, enabled=self.precision != torch.float32):
            raw = self._forward(images)
        loss, figures = self.criterion.cost(raw.float(), truths, (images.shape[2], images.shape[3]), self.iteration + 1)
        factor = 1.0 if self.scale is None else self.scale.value
        trained = [array for array in self.arrays if array.requires_grad]
        given = iter(torch.autograd.grad(loss * factor, trained, allow_unused=True))
        gradients: Sequence[Tensor | None] = [next(given) if array.requires_grad else None for array in self.arrays]
        if self.scale is not None:
            gradients = self.scale.unscaled(gradients)
        return Passed(gradients, self.statistics.taken().to(self.device), figures)

    @torch.no_grad()
    def add(self, gradients: Sequence[Tensor | None], statistics: Tensor) -> None:
        if self.scale is not None:
            self.scale.begin()
        for total, gradient in zip(self._gradients, gradients, strict=True):
            if gradient is not None:
                total.add_(gradient)
        self._statistics.add_(statistics)

    def update(self, figures: Tensor) -> Update:
        iteration, count = self.iteration, self.subdivisions
        summary = self.criterion.summary(figures, count)
        rate = self.rates(iteration)
        self.statistics.add(self._statistics / count)
        finite = self.scale is None or self.scale.end()
        if finite:
            for group in self.optimiser.param_groups:
                group["lr"] = rate
            for array, total in zip(self.arrays, self._gradients, strict=True):
                if array.requires_grad:  # without a gradient, torch leaves an array and its velocity as they are
                    array.grad = total.div_(summary.divisor)
            self.optimiser.step()
            for array in self.arrays:
                array.grad = None
        else:
            self.statistics.forget()
        for total in (*self._gradients, self._statistics):
            total.zero_()
        if self.average is not None:
            self.average.updates = iteration - 1
            self.average.update(self.module, self.freezing.frozen if self.freezing is not None else ())
        return Update(
            iteration, summary.loss, rate, skipped=not finite, parts=summary.parts, positives=summary.positives
        )

    def iterate(self, mini_batches: Iterable[tuple[Tensor, Tensor]]) -> Update:
        figures = torch.zeros(self.figures, dtype=torch.float64)
        for images, truths in mini_batches:
            passed = self.mini_batch(images, truths)
            self.add(passed.gradients, passed.statistics)
            figures += passed.figures
        self.seen += self.images
        return self.update(figures)

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        for name, tensor in self.module.state_dict(keep_vars=True).items():
            yield f"module.{name}", tensor
        for name, array in self._parameters.items():
            yield f"optimiser.{name}", self.optimiser.state[array][BUFFER]
        for name, tensor in self.average.arrays.items() if self.average is not None else ():
            yield f"average.{name}", tensor
        if self.scale is not None:
            yield "loss_scale", self.scale.state

    def make_room(self, names: Iterable[str]) -> None:
        """Everything is there from the beginning."""
        for name in names:
            raise KeyError(name)

    def written(self) -> nn.Module:
        """The average, if there is one: it is what YOLOX evaluates and publishes."""
        if self.average is None:
            return self.module
        module = deepcopy(self.module)
        module.load_state_dict(self.average.arrays)
        return module


def prepared(module: nn.Module) -> nn.Module:
    """The module in training mode, in place, with batch norms whose running statistics `Statistics` changes."""
    for part in list(module.modules()):
        for name, child in part.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(part, name, _kept(child))
    return module.train()


def _kept(norm: nn.BatchNorm2d) -> BatchNorm:
    new = BatchNorm(norm)
    new.load_state_dict(norm.state_dict())
    return new
