"""What the boxes of an image learn: which truth, and whether there is an object.

Under all assignments but two the positives learn both, and all others that there is no object. YOLOv3's rule leaves
some others out. One-to-one assignment has positives of its own for the objectness, one for each truth, so that no box
need be suppressed; boxes and classes learn as without it. The paper (arXiv 2107.08430, section 2.1) names "one-to-one
label assignment" and "stop gradient" alone and refers to arXiv 2101.11782, which keeps the losses of the detector as
they are and adds a branch with one positive for each object, from which no gradient returns. What makes the one
positive here is reconstructed: the lowest cost under SimOTA.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from cspbench.detection.decode_yolox import anchored
from cspbench.training.yolox import yolov3
from cspbench.training.yolox.assignment import Assigned, Candidates, candidates_of, cheapest, wanted
from cspbench.training.yolox.fixed import Fixed, positives
from cspbench.training.yolox.rules import R25, Rules
from cspbench.training.yolox.yolov3 import Anchored


@dataclass(frozen=True)
class OneToOne:
    """The objectness of one box for each truth, under the rules of the paper's SimOTA."""


Assignment = Rules | Fixed | Anchored | OneToOne


class Targets(NamedTuple):
    """What the boxes of an image learn."""

    assigned: Assigned
    """The boxes that learn a truth's sides and class."""
    present: Tensor
    """(Q,) int64, those whose objectness is 1."""
    ignored: Tensor
    """(K,) int64, those whose objectness learns nothing."""


def targets(raw: Tensor, truths: Tensor, at: Tensor, rules: Assignment) -> Targets:
    """What the boxes of an image learn, from its raw outputs (A, 5 + classes) at the points (A, ..), truths (M, 5)."""
    if isinstance(rules, OneToOne):
        return _one_to_one(raw, truths, at)
    if isinstance(rules, Anchored):
        assigned = yolov3.positives(raw, truths, at)
        return Targets(assigned, assigned.point, yolov3.ignored(raw, truths, at, assigned.point))
    assigned = positives(raw, truths, at, rules)
    return Targets(assigned, assigned.point, assigned.point.new_zeros(0))


def one_of_each(candidates: Candidates) -> Assigned:
    """The cheapest box of each truth; one that is the cheapest of several has one of them, as in SimOTA."""
    return cheapest(candidates, torch.ones(len(candidates.cost), device=candidates.cost.device))


def _one_to_one(raw: Tensor, truths: Tensor, at: Tensor) -> Targets:
    candidates = candidates_of(raw, truths, at, R25)
    one = one_of_each(candidates)
    if anchored(at):
        assigned = yolov3.positives(raw, truths, at)
    else:
        assigned = cheapest(candidates, wanted(candidates.overlap))
    return Targets(assigned, one.point, one.point.new_zeros(0))
