"""OpenCV's blurs of 8-bit images (4.6): Gaussian in fixed-point numbers, and the bilateral filter (spec b.8, c.4).

At borders the image is mirrored about its outermost pixels. An image that is too small for one mirroring is mirrored
again, as OpenCV does.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Pixels = NDArray[np.uint8]

NARROW = {1: (1.0,), 3: (0.25, 0.5), 5: (0.0625, 0.25, 0.375), 7: (0.03125, 0.109375, 0.21875, 0.28125)}
"""OpenCV's kernels of these sizes, up to their centres; those of other sizes follow the Gaussian."""
BILATERAL = 17
"""Pixels across of the filter that blurred the published row's pictures."""
SIGMA = 75.0
"""Its standard deviation in space, in pixels, and in colour, in levels of all three channels together."""


@functools.cache
def kernel(size: int) -> tuple[int, ...]:
    """OpenCV's Gaussian of `size` taps, odd, in 256ths: rounded from outside in, with the errors carried along."""
    if size in NARROW:
        half = list(NARROW[size])
    else:
        sigma = 0.15 * size + 0.35
        weights = [math.exp(-0.5 * ((place - size // 2) / sigma) ** 2) for place in range(size)]
        half = [weight / sum(weights) for weight in weights[: size // 2 + 1]]
    taps, error = [], 0.0
    for weight in half[:-1]:
        exact = weight * 256 + error
        taps.append(round(exact))
        error = exact - taps[-1]
    return (*taps, 256 - 2 * sum(taps), *reversed(taps))


def gaussian(image: Pixels, size: int) -> Pixels:
    """uint8 (H, W, 3) blurred by a Gaussian of `size` taps, odd, whose width follows from the size."""
    taps = kernel(size)
    planes = _mirrored(image, size // 2).float()
    # sums of integers below 2^24, which floats hold exactly
    for axis in (1, 2):
        length = planes.shape[axis] - size + 1
        total = planes.narrow(axis, size // 2, length) * taps[size // 2]
        for place in range(size // 2):
            pair = planes.narrow(axis, place, length) + planes.narrow(axis, size - 1 - place, length)
            total.add_(pair, alpha=taps[place])
        planes = total
    return _pixels(planes.add_(1 << 15).mul_(1 / (1 << 16)).floor_())


def bilateral(image: Pixels, size: int = BILATERAL, colour: float = SIGMA, space: float = SIGMA) -> Pixels:
    """uint8 (H, W, 3) blurred within areas of similar colour, by a filter `size` pixels across."""
    radius, (height, width) = size // 2, image.shape[:2]
    levels = _mirrored(image, radius).to(torch.int16)
    planes = levels.float()
    total = planes[:, radius : radius + height, radius : radius + width].clone()
    weights = torch.ones(height, width)
    # the same memory for all neighbours: new memory would be paged in each time
    levels_off, shares = torch.empty_like(levels), torch.empty_like(planes[0])
    for down in range(radius + 1):
        for across in range(-radius, radius + 1):
            distance = down * down + across * across
            if distance > radius * radius or (down == 0 and across <= 0):
                continue
            # a pixel and its neighbour weigh the same for each other: so both are added, for half of the neighbours
            top, left = radius - down, radius - max(across, 0)
            rows, columns = height + down, width + abs(across)
            other = levels[:, top + down : top + down + rows, left + across : left + across + columns]
            off = levels_off[:, :rows, :columns]
            torch.sub(levels[:, top : top + rows, left : left + columns], other, out=off).abs_()
            weight = shares[:rows, :columns].copy_(off[0].add_(off[1]).add_(off[2]))
            weight.square_().mul_(-0.5 / colour**2).sub_(0.5 * distance / space**2).exp_()
            for y, x in ((down, across), (-down, -across)):
                beside = planes[:, radius + y : radius + y + height, radius + x : radius + x + width]
                inside = weight[max(y, 0) : max(y, 0) + height, max(x, 0) : max(x, 0) + width]
                total.addcmul_(beside, inside)
                weights.add_(inside)
    return _pixels(total.div_(weights).round_())


def _mirrored(image: Pixels, margin: int) -> Tensor:
    """uint8 (3, H + 2 margin, W + 2 margin)."""
    rows, columns = (_reflected(length, margin) for length in image.shape[:2])
    mirrored = image.transpose(2, 0, 1)[:, rows[:, None], columns]
    return torch.from_numpy(np.ascontiguousarray(mirrored))


def _reflected(length: int, margin: int) -> NDArray[np.intp]:
    places = np.arange(-margin, length + margin)
    period = max(2 * (length - 1), 1)
    places = np.abs(places) % period
    return np.minimum(places, period - places) if length > 1 else np.zeros_like(places)


def _pixels(planes: Tensor) -> Pixels:
    return planes.clamp_(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
