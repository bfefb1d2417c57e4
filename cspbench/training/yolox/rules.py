"""In what the versions of SimOTA and of its losses differ (spec yolox 0, d.1, d.2)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rules:
    """Which points may learn a truth, and what keeps divisions and logarithms finite."""

    radius: float
    """Of the region around a truth's centre, in strides, along each axis."""
    boxes: bool
    """Whether boxes count beside the regions: a point in either is a candidate, and only one in both is inside."""
    penalty: float
    """Of the cost of a pair whose point is not inside."""
    overlap_floor: float = 1e-8
    """Is added to an IoU before its logarithm."""
    union_floor: float = 0.0
    """The least union in an IoU; the loss, which then also has a least IoU, adds 1e-16 without it."""


R25 = Rules(radius=2.5, boxes=True, penalty=1e5)
"""Every release, and the paper: the published weights."""
R15 = Rules(radius=1.5, boxes=False, penalty=1e6)
"""Since 2023-01-09, in no release."""
MMDET = Rules(radius=2.5, boxes=True, penalty=1e5, overlap_floor=1e-7, union_floor=1e-6)
"""mmdetection 3.3.0."""
