"""SimOTA: which points of an image learn which truth, by what the network predicts there (spec yolox d.1).

Source: the paper (arXiv 2107.08430) and Megvii's releases. Two rules differ from a plain reading of the paper: the
number of positives of a truth counts the IoUs of all candidates, inside or not, and a point that several truths take
goes to the truth of the lowest cost among all truths, not only among those that took it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cspbench.detection.decode_yolox import OBJECTNESS
from cspbench.training.yolox import boxes
from cspbench.training.yolox.rules import Rules

LARGEST = 10
"""IoUs of a truth whose sum is its number of positives."""
OVERLAP_WEIGHT = 3.0
"""Of minus the logarithm of the IoU in the cost."""
LEAST_LOGARITHM = -100.0
"""As in torch's binary cross entropy."""


class Candidates(NamedTuple):
    """The points of an image that may learn its M truths."""

    point: Tensor
    """(P,) int64."""
    cost: Tensor
    """(M, P)"""
    overlap: Tensor
    """(M, P) the IoU of what each point predicts with each truth."""


class Assigned(NamedTuple):
    """The positives of an image, in the order of its points."""

    point: Tensor
    """(P,) int64."""
    truth: Tensor
    """(P,) int64, a row of the truths."""
    overlap: Tensor
    """(P,) the IoU of what the point predicts with its truth."""


def truths_of(labels: Tensor) -> Tensor:
    """The truths (M, 5) of an image's padded labels (L, 5), class, centre x, y, width, height.

    As many rows as have a sum above 0, from the first on: a row with a lower sum is used and pushes the last one out,
    as in the original.
    """
    return labels[: int((labels.sum(1) > 0).sum())]


@torch.no_grad()
def assign(raw: Tensor, truths: Tensor, at: Tensor, rules: Rules) -> Assigned:
    """The positives of an image by its raw outputs (A, 5 + classes) at the points (A, ..) and truths (M, 5)."""
    candidates = candidates_of(raw, truths, at, rules)
    return cheapest(candidates, wanted(candidates.overlap))


@torch.no_grad()
def candidates_of(raw: Tensor, truths: Tensor, at: Tensor, rules: Rules) -> Candidates:
    """The candidates of an image with their costs, from the arguments of `assign`."""
    raw, classes, true = raw.float(), truths[:, 0].long(), truths[:, 1:]
    candidate, inside = _inside(true, at, rules)
    point = candidate.nonzero()[:, 0]
    overlap = boxes.overlaps(true, boxes.decode(raw[point], at[point]), rules.union_floor)
    cost = (
        _class_cost(raw[point], classes)
        - OVERLAP_WEIGHT * (overlap + rules.overlap_floor).log()
        + rules.penalty * ~inside[:, point]
    )
    return Candidates(point, cost, overlap)


def wanted(overlap: Tensor) -> Tensor:
    """How many points each truth (M,) takes, by the IoUs (M, P) of the candidates: the sum of the largest, cut."""
    return overlap.topk(min(LARGEST, overlap.shape[1]), dim=1).values.sum(1).int().clamp(min=1)


@torch.no_grad()
def cheapest(candidates: Candidates, wanted: Tensor) -> Assigned:
    """The positives where each truth takes as many of the cheapest candidates as `wanted` (M,) says."""
    point, cost, overlap = candidates
    if not len(point):
        return Assigned(point, point, overlap.new_zeros(0))
    order = cost.argsort(dim=1, stable=True)
    matched = torch.zeros_like(cost, dtype=torch.bool)
    matched.scatter_(1, order, torch.arange(cost.shape[1], device=cost.device) < wanted[:, None])
    several = matched.sum(0) > 1
    winner = cost[:, several].argmin(0)
    matched[:, several] = False
    matched[winner, several.nonzero()[:, 0]] = True
    column, truth = matched.t().nonzero(as_tuple=True)
    return Assigned(point[column], truth, overlap[truth, column])


def _inside(true: Tensor, at: Tensor, rules: Rules) -> tuple[Tensor, Tensor]:
    """Whether each point is a candidate (A,), and whether it is inside for each truth (M, A); borders are outside."""
    stride = at[:, 2]
    centre = (at[:, :2] + 0.5) * stride[:, None]
    region = _within(true[:, None, :2], (rules.radius * stride)[None, :, None], centre)
    if not rules.boxes:
        return region.any(0), region
    box = _within(true[:, None, :2], true[:, None, 2:] / 2, centre)
    return (box | region).any(0), box & region


def _within(middle: Tensor, half: Tensor, centre: Tensor) -> Tensor:
    """Whether the centres (A, 2) are less than `half` away from the middles (M, 1, 2) along both axes: (M, A)."""
    return ((centre - (middle - half) > 0) & ((middle + half) - centre > 0)).all(2)


def _class_cost(raw: Tensor, classes: Tensor) -> Tensor:
    """The binary cross entropy (M, P) of the geometric means of class and objectness, summed over the classes."""
    chance = (raw[:, OBJECTNESS + 1 :].sigmoid() * raw[:, OBJECTNESS, None].sigmoid()).sqrt()
    present = chance.log().clamp(min=LEAST_LOGARITHM)
    absent = (1 - chance).log().clamp(min=LEAST_LOGARITHM)
    # the sum for each truth differs in its own class alone; in double, since the difference loses digits
    own = (absent.double() - present.double()).t()[classes]
    return (own - absent.double().sum(1)).float()
