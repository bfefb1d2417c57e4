"""A detector's crop, as OpenCV makes it of 8-bit pixels (spec c.2): a window resized to the network's size."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from cspbench.data.opencv import resize

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
