"""A classifier's window on an image: turned, scaled and stretched, bilinear, black outside (spec b.3, step 6)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample, pad


class Window(NamedTuple):
    """A square of `size` pixels whose centre is (`across`, `down`), in pixels of the scaled image, off the image's.

    The image is scaled by `scale`, its width by `scale` / `aspect`, and turned by `angle` in radians.
    """

    size: int
    scale: np.float32
    angle: np.float32
    across: np.float32
    down: np.float32
    aspect: np.float32


def sample(planes: Tensor, window: Window, mirror: bool = False) -> Tensor:
    """What the window shows of an image (C, H, W) of any real type: float32 (C, size, size), in the same units.

    Positions are those of Darknet: double precision, then rounded to single. `mirror` swaps left and right afterwards.
    """
    height, width = planes.shape[1:]
    size, scale, aspect = window.size, float(window.scale), float(window.aspect)
    places = np.arange(size) - size / 2
    columns = places / scale * aspect + float(window.across / window.scale * window.aspect)
    rows = places / scale + float(window.down / window.scale)
    if mirror:
        columns = columns[::-1]
    cosine, sine = math.cos(window.angle), math.sin(window.angle)
    x = (cosine * columns - (sine * rows)[:, None] + width / 2).astype(np.float32)
    y = (sine * columns + (cosine * rows)[:, None] + height / 2).astype(np.float32)
    # only the part that the window's corners enclose is converted; black surrounds what is outside of the image
    left, right = _reach(x, width)
    top, bottom = _reach(y, height)
    if left >= right or top >= bottom:
        return torch.zeros(len(planes), size, size)
    part = planes[:, top:bottom, left:right].double()
    if 1 in part.shape[1:]:  # positions are relative to the distance between the first and the last pixel
        part = pad(part, (0, 1, 0, 1))
    grid = np.empty((1, size, size, 2))
    np.subtract(x, left, out=grid[0, :, :, 0])
    np.subtract(y, top, out=grid[0, :, :, 1])
    grid[..., 0] *= 2 / (part.shape[2] - 1)
    grid[..., 1] *= 2 / (part.shape[1] - 1)
    grid -= 1
    return grid_sample(part[None], torch.from_numpy(grid), "bilinear", "zeros", align_corners=True)[0].float()


def _reach(positions: np.ndarray[tuple[int, int], np.dtype[np.float32]], length: int) -> tuple[int, int]:
    """The first pixel and the end of what positions along an axis of `length` pixels read."""
    corners = positions[[0, 0, -1, -1], [0, -1, 0, -1]]
    return max(0, math.floor(corners.min())), min(length, math.floor(corners.max()) + 2)
