"""The largest IoU of predicted boxes with the truths of their image (spec training d.2)."""

from __future__ import annotations

import torch
from torch import Tensor

CHUNK = 1 << 17
"""Pairs that are compared at once: few enough for the processor's cache."""


def best_overlap(boxes: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
    """IoU (P,) and truth (P,) for boxes (4, P) of one image, x, y, w, h, and its truths (M, 4), M at least 1.

    Of truths that overlap equally the first counts, as it does where none overlaps.
    """
    x, y, w, h = boxes
    left, right, top, bottom, area = x - w / 2, x + w / 2, y - h / 2, y + h / 2, w * h
    found = []
    step = max(1, CHUNK // max(1, len(x)))
    for first in range(0, len(true), step):
        tx, ty, tw, th = true[first : first + step, :, None].unbind(1)
        width = torch.minimum(right, tx + tw / 2).sub_(torch.maximum(left, tx - tw / 2)).clamp_(min=0)
        height = torch.minimum(bottom, ty + th / 2).sub_(torch.maximum(top, ty - th / 2)).clamp_(min=0)
        overlap = width.mul_(height)
        union = torch.sub(area + tw * th, overlap, out=height)
        best, at = overlap.div_(union.clamp_(min=1e-30)).max(0)
        found.append((best, at + first))
    best, at = found[0]
    for other, index in found[1:]:
        better = other > best
        best, at = torch.where(better, other, best), torch.where(better, index, at)
    return best, at
