"""Assignments that ask no prediction: the steps of the paper's Table 2 before SimOTA, and Darknet's anchors.

Truths are (M, 5), class, centre x, y, width, height in pixels of the input, as for SimOTA. Source: the paper (arXiv
2107.08430), section 2; Darknet (spec training d.3). The paper refers to FCOS for the level of a truth and prints no
sizes: `LARGEST` are FCOS's, twice the distances 64 and 128 from a centre to a side. FCOS also decides, as the paper
does not say, that a point of several truths learns the smallest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from cspbench.network.layers import Yolo
from cspbench.network.recipe import YoloRecipe
from cspbench.training.losses.rules import Rules
from cspbench.training.losses.truths import Truths
from cspbench.training.losses.truths import assign as assign_anchors

LARGEST = (128.0, 256.0)
"""The longer side in pixels up to which a truth belongs to the first level, and to the second."""


class Pairs(NamedTuple):
    """P positives: a box of the network's, and a truth that it learns."""

    box: Tensor
    """(P,) int64: a point's, or an anchor's at one."""
    truth: Tensor
    """(P,) int64, a row of the truths."""


def around_centres(truths: Tensor, at: Tensor, reach: int) -> Pairs:
    """The points (A, 3) up to `reach` cells from that of a truth's centre, along both axes, on the truth's level.

    0 is the anchor-free step, 1 the 3x3 points of "multi positives".
    """
    strides = torch.unique(at[:, 2])
    assert len(strides) == len(LARGEST) + 1
    level = torch.bucketize(truths[:, 3:].amax(1), torch.tensor(LARGEST, device=truths.device))
    stride = strides[level][:, None]
    cell = torch.floor(truths[:, 1:3] / stride)
    near = ((at[:, :2] - cell[:, None]).abs() <= reach).all(2) & (at[:, 2] == stride)
    area = truths[:, 3:].prod(1)[:, None].expand_as(near).masked_fill(~near, float("inf"))
    box = near.any(0).nonzero()[:, 0]
    if not len(box):
        return Pairs(box, box)
    return Pairs(box, area[:, box].argmin(0))


def by_anchors(
    truths: Tensor, size: tuple[int, int], layers: Sequence[Yolo], recipe: YoloRecipe, rules: Rules
) -> Pairs:
    """The anchors of Darknet's layers, which have strides 8, 16 and 32 in this order, for an input of `size`.

    Boxes are numbered layer by layer. An anchor of several truths learns each of them.
    """
    height, width = size
    sides = torch.tensor([width, height], device=truths.device)
    shares = truths[:, 1:] / torch.cat((sides, sides))
    known = Truths(torch.zeros(len(truths), dtype=torch.long, device=truths.device), shares, truths[:, 0].long())
    box, truth, first = [], [], 0
    for number, layer in enumerate(layers):
        shape = (1, layer.used, height // (8 << number), width // (8 << number))
        pairs = assign_anchors(known, layer, recipe, rules, shape, sides)
        box.append(pairs.cell + first)
        truth.append(pairs.truth)
        first += torch.Size(shape).numel()
    return Pairs(torch.cat(box), torch.cat(truth))
