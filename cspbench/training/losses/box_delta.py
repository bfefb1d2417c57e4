"""What Darknet takes for the gradient of a box's similarity to the true one (spec training d.5).

It is not the derivative through the decoding of the box: chain factors and anchors are missing, and the sign of a term
of DIoU is another. The published normalizers fit these formulas.
"""

from __future__ import annotations

from math import pi
from typing import NamedTuple

import torch
from torch import Tensor

from cspbench.training.losses.rules import Rules


class _Edges(NamedTuple):
    """Left, right, top, bottom; or a derivative by each."""

    left: Tensor
    right: Tensor
    top: Tensor
    bottom: Tensor


def box_delta(kind: str, predicted: Tensor, true: Tensor, rules: Rules) -> Tensor:
    """The direction (M, 4) in x, y, width and height that raises the similarity of each pair of boxes (M, 4).

    Boxes are x, y, width, height. `kind` is "giou", "diou" or "ciou", and any other word IoU. A predicted side of 0
    counts as 1.
    """
    predicted = torch.cat((predicted[:, :2], torch.where(predicted[:, 2:] == 0, 1, predicted[:, 2:])), 1)
    p, t = _edges(predicted), _edges(true)
    width, height = p.right - p.left, p.bottom - p.top
    overlap_w = torch.minimum(p.right, t.right) - torch.maximum(p.left, t.left)
    overlap_h = torch.minimum(p.bottom, t.bottom) - torch.maximum(p.top, t.top)
    overlap = overlap_w * overlap_h  # of boxes apart it means nothing, as in Darknet
    union = width * height + (t.right - t.left) * (t.bottom - t.top) - overlap
    apart = (overlap_w <= 0) | (overlap_h <= 0)
    by_overlap = _Edges(
        torch.where(p.left > t.left, -overlap_h, 0),
        torch.where(p.right < t.right, overlap_h, 0),
        torch.where(p.top > t.top, -overlap_w, 0),
        torch.where(p.bottom < t.bottom, overlap_w, 0),
    )
    by_area = _Edges(-height, height, -width, width)
    by_union = _Edges(*(area - inner for area, inner in zip(by_area, by_overlap, strict=True)))
    slopes = _quotient_slopes(overlap, by_overlap, union, by_union)
    around_w = torch.maximum(p.right, t.right) - torch.minimum(p.left, t.left)
    around_h = torch.maximum(p.bottom, t.bottom) - torch.minimum(p.top, t.top)
    wider = _Edges(p.left < t.left, p.right > t.right, p.top < t.top, p.bottom > t.bottom)
    if kind == "giou":
        by_around = _Edges(
            torch.where(wider.left, -around_h, 0),
            torch.where(wider.right, around_h, 0),
            torch.where(wider.top, -around_w, 0),
            torch.where(wider.bottom, around_w, 0),
        )
        enclosing = _quotient_slopes(union, by_union, around_w * around_h, by_around)
        both = _Edges(*(one + other for one, other in zip(slopes, enclosing, strict=True)))
        if rules.iou_when_apart:
            slopes = both
        else:
            slopes = _Edges(*(torch.where(apart, one, other) for one, other in zip(enclosing, both, strict=True)))
    delta = torch.stack(
        (
            slopes.left + slopes.right,
            slopes.top + slopes.bottom,
            rules.size_factor * (slopes.right - slopes.left),
            rules.size_factor * (slopes.bottom - slopes.top),
        ),
        1,
    )
    if kind not in ("diou", "ciou"):
        return delta
    distance = _distance_term(predicted, true, around_w, around_h, wider)
    if kind == "ciou":
        distance[:, 2:] += _aspect_term(predicted, true, overlap, union)
    return torch.where(apart[:, None], distance, delta + distance)


def _edges(boxes: Tensor) -> _Edges:
    x, y, width, height = boxes.unbind(1)
    return _Edges(x - width / 2, x + width / 2, y - height / 2, y + height / 2)


def _quotient_slopes(above: Tensor, by_above: _Edges, below: Tensor, by_below: _Edges) -> _Edges:
    """Derivatives of above / below by the edges; 0 unless `below` is positive."""
    square = torch.where(below > 0, below * below, 1)
    return _Edges(
        *(
            torch.where(below > 0, (below * one - above * other) / square, 0)
            for one, other in zip(by_above, by_below, strict=True)
        )
    )


def _distance_term(predicted: Tensor, true: Tensor, width: Tensor, height: Tensor, wider: _Edges) -> Tensor:
    """Of DIoU: by the squared distance S of the centres over the squared diagonal c of the box around both."""
    offset = true[:, :2] - predicted[:, :2]
    squared = offset.square().sum(1)
    diagonal = width.square() + height.square()
    square = torch.where(diagonal > 0, diagonal * diagonal, 1)
    left, right, top, bottom = (edge.to(width.dtype) for edge in wider)
    term = torch.stack(
        (
            2 * offset[:, 0] * diagonal - 2 * width * (right - left) * squared,
            2 * offset[:, 1] * diagonal - 2 * height * (bottom - top) * squared,
            width * (right + left) * squared,
            height * (bottom + top) * squared,
        ),
        1,
    )
    return torch.where((diagonal > 0)[:, None], term / square[:, None], 0)


def _aspect_term(predicted: Tensor, true: Tensor, overlap: Tensor, union: Tensor) -> Tensor:
    """Of CIoU, (M, 2) in width and height; without the derivative's 1 / (w^2 + h^2)."""
    difference = torch.atan(true[:, 2] / true[:, 3]) - torch.atan(predicted[:, 2] / predicted[:, 3])
    mismatch = 4 / pi**2 * difference.square()
    weight = mismatch / (1 - overlap / union + mismatch + 1e-6)
    factor = weight * (8 / pi**2) * difference
    return torch.stack((factor * predicted[:, 3], -factor * predicted[:, 2]), 1)
