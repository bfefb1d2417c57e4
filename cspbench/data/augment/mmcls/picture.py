"""A classifier's training picture as mmcls 0.23 makes it: RandomResizedCrop, flip, normalisation (spec yolox a.10)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cspbench.data.augment.draws import Draws
from cspbench.data.opencv import planes, resize

Pixels = NDArray[np.uint8]
Range = tuple[float, float]
ATTEMPTS = 10
"""Windows that are drawn for an image before the centre is taken."""


@dataclass(frozen=True)
class Augmentation:
    """How a picture of `size` (height, width) is made; the defaults are mmcls's."""

    size: tuple[int, int]
    area: Range = (0.08, 1.0)
    """The smallest and the largest share of the image's area that a window has."""
    ratio: Range = (3 / 4, 4 / 3)
    """The narrowest and the widest window, as width over height."""
    flip: float = 0.5
    """The probability of left and right being swapped."""


class Window(NamedTuple):
    """Pixels of an image."""

    left: int
    top: int
    width: int
    height: int


def picture(
    draws: Draws, rules: Augmentation, image: Pixels, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """The network's input, float32 (3, H, W), red first and normalised, of pixels (h, w, 3); written to `out`."""
    left, top, across, down = window(draws, rules, image.shape[1], image.shape[0])
    mirror = float(draws.uniform(0, 1)) < rules.flip
    height, width = rules.size
    return planes(resize(image[top : top + down, left : left + across], width, height, mirror), True, out)


def window(draws: Draws, rules: Augmentation, width: int, height: int) -> Window:
    """A drawn window of an image of this width and height, or the largest in its centre if none fits into it.

    The area is drawn evenly, the ratio evenly by its logarithm.
    """
    narrowest, widest = rules.ratio
    for _ in range(ATTEMPTS):
        area = float(draws.uniform(*rules.area)) * width * height
        ratio = math.exp(float(draws.uniform(math.log(narrowest), math.log(widest))))
        across, down = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < across <= width and 0 < down <= height:
            top = draws.between(0, height - down)
            return Window(draws.between(0, width - across), top, across, down)
    across, down = width, height
    if width / height < narrowest:
        down = max(1, round(width / narrowest))
    elif width / height > widest:
        across = max(1, round(height * widest))
    return Window((width - across) // 2, (height - down) // 2, across, down)
