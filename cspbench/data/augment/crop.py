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


def crop(image: Pixels, margins: Margins, width: int, height: int, mirror: bool = False) -> Pixels:
    """uint8 (h, w, 3) without its margins, resized to (height, width, 3), with left and right swapped if `mirror`.

    What a window has outside of the image has the image's mean colour.
    """
    source_height, source_width = image.shape[:2]
    if margins == (0, 0, 0, 0):
        return resize(image, width, height, mirror)
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
    return resize(inside, width, height, mirror)


def mean_colour(image: Pixels) -> NDArray[np.uint8]:
    """The mean of each channel (3,), rounded."""
    rows = torch.from_numpy(np.ascontiguousarray(image)).view(image.shape[0], -1)
    sums = rows.sum(0, dtype=torch.int64).view(-1, 3).sum(0).numpy()
    mean: NDArray[np.uint8] = np.rint(sums / (image.shape[0] * image.shape[1])).astype(np.uint8)
    return mean


def resize(image: Pixels, width: int, height: int, mirror: bool = False) -> Pixels:
    """OpenCV's INTER_LINEAR for uint8 (h, w, 3), to (height, width, 3), with left and right swapped if `mirror`."""
    source_height, source_width = image.shape[:2]
    if (source_width, source_height) == (width, height):
        return np.ascontiguousarray(image[:, ::-1]) if mirror else image
    taps = _taps(source_width, width, inside=True)
    left, right, first, second = (part.flip(0) for part in taps) if mirror else taps
    top, bottom, upper, lower = _taps(source_height, height, inside=False)
    levels = torch.from_numpy(np.ascontiguousarray(image)).view(source_height, -1).float()
    # sums below 2^24, which floats hold exactly
    across = levels.index_select(1, _channels(left)).mul_(first.repeat_interleave(3))
    across.addcmul_(levels.index_select(1, _channels(right)), second.repeat_interleave(3).float())
    sixteenths = across.mul_(1 / 16).int()
    above = sixteenths[top].mul_(upper[:, None]).bitwise_right_shift_(16)
    below = sixteenths[bottom].mul_(lower[:, None]).bitwise_right_shift_(16)
    resized = above.add_(below).add_(2).bitwise_right_shift_(2).to(torch.uint8)
    pixels: Pixels = resized.view(height, width, 3).numpy()
    return pixels


def _channels(columns: Tensor) -> Tensor:
    """The places of all three channels of columns of pixels."""
    return (3 * columns[:, None] + torch.arange(3)).flatten()


def _taps(source: int, target: int, inside: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The two pixels of each output along an axis, and their weights in 2048ths, int32 (target,).

    Beyond the outermost pixels both are the same one. Along the width, `inside`, it then has all the weight; along the
    height the weights stay, and OpenCV rounds the two products separately.
    """
    places = ((np.arange(target) + 0.5) * (source / target) - 0.5).astype(np.float32)
    low = np.floor(places).astype(np.int64)
    share = places - low.astype(np.float32)
    if inside:
        share[(low < 0) | (low >= source - 1)] = 0
    weights = (np.rint(part * np.float32(2048)).astype(np.int32) for part in (1 - share, share))
    taps = (places.clip(0, source - 1) for places in (low, low + 1))
    first, second, before, after = map(torch.from_numpy, (*taps, *weights))
    return first, second, before, after
