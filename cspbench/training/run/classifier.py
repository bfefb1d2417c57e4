"""The training of a CSPDarknet classifier, as a session runs it (spec yolox a.10)."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn
from torch.optim import SGD

from cspbench.data.augment.images import ClassifierImages
from cspbench.data.augment.minibatches import Layout
from cspbench.data.augment.mmcls.minibatches import MmclsMiniBatches
from cspbench.training.mmcls.chosen import ClassifierChosen
from cspbench.training.mmcls.losses import loss
from cspbench.training.run.modular import ModuleProcedure

HEAD_SPREAD = 0.01
"""The standard deviation of the last layer's weights at first, in mmcls's LinearClsHead."""


class ClassifierProcedure(ModuleProcedure):
    """Of a classifier fitted to its images; mmcls averages no weights."""

    averaged: ClassVar[bool] = False
    chosen: ClassifierChosen
    images: ClassifierImages

    def drawn(self) -> nn.Module:
        """Convolutions as torch draws them, the last layer as mmcls does."""
        module = super().drawn()
        for part in module.modules():
            if isinstance(part, nn.Linear):
                nn.init.normal_(part.weight, std=HEAD_SPREAD)
                nn.init.zeros_(part.bias)
        return module

    def optimiser(self, module: nn.Module) -> SGD:
        recipe = self.chosen.recipe
        return SGD(module.parameters(), lr=0.0, momentum=recipe.momentum, weight_decay=recipe.decay)

    def rate(self, iteration: int) -> float:
        return self.chosen.recipe.rate(iteration, self.chosen.length)

    def loss(self, raw: Tensor, labels: Tensor, size: tuple[int, int], iteration: int) -> Tensor:
        return loss(raw, labels, self.chosen.recipe.mode, self.chosen.recipe.epsilon)

    def mini_batches(self) -> MmclsMiniBatches:
        return classifier_mini_batches(self.chosen, self.images, self.options.seed)


def classifier_mini_batches(chosen: ClassifierChosen, images: ClassifierImages, seed: int) -> MmclsMiniBatches:
    """The mini-batches of a run."""
    recipe = chosen.recipe
    return MmclsMiniBatches(images, recipe.augmentation, Layout(seed, recipe.batch, recipe.subdivisions))
