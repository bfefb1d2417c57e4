"""YOLOX's losses of a batch; gradients are autograd's (spec yolox d.2)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from cspbench.detection.decode_yolox import OBJECTNESS
from cspbench.training.yolox import boxes
from cspbench.training.yolox.assignment import truths_of
from cspbench.training.yolox.box_losses import box_loss
from cspbench.training.yolox.rules import Rules
from cspbench.training.yolox.targets import Assignment, targets

BOX_WEIGHT = 5.0


class Losses(NamedTuple):
    """Scalars of a batch; all but the last are divided by the number of positives, at least 1, of their own kind."""

    total: Tensor
    """The sum of the next four: what is differentiated."""
    box: Tensor
    """Times its weight."""
    objectness: Tensor
    classes: Tensor
    l1: Tensor
    """0 unless it is on."""
    positives: float
    """The divisor for each truth of the batch, as the original prints it."""
    taken: int
    """The number of positives; `total` times this, or 1 for 0, is the undivided sum."""


def losses(raw: Tensor, labels: Tensor, at: Tensor, rules: Assignment, *, l1: bool = False, box: str = "iou") -> Losses:
    """The losses of raw outputs (N, A, 5 + classes) at the points (A, ..) for labels (N, L, 5), see `truths_of`.

    `l1` adds the distance of the box values from the truths', as the last epochs do; `box` is one of `BOX_LOSSES`.
    """
    raw = raw.float()
    count, objects, predicted = 0, 0, boxes.decode(raw, at)
    present, counts = torch.zeros_like(raw[..., OBJECTNESS]), torch.ones_like(raw[..., OBJECTNESS])
    image, point, true, overlap = [], [], [], []
    for number, of_image in enumerate(labels):
        truths = truths_of(of_image)
        count += len(truths)
        assigned, with_object, ignored = targets(raw[number], truths, at, rules)
        present[number, with_object] = 1
        counts[number, ignored] = 0
        objects += len(with_object)
        image.append(torch.full_like(assigned.point, number))
        point.append(assigned.point)
        true.append(truths[assigned.truth])
        overlap.append(assigned.overlap)
    where = torch.cat(image), torch.cat(point)
    truth, taken = torch.cat(true), len(where[0])
    own = raw[where]
    aim = functional.one_hot(truth[:, 0].long(), raw.shape[2] - OBJECTNESS - 1) * torch.cat(overlap)[:, None]
    divisor = max(taken, 1)
    floor = rules.union_floor if isinstance(rules, Rules) else 0.0
    boxed = BOX_WEIGHT * box_loss(box, predicted[where], truth[:, 1:], floor).sum() / divisor
    objectness = _entropy(raw[..., OBJECTNESS], present, counts) / max(objects, 1)
    classes = _entropy(own[:, OBJECTNESS + 1 :], aim) / divisor
    distance = (boxes.values(own, at[where[1]]) - boxes.encode(truth[:, 1:], at[where[1]])).abs().sum() / divisor
    distance = distance if l1 else torch.zeros_like(distance)
    total = boxed + objectness + classes + distance
    return Losses(total, boxed, objectness, classes, distance, divisor / max(count, 1), taken)


def _entropy(logits: Tensor, aim: Tensor, weight: Tensor | None = None) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits, aim, weight, reduction="sum")
