"""Similarities of boxes, plain and differentiable; boxes are (..., 4) of x, y, width, height as fractions.

Source: Darknet's box.c (spec darknet b.3, training d.2, d.7).
"""

from __future__ import annotations

from math import pi
from typing import NamedTuple

import torch
from torch import Tensor

KINDS = ("iou", "giou", "diou", "ciou")
PRINTED_POWER = 0.6
"""Of the distance term of DIoU where Darknet computes its value."""


class Parts(NamedTuple):
    """What all similarities of pairs of boxes are made of."""

    iou: Tensor
    union: Tensor
    enclosing: Tensor
    """Area of the smallest box around both."""
    diagonal: Tensor
    """Its squared diagonal."""
    distance: Tensor
    """Squared distance of the centres."""


def parts(one: Tensor, other: Tensor) -> Parts:
    """The parts of each pair; the IoU of boxes that do not overlap, or are empty, is 0."""
    low_one, high_one = one[..., :2] - one[..., 2:] / 2, one[..., :2] + one[..., 2:] / 2
    low_other, high_other = other[..., :2] - other[..., 2:] / 2, other[..., :2] + other[..., 2:] / 2
    overlap = (torch.minimum(high_one, high_other) - torch.maximum(low_one, low_other)).clamp(min=0).prod(-1)
    union = one[..., 2:].prod(-1) + other[..., 2:].prod(-1) - overlap
    around = torch.maximum(high_one, high_other) - torch.minimum(low_one, low_other)
    iou = torch.where(union != 0, overlap / torch.where(union != 0, union, 1), 0)
    distance = (one[..., :2] - other[..., :2]).square().sum(-1)
    return Parts(iou, union, around.prod(-1), around.square().sum(-1), distance)


def similarity(kind: str, predicted: Tensor, true: Tensor, power: float = 1.0) -> Tensor:
    """IoU, or GIoU, DIoU, CIoU by name; any other word is IoU, as in Darknet. `power` is that of DIoU's distance.

    The weight of CIoU's aspect term is a constant in its gradient, as its authors define it.
    """
    at = parts(predicted, true)
    if kind == "giou":
        return at.iou - _ratio(at.enclosing - at.union, at.enclosing)
    if kind == "diou":
        return at.iou - _ratio(at.distance, at.diagonal) ** power
    if kind != "ciou":
        return at.iou
    aspect = torch.atan(true[..., 2] / true[..., 3]) - torch.atan(predicted[..., 2] / predicted[..., 3])
    mismatch = 4 / pi**2 * aspect.square()
    weight = (mismatch / (1 - at.iou + mismatch + 1e-6)).detach()
    return at.iou - _ratio(at.distance, at.diagonal) - weight * mismatch


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    return torch.where(whole != 0, part / torch.where(whole != 0, whole, 1), 0)
