"""The training of a YOLOX, as a session runs it."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

from torch import Tensor, nn
from torch.optim import SGD

from cspbench.data.augment.images import DetectorImages
from cspbench.data.augment.minibatches import Layout
from cspbench.data.augment.yolox.minibatches import Pictures, YoloxMiniBatches
from cspbench.training.modular.chosen import YoloxChosen
from cspbench.training.run.modular import ModuleProcedure
from cspbench.training.yolox.boxes import points
from cspbench.training.yolox.losses import losses
from cspbench.training.yolox.optimiser import sgd
from cspbench.training.yolox.schedule import Schedule


class YoloxProcedure(ModuleProcedure):
    """Of a YOLOX fitted to its images; each mini-batch has positives of its own."""

    averaged: ClassVar[bool] = True
    chosen: YoloxChosen
    images: DetectorImages

    @cached_property
    def schedule(self) -> Schedule:
        return self.chosen.recipe.schedule(self.chosen.length)

    def optimiser(self, module: nn.Module) -> SGD:
        return sgd(module, momentum=self.chosen.recipe.momentum, decay=self.chosen.recipe.decay)

    def rate(self, iteration: int) -> float:
        return self.schedule.after(iteration - 1)

    def loss(self, raw: Tensor, labels: Tensor, size: tuple[int, int], iteration: int) -> Tensor:
        recipe = self.chosen.recipe
        l1 = recipe.l1 and iteration >= self.schedule.closing_iteration()
        return losses(raw, labels, points(size, device=raw.device), recipe.rules, l1=l1).total

    def mini_batches(self) -> YoloxMiniBatches:
        return yolox_mini_batches(self.chosen, self.images, self.options.seed)


def yolox_mini_batches(chosen: YoloxChosen, images: DetectorImages, seed: int) -> YoloxMiniBatches:
    """The mini-batches of a run."""
    recipe = chosen.recipe
    closing = recipe.schedule(chosen.length).closing_iteration()
    pictures = Pictures(recipe.augmentation(normalised=chosen.normalised), recipe.scales, closing)
    return YoloxMiniBatches(images, pictures, Layout(seed, recipe.batch, recipe.subdivisions))
