"""Positives by place and size alone, as in the steps before SimOTA (the paper's section on multi positives; spec d.3).

The paper gives each truth one level by its size, as FCOS does, and its centre cell, or the 3x3 cells around that. It
prints neither the limits of the sizes nor who gets a cell that several truths want: both are assumed to be FCOS's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cspbench.detection.decode_yolox import STRIDES
from cspbench.training.yolox import boxes
from cspbench.training.yolox.assignment import Assigned, assign
from cspbench.training.yolox.rules import Rules

LIMITS = (64.0, 128.0)
"""Pixels from a truth's centre to its farther side, at most, on the first two of three levels."""


@dataclass(frozen=True)
class Fixed:
    """`reach` is 0 for the cell of the centre alone, 1 for the 3x3 cells around it."""

    reach: int


def positives(raw: Tensor, truths: Tensor, at: Tensor, rules: Rules | Fixed) -> Assigned:
    """The positives of an image, as of `assign`, by either kind of rules."""
    return assign(raw, truths, at, rules) if isinstance(rules, Rules) else _fixed(raw, truths, at, rules)


@torch.no_grad()
def _fixed(raw: Tensor, truths: Tensor, at: Tensor, rules: Fixed) -> Assigned:
    """Of several truths that want a point, the smallest gets it, and the first of equal ones."""
    true, stride = truths[:, 1:].float(), at[:, 2]
    level = (true[:, 2:].amax(1, keepdim=True) / 2 > true.new_tensor(LIMITS)).sum(1)
    strides = stride.new_tensor(STRIDES)
    cell = (true[:, None, :2] / stride[None, :, None]).floor()
    near = ((cell - at[None, :, :2]).abs() <= rules.reach).all(2) & (strides[level][:, None] == stride)
    area = true[:, 2:].prod(1)[:, None].expand(near.shape).masked_fill(~near, torch.inf)
    point = near.any(0).nonzero()[:, 0]
    if not len(point):
        return Assigned(point, point, raw.new_zeros(0))
    truth = area[:, point].argmin(0)
    overlap = boxes.overlaps(true, boxes.decode(raw[point].float(), at[point]))
    return Assigned(point, truth, overlap[truth, torch.arange(len(point), device=point.device)])
