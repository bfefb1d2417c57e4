"""OpenCV's bilinear resize of 8-bit pixels, INTER_LINEAR, and the input that YOLOX makes with it (spec yolox 0, c).

Weights are 2048ths; pixel centres are half a pixel from the border.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Pixels = NDArray[np.uint8]
FILL = 114
"""The grey beside the image."""
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, red first, of values from 0 to 1."""


def resize(image: Pixels, width: int, height: int, mirror: bool = False) -> Pixels:
    """uint8 (h, w, 3) to (height, width, 3), with left and right swapped if `mirror`."""
    source_height, source_width = image.shape[:2]
    if (source_width, source_height) == (width, height):
        return np.ascontiguousarray(image[:, ::-1]) if mirror else image
    taps = _taps(source_width, width, inside=True)
    left, right, first, second = (part.flip(0) for part in taps) if mirror else taps
    top, bottom, upper, lower = _taps(source_height, height, inside=False)
    # torch wants arrays that may be written to
    levels = torch.from_numpy(np.require(image, requirements=["C", "W"])).view(source_height, -1).float()
    # sums below 2^24, which floats hold exactly
    across = levels.index_select(1, _channels(left)).mul_(first.repeat_interleave(3))
    across.addcmul_(levels.index_select(1, _channels(right)), second.repeat_interleave(3).float())
    sixteenths = across.mul_(1 / 16).int()
    above = sixteenths[top].mul_(upper[:, None]).bitwise_right_shift_(16)
    below = sixteenths[bottom].mul_(lower[:, None]).bitwise_right_shift_(16)
    resized = above.add_(below).add_(2).bitwise_right_shift_(2).to(torch.uint8)
    pixels: Pixels = resized.view(height, width, 3).numpy()
    return pixels


def letterbox(image: Pixels, width: int, height: int, rounded: bool = False) -> Pixels:
    """uint8 (h, w, 3) resized to fit into (height, width, 3), in the top left corner; see `letterbox_extent`."""
    canvas = np.full((height, width, 3), FILL, np.uint8)
    inner_width, inner_height = letterbox_extent((height, width), (image.shape[1], image.shape[0]), rounded)
    if inner_width and inner_height:
        canvas[:inner_height, :inner_width] = resize(image, inner_width, inner_height)
    return canvas


def planes(pixels: Pixels, normalised: bool, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """uint8 (H, W, 3), red first, as the network's float32 (3, H, W): from 0 to 255, blue first, written to `out`.

    `normalised` instead keeps red first, divides by 255, subtracts ImageNet's mean and divides by its deviation.
    """
    levels = pixels.transpose(2, 0, 1)
    result = np.empty(levels.shape, np.float32) if out is None else out
    if not normalised:
        result[...] = levels[::-1]
        return result
    mean, deviation = (np.array(values, np.float32)[:, None, None] for values in (MEAN, DEVIATION))
    np.divide(levels, np.float32(255), out=result)
    result -= mean
    result /= deviation
    return result


def of_planes(picture: NDArray[np.float32], normalised: bool) -> Pixels:
    """The pixels (H, W, 3), red first, of which `planes` made a picture (3, H, W), rounded."""
    if normalised:
        mean, deviation = (np.array(values, np.float32)[:, None, None] for values in (MEAN, DEVIATION))
        levels = (picture * deviation + mean) * 255
    else:
        levels = picture[::-1]
    pixels: Pixels = np.rint(levels).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)
    return pixels


def letterbox_ratio(size: tuple[int, int], extent: tuple[int, int]) -> float:
    """The factor by which an image of `extent` (width, height) is resized for an input of `size` (height, width)."""
    return min(size[0] / extent[1], size[1] / extent[0])


def letterbox_extent(size: tuple[int, int], extent: tuple[int, int], rounded: bool = False) -> tuple[int, int]:
    """Width and height of the resized image, 0 for a side that vanishes.

    YOLOX cuts the fractions off, mmdetection has them `rounded`.
    """
    ratio = letterbox_ratio(size, extent)
    across, down = (int(side * ratio + (0.5 if rounded else 0)) for side in extent)
    return across, down


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
