"""A detector's crop, as OpenCV makes it of 8-bit pixels (spec c.2): a window resized to the network's size.

OpenCV resizes 8-bit images with weights in 2048ths; pixel centres are half a pixel from the border.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Pixels = NDArray[np.uint8]


class Margins(NamedTuple):
    """Pixels cut off an image at each side; negative ones are added."""

    left: int
    right: int
    top: int
    bottom: int


def crop(image: Pixels, margins: Margins, width: int, height: int) -> Pixels:
    """uint8 (h, w, 3) without its margins, resized to (height, width, 3).

    What a window has outside of the image has the image's mean colour.
    """
    source_height, source_width = image.shape[:2]
    if margins == (0, 0, 0, 0):
        return resize(image, width, height)
    inside = image[
        max(margins.top, 0) : max(source_height - max(margins.bottom, 0), 0),
        max(margins.left, 0) : max(source_width - max(margins.right, 0), 0),
    ]
    if min(margins) < 0:
        across = source_width - margins.left - margins.right
        down = source_height - margins.top - margins.bottom
        canvas = np.empty((down, across, 3), np.uint8)
        top, left = max(-margins.top, 0), max(-margins.left, 0)
        bottom, right = top + inside.shape[0], left + inside.shape[1]
        mean = mean_colour(image)
        for part in (canvas[:top], canvas[bottom:], canvas[top:bottom, :left], canvas[top:bottom, right:]):
            part[...] = mean
        canvas[top:bottom, left:right] = inside
        inside = canvas
    return resize(inside, width, height)


def mean_colour(image: Pixels) -> NDArray[np.uint8]:
    """The mean of each channel (3,), rounded."""
    # a product with ones is the fastest exact sum: single precision holds the sums of 65,000 levels
    rows = torch.from_numpy(np.ascontiguousarray(image)).view(image.shape[0], -1)
    sums = rows.sum(0, dtype=torch.int32).view(-1, 3).sum(0).numpy()
    mean: NDArray[np.uint8] = np.rint(sums / (image.shape[0] * image.shape[1])).astype(np.uint8)
    return mean


def resize(image: Pixels, width: int, height: int) -> Pixels:
    """OpenCV's INTER_LINEAR for uint8 (h, w, 3), to (height, width, 3)."""
    source_height, source_width = image.shape[:2]
    if (source_width, source_height) == (width, height):
        return image
    left, right, columns = _taps(source_width, width)
    top, bottom, rows = _taps(source_height, height)
    # rows of pixels one below the other, (w, h 3), so that a tap along the width takes whole rows
    planes = torch.from_numpy(np.ascontiguousarray(image.transpose(1, 0, 2))).view(source_width, -1)
    across = planes[left].int().mul_(2048 - columns).add_(planes[right].int().mul_(columns)).bitwise_right_shift_(4)
    across = across.view(width, source_height, 3).transpose(0, 1)
    upper = (across[top] * (2048 - rows[:, None])).bitwise_right_shift_(16)
    lower = (across[bottom] * rows[:, None]).bitwise_right_shift_(16)
    resized: Pixels = upper.add_(lower).add_(2).bitwise_right_shift_(2).to(torch.uint8).contiguous().numpy()
    return resized


def _taps(source: int, target: int) -> tuple[Tensor, Tensor, Tensor]:
    """The two pixels of each output along an axis, and the second one's weight in 2048ths, int32 (target, 1)."""
    places = ((np.arange(target) + 0.5) * (source / target) - 0.5).astype(np.float32)
    low = np.floor(places).astype(np.int64)
    share = places - low.astype(np.float32)
    share[(low < 0) | (low >= source - 1)] = 0
    low = low.clip(0, source - 1)
    weights = np.rint(share * np.float32(2048)).astype(np.int32)
    return torch.from_numpy(low), torch.from_numpy(np.minimum(low + 1, source - 1)), torch.from_numpy(weights)[:, None]
