"""YOLOX's multi-scale training: a batch is resized to a size that changes every ten iterations (spec yolox d.4)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from cspbench.data.augment.draws import Counter
from cspbench.data.augment.yolox.rules import Scales

EVERY = 10
"""Iterations with one size."""
STREAM = 2
"""The sequence of random numbers for these sizes."""


def size_of(scales: Scales, size: tuple[int, int], iteration: int, seed: int) -> tuple[int, int]:
    """Height and width in an iteration, from 1: `size` in the first ten, then a drawn multiple of `step`.

    The width follows from the height by the ratio of `size`, and is a multiple of `step`, too.
    """
    block = (iteration - 1) // EVERY
    if block == 0:
        return size
    number = Counter(seed, block, STREAM).between(scales.lowest, scales.highest)
    return scales.step * number, scales.step * int(number * size[1] / size[0])


def resized(images: Tensor, labels: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Images (N, 3, H, W) at another height and width, and labels (N, L, 5) to fit."""
    height, width = images.shape[2:]
    if size == (height, width):
        return images, labels
    ratio = torch.tensor([1, *(size[1] / width, size[0] / height) * 2], dtype=labels.dtype, device=labels.device)
    return interpolate(images, size, mode="bilinear", align_corners=False), labels * ratio
