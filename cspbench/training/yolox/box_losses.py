"""What YOLOX's box loss makes of a predicted box and its truth (spec yolox d.2)."""

from __future__ import annotations

import torch
from torch import Tensor

from cspbench.training.yolox import boxes

BOX_LOSSES = ("iou", "giou", "giou-july2021")
"""By the value of `box_loss`; the last is what Megvii's code called giou until 2021-09-22."""
LEAST = 1e-16
"""Keeps divisions finite; with a floor of the union the least IoU, too."""


def box_loss(kind: str, predicted: Tensor, truth: Tensor, floor: float = 0.0) -> Tensor:
    """The loss (P,) of each pair of boxes (P, 4), from 0 on; `floor` is the least union, as mmdetection has one."""
    common = boxes.shared(predicted, truth)
    union = predicted[:, 2:].prod(1) + truth[:, 2:].prod(1) - common
    overlap = (common / union.clamp(min=floor)).clamp(min=LEAST) if floor else common / (union + LEAST)
    if kind == "iou":
        return 1 - overlap.square()
    low = torch.minimum(predicted[:, :2] - predicted[:, 2:] / 2, truth[:, :2] - truth[:, 2:] / 2)
    high = torch.maximum(predicted[:, :2] + predicted[:, 2:] / 2, truth[:, :2] + truth[:, 2:] / 2)
    hull = (high - low).prod(1)
    inner = union if kind == "giou" else common
    return 1 - (overlap - (hull - inner) / hull.clamp(min=LEAST)).clamp(-1, 1)
