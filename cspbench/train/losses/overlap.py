"""The largest IoU of every predicted box with the truths of its image (spec training d.2)."""

from __future__ import annotations

import torch
from torch import Tensor

from cspbench.train.losses.truths import Truths


def best_overlap(image: Tensor, boxes: tuple[Tensor, ...], found: Truths, images: int) -> tuple[Tensor, Tensor]:
    """IoU (P,) and truth (P,) of P boxes, given as x, y, w, h (P,) each; 0 and -1 where no truth overlaps.

    `image` is ascending. Each step compares all boxes with one truth of their image, images with most truths first, so
    that later steps have fewer boxes. Of equal ones the first truth counts.
    """
    count = torch.bincount(found.image, minlength=images)
    start = count.cumsum(0) - count
    by_count = count.argsort(descending=True, stable=True)
    rank = torch.empty_like(by_count)
    rank[by_count] = torch.arange(images, device=rank.device)
    order = rank[image].argsort(stable=True)
    ends = torch.bincount(rank[image], minlength=images).cumsum(0).tolist()
    x, y, w, h = (side[order] for side in boxes)
    left, right, top, bottom, area = x - w / 2, x + w / 2, y - h / 2, y + h / 2, w * h
    first = start[image[order]]
    best, truth = torch.zeros_like(x), torch.full_like(first, -1)
    tx, ty, tw, th = found.boxes.unbind(1)
    edges = torch.stack((tx - tw / 2, tx + tw / 2, ty - th / 2, ty + th / 2, tw * th))
    counts = count[by_count].tolist()
    for turn in range(counts[0] if counts else 0):
        end = ends[sum(1 for each in counts if each > turn) - 1]
        at = first[:end] + turn
        t_left, t_right, t_top, t_bottom, t_area = edges[:, at]
        width = torch.minimum(right[:end], t_right).sub_(torch.maximum(left[:end], t_left)).clamp_(min=0)
        height = torch.minimum(bottom[:end], t_bottom).sub_(torch.maximum(top[:end], t_top)).clamp_(min=0)
        overlap = width.mul_(height)
        iou = overlap / (area[:end] + t_area - overlap).clamp_(min=1e-30)
        better = iou > best[:end]
        best[:end] = torch.where(better, iou, best[:end])
        truth[:end] = torch.where(better, at, truth[:end])
    ious, truths = torch.empty_like(best), torch.empty_like(truth)
    ious[order], truths[order] = best, truth
    return ious, truths
