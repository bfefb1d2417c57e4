"""The positives of a training: by SimOTA, or by place and size alone as in the steps before it (spec d.3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cspbench.training.yolox import boxes
from cspbench.training.yolox.assignment import Assigned, assign
from cspbench.training.yolox.fixed_assignment import around_centres
from cspbench.training.yolox.rules import Rules


@dataclass(frozen=True)
class Fixed:
    """`reach` is 0 for the cell of the centre alone, 1 for the 3x3 cells around it."""

    reach: int


def positives(raw: Tensor, truths: Tensor, at: Tensor, rules: Rules | Fixed) -> Assigned:
    """The positives of an image, as of `assign`, by either kind of rules."""
    return assign(raw, truths, at, rules) if isinstance(rules, Rules) else _fixed(raw, truths, at, rules)


@torch.no_grad()
def _fixed(raw: Tensor, truths: Tensor, at: Tensor, rules: Fixed) -> Assigned:
    true = truths[:, 1:].float()
    point, truth = around_centres(truths.float(), at, rules.reach)
    if not len(point):
        return Assigned(point, point, raw.new_zeros(0))
    overlap = boxes.overlaps(true, boxes.decode(raw[point].float(), at[point]))
    return Assigned(point, truth, overlap[truth, torch.arange(len(point), device=point.device)])
