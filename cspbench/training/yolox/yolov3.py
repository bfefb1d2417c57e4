"""YOLOv3's positives for the steps of YOLOX that still have its anchors.

Source: the paper (arXiv 2107.08430), section 2.1, calls its baseline YOLOv3 with an average of the weights, a cosine
schedule, the IoU loss and an IoU-aware branch, and says that YOLOv3's rule selects one positive for each object. Its
code was not published: the nine anchors, and predictions that count neither way, are those of YOLOv3's own cfg.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cspbench.detection.decode_yolox import STRIDE, STRIDES
from cspbench.network.era import Era
from cspbench.network.layers import Yolo
from cspbench.network.recipe import YoloRecipe
from cspbench.training.losses.rules import RULES
from cspbench.training.yolox import boxes
from cspbench.training.yolox.assignment import Assigned
from cspbench.training.yolox.fixed_assignment import by_anchors
from cspbench.zoo.panet import ANCHORS_416 as YOLOV3

IGNORED = 0.7
"""The IoU with any truth, of whatever class, above which a box that learns nothing is no negative: ignore_thresh."""
LAYERS = tuple(
    Yolo(sources=(-1,), anchors=YOLOV3, mask=tuple(range(3 * level, 3 * level + 3))) for level in range(len(STRIDES))
)


@dataclass(frozen=True)
class Anchored:
    """The anchor of nine whose sides fit a truth best, in the cell of its centre."""


@torch.no_grad()
def positives(raw: Tensor, truths: Tensor, at: Tensor) -> Assigned:
    """The positives of an image by its truths (M, 5), at points with anchors (A, 5); of one box the later truth."""
    width, height = ((at[:, :2] + 1) * at[:, STRIDE, None]).amax(0).int().tolist()
    truths = truths.float()
    box, truth = by_anchors(truths, (height, width), LAYERS, YoloRecipe(), RULES[Era.HEAD])
    owner = torch.full((len(at),), -1, device=at.device).scatter_reduce(0, box, truth, "amax")
    box = (owner >= 0).nonzero()[:, 0]
    truth = owner[box]
    overlap = boxes.overlaps(truths[:, 1:], boxes.decode(raw[box].float(), at[box]))
    return Assigned(box, truth, overlap[truth, torch.arange(len(box), device=box.device)])


@torch.no_grad()
def ignored(raw: Tensor, truths: Tensor, at: Tensor, positive: Tensor) -> Tensor:
    """The boxes (K,), but for the `positive` ones, whose objectness learns nothing, since they are good already."""
    if not len(truths):
        return positive.new_zeros(0)
    good = boxes.overlaps(truths[:, 1:].float(), boxes.decode(raw.float(), at)).amax(0) > IGNORED
    good[positive] = False
    return good.nonzero()[:, 0]
