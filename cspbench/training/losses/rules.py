"""What the eras of Darknet do differently in [yolo] (spec training 0.3, d.5)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cspbench.network.era import Era


class Division(StrEnum):
    """Whether the box gradient of an anchor is divided by the number of its true classes."""

    NEVER = "never"
    ALWAYS = "always"
    SEVERAL_ANCHORS = "if iou_thresh is below 1"


@dataclass(frozen=True)
class Rules:
    """The rules of one era; the defaults are today's."""

    size_factor: float = 1.0
    """Of the IoU's gradient in width and height."""
    iou_when_apart: bool = False
    """GIoU of boxes that do not overlap keeps the gradient of the IoU beside that of the enclosing box."""
    last_truth_wins: bool = False
    """The box gradient of a further truth in an anchor replaces the earlier one, instead of being added."""
    division: Division = Division.SEVERAL_ANCHORS
    mse_normalised: bool = True
    """iou_normalizer multiplies the gradient of MSE."""
    ignores_any_class: bool = False
    """An anchor that overlaps a truth is ignored even if it predicts no class."""
    several_anchors: bool = True
    """iou_thresh exists."""
    objectness_by_cls: bool = False
    """cls_normalizer multiplies the gradient of the objectness; obj_normalizer does not exist."""
    smooth_evenly: bool = False
    """Label smoothing gives e / classes to the classes that are not true, and 1 - e to the true one."""
    limited: bool = True
    """max_delta exists."""


RULES: dict[Era, Rules] = {
    Era.HEAD: Rules(),
    Era.NOV2019: Rules(
        division=Division.ALWAYS,
        mse_normalised=False,
        objectness_by_cls=True,
        smooth_evenly=True,
        limited=False,
    ),
    Era.OCT2019: Rules(
        size_factor=0.5,
        iou_when_apart=True,
        last_truth_wins=True,
        division=Division.NEVER,
        mse_normalised=False,
        ignores_any_class=True,
        several_anchors=False,
        objectness_by_cls=True,
        smooth_evenly=True,
        limited=False,
    ),
}
