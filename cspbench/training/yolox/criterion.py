"""YOLOX's loss over the mini-batches of an iteration: which positives it is divided by (spec yolox d.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from cspbench.network.layers.heads import Anchor
from cspbench.training.modular.criterion import Cost, Summary
from cspbench.training.yolox.boxes import points
from cspbench.training.yolox.losses import losses
from cspbench.training.yolox.targets import Assignment

PARTS = ("box", "objectness", "classes", "l1")


@dataclass(frozen=True)
class YoloxCriterion:
    """Megvii divides the losses of each mini-batch by the number of its own positives.

    mmdetection divides those of all by the mean number of them (`mean`), which is known only at the end: until then
    losses, and with them gradients, are undivided.
    """

    rules: Assignment
    box: str
    """One of `BOX_LOSSES`."""
    mean: bool
    l1_from: int | None
    """The first iteration with the distance of raw box values; None for none."""
    priors: tuple[Anchor, ...] = ()
    """The anchors of the network's maps."""
    figures: ClassVar[int] = len(PARTS) + 3

    def cost(self, raw: Tensor, labels: Tensor, size: tuple[int, int], iteration: int) -> Cost:
        l1 = self.l1_from is not None and iteration >= self.l1_from
        own = losses(raw, labels, points(size, device=raw.device, anchors=self.priors), self.rules, l1=l1, box=self.box)
        factor = max(own.taken, 1) if self.mean else 1
        parts = factor * torch.stack((own.total, own.box, own.objectness, own.classes, own.l1)).detach()
        counts = torch.tensor([own.positives, own.taken], dtype=torch.float64)
        return Cost(factor * own.total, torch.cat((parts.double().cpu(), counts)))

    def summary(self, total: Tensor, count: int) -> Summary:
        positives, taken = total[-2:].tolist()
        divisor = max(taken, count) if self.mean else count
        loss, *parts = (total[:-2] / divisor).tolist()
        return Summary(divisor, loss, dict(zip(PARTS, parts, strict=True)), positives / count)
