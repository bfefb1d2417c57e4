"""The objects of a detector's pictures: moved with the crop, mirrored, dropped where too little is left (spec c.3).

Truths are float32 (n, 6): x, y, width and height as parts of the picture, class, and the object's number among its
image's. All arithmetic is in single precision, as Darknet's.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cspbench.data.augment.crop import Margins
from cspbench.data.augment.draws import Draws

Truths = NDArray[np.float32]
Scalar = np.float32
COLUMNS = 6


class Limits(NamedTuple):
    """The network's input in pixels, its number of classes, and the most objects of a picture (max= of [yolo])."""

    width: int
    height: int
    classes: int
    most: int


def shuffled(draws: Draws, count: int) -> list[int]:
    """The order of an image's objects: each changes places with a random one."""
    order = list(range(count))
    for place in range(count):
        other = draws.below(count)
        order[place], order[other] = order[other], order[place]
    return order


def moved(boxes: Truths, order: list[int], margins: Margins, extent: tuple[int, int], mirror: bool) -> Truths:
    """The objects (n, 5) of an image of `extent` (width, height), class, x, y, width, height, in the crop: (n, 6).

    They are cut at the picture's border. An object outside of the image, or without a place, becomes NaN.
    """
    label, x, y, width, height = boxes[order].T
    away = (x == 0) & (y == 0)
    away |= (x + width / 2 < 0) | (y + height / 2 < 0) | (x - width / 2 > 1) | (y - height / 2 > 1)
    left, right = _cut(x, width, margins.left, margins.right, extent[0])
    top, bottom = _cut(y, height, margins.top, margins.bottom, extent[1])
    if mirror:
        left, right = 1 - right, 1 - left
    left, right, top, bottom = (edge.clip(0, 1) for edge in (left, right, top, bottom))
    columns = ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top, label, np.array(order))
    truths = np.stack(columns, 1).astype(np.float32)
    truths[away, :4] = np.nan
    return truths


def _cut(centre: Truths, side: Truths, before: int, after: int, length: int) -> tuple[Truths, Truths]:
    """Both edges along an axis of `length` pixels, relative to the window that its two margins leave."""
    scale = Scalar(length - before - after) / Scalar(length)
    offset, factor = Scalar(before) / Scalar(length) / scale, Scalar(1) / scale
    half = side * Scalar(0.5)
    low: Truths = (centre - half) * factor - offset
    high: Truths = (centre + half) * factor - offset
    return low, high


def kept(truths: Truths, limits: Limits) -> Truths:
    """The first `limits.most` truths without those that are outside, smaller than a pixel or of another class."""
    truths = truths[: limits.most]
    x, y, width, height, label, _ = truths.T
    with np.errstate(invalid="ignore"):
        good = (label >= 0) & (label < limits.classes)
        good &= (width >= Scalar(1) / Scalar(limits.width)) & (height >= Scalar(1) / Scalar(limits.height))
        good &= (x > 0) & (x <= 1) & (y > 0) & (y <= 1)
    chosen: Truths = truths[good]
    return chosen


def smallest_side(truths: Truths, limits: Limits) -> int:
    """The shortest side of all objects in whole pixels; 0 without objects."""
    sides = truths[:, 2:4] * np.array([limits.width, limits.height], np.float32)
    return int(sides.min()) if len(sides) else 0


def joined(first: Truths, second: Truths, most: int) -> Truths:
    """The truths of a picture with those of one that is mixed into it; these lose their numbers."""
    second = second[: max(most - len(first), 0)].copy()
    second[:, 5] = 0
    return np.concatenate((first, second))
