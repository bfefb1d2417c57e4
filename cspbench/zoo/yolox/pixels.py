"""What networks take for pixels, and a first convolution rewritten for another convention of them (spec yolox a.10)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Colour = tuple[float, float, float]
"""Red, green and blue."""


@dataclass(frozen=True)
class Pixels:
    """Channels are (level - mean) / deviation of levels from 0 to 255, in the order of a network's input."""

    mean: Colour = (0.0, 0.0, 0.0)
    deviation: Colour = (1.0, 1.0, 1.0)
    blue_first: bool = False

    def planes(self, levels: Array) -> Array:
        """The input (3, H, W) of levels (3, H, W) from 0 to 255, red first."""
        values: Array = ((levels.T - np.array(self.mean)) / np.array(self.deviation)).T.astype(np.float32)
        return np.ascontiguousarray(values[::-1]) if self.blue_first else values


RAW = Pixels(blue_first=True)
"""Of YOLOX since August 2021, and of mmdetection's."""
IMAGENET = Pixels((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
"""Of mmpretrain's and timm's classifiers, and of YOLOX before."""
DARKNET = Pixels(deviation=(255.0, 255.0, 255.0))
"""Shares of 255, red first."""


def folded(weight: Array, mean: Array, source: Pixels, target: Pixels) -> tuple[Array, Array]:
    """A first convolution (F, 3 q, h, w) on pixels and its norm's mean (F,), made for `source`, rewritten for `target`.

    Channel 3 q + c of the input is channel c of a pixel, q its place in a square of pixels. The convolution has no
    bias, so what differs in the means of the colours goes into the mean of the norm. Outputs are equal wherever the
    filter lies inside the image: the zeros beside it stand for black instead of for the source's mean, or reversely.
    """
    filters, channels, height, width = weight.shape
    by_colour = weight.astype(np.float64).reshape(filters, channels // 3, 3, height, width)
    if source.blue_first:
        by_colour = by_colour[:, :, ::-1]
    scale = np.array(target.deviation) / np.array(source.deviation)
    shift = (np.array(target.mean) - np.array(source.mean)) / np.array(source.deviation)
    bias = np.einsum("fqchw,c->f", by_colour, shift)
    by_colour = by_colour * scale[:, None, None]
    if target.blue_first:
        by_colour = by_colour[:, :, ::-1]
    return by_colour.reshape(weight.shape).astype(np.float32), (mean - bias).astype(np.float32)
