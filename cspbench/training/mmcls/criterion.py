"""The loss of a classifier over the mini-batches of an iteration, which count alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from cspbench.training.mmcls.losses import Smoothing, loss
from cspbench.training.modular.criterion import Cost, Summary


@dataclass(frozen=True)
class MmclsCriterion:
    """LabelSmoothLoss with its mode and epsilon."""

    smoothing: Smoothing
    epsilon: float
    figures: ClassVar[int] = 1

    def cost(self, raw: Tensor, labels: Tensor, size: tuple[int, int], iteration: int) -> Cost:
        own = loss(raw, labels, self.smoothing, self.epsilon)
        return Cost(own, own.detach().double().cpu().reshape(1))

    def summary(self, total: Tensor, count: int) -> Summary:
        return Summary(count, float(total) / count)
