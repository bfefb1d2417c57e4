"""Boxes of YOLOX in torch: what the outputs predict, and what they overlap (spec yolox c.3, d.1, d.2).

Boxes are centre x, y, width and height in pixels of the network's input.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cspbench.detection import decode_yolox
from cspbench.detection.decode_yolox import OBJECTNESS, STRIDE, STRIDES, anchored
from cspbench.network.layers.heads import Anchor


def points(
    size: tuple[int, int],
    strides: Sequence[int] = STRIDES,
    device: torch.device | None = None,
    anchors: Sequence[Anchor] = (),
) -> Tensor:
    """`cspbench.detection.decode_yolox.points` as a tensor: (A, 3), or (A, 5) with anchors."""
    return torch.from_numpy(decode_yolox.points(size, strides, anchors)).to(device)


def decode(raw: Tensor, at: Tensor) -> Tensor:
    """The boxes (..., A, 4) of raw outputs (..., A, 5 + classes) at the points (A, 3) or (A, 5)."""
    own = values(raw, at)
    return torch.cat(((own[..., :2] + at[:, :2]) * at[:, STRIDE, None], own[..., 2:].exp() * _unit(at)), -1)


def values(raw: Tensor, at: Tensor) -> Tensor:
    """The box values (..., A, 4) in raw outputs (..., A, 4 or more), as `encode` gives them for boxes."""
    if not anchored(at):
        return raw[..., :OBJECTNESS]
    return torch.cat((raw[..., :2].sigmoid(), raw[..., 2:OBJECTNESS]), -1)


def encode(boxes: Tensor, at: Tensor) -> Tensor:
    """The values (P, 4) of boxes (P, 4) at the points (P, ..): place in the cell, and logarithms of the sides.

    1e-8 keeps the logarithms finite.
    """
    return torch.cat((boxes[:, :2] / at[:, STRIDE, None] - at[:, :2], (boxes[:, 2:] / _unit(at) + 1e-8).log()), 1)


def _unit(at: Tensor) -> Tensor:
    """The sides of a box whose logarithms are 0: the anchor's, or the stride."""
    return at[:, STRIDE + 1 :] if anchored(at) else at[:, STRIDE, None]


def shared(one: Tensor, other: Tensor) -> Tensor:
    """The area (...) that boxes (..., 4) have in common; 0 unless they overlap along both axes."""
    low = torch.maximum(one[..., :2] - one[..., 2:] / 2, other[..., :2] - other[..., 2:] / 2)
    high = torch.minimum(one[..., :2] + one[..., 2:] / 2, other[..., :2] + other[..., 2:] / 2)
    return (high - low).prod(-1) * (low < high).all(-1)


def overlaps(truths: Tensor, boxes: Tensor, floor: float = 0.0) -> Tensor:
    """The IoU (M, P) of truths (M, 4) with boxes (P, 4), without an epsilon; `floor` is the least union."""
    common = shared(truths[:, None], boxes[None])
    union = truths[:, 2:].prod(1)[:, None] + boxes[:, 2:].prod(1) - common
    return torch.where(common > 0, common / (union.clamp(min=floor) if floor else union), 0)
