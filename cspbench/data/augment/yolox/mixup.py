"""YOLOX's MixUp: the mean of a mosaic and a scaled image, with the boxes of both (spec yolox d.4)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cspbench.data.augment.draws import Draws
from cspbench.data.augment.yolox.affine import enough
from cspbench.data.augment.yolox.boxes import Boxes, cut, mirrored, moved
from cspbench.data.opencv import letterbox, letterbox_ratio, resize

Pixels = NDArray[np.uint8]
SHORTEST = 5.0
"""Pixels that both sides of a box must exceed, in 2021."""


class Partner(NamedTuple):
    """What is drawn for the image that is mixed in: its number, scale, place of the picture in it, and mirroring."""

    image: int
    scale: float
    offset: tuple[int, int]
    """x, y."""
    mirror: bool


def partner(draws: Draws, image: int, limits: tuple[float, float], size: tuple[int, int]) -> Partner:
    """For a picture of `size`, height and width: where the scaled image is larger, a random part of it is seen."""
    scale, mirror = float(draws.uniform(*limits)), draws.coin()
    numbers = draws.integer(), draws.integer()
    beyond = [_scaled(side, scale) - side for side in (size[1], size[0])]
    x, y = (number % more if more > 0 else 0 for number, more in zip(numbers, beyond, strict=True))
    return Partner(image, scale, (x, y), mirror)


def _scaled(side: int, scale: float) -> int:
    return int(side * scale)


def mixed(
    picture: tuple[Pixels, Boxes], other: tuple[Pixels, Boxes], chosen: Partner, early: bool
) -> tuple[Pixels, Boxes]:
    """The mixed picture and its boxes; `early` leaves out boxes of which little is seen, and mixes for one at least."""
    (pixels, own), (image, theirs) = picture, other
    height, width = pixels.shape[:2]
    seen, boxes, whole = _seen(image, theirs, chosen, (height, width))
    if early:
        kept = enough(whole[:, :4], boxes[:, :4], SHORTEST)
        if not kept.any():
            return picture
        boxes = boxes[kept]
    # halves are exact, and cut off
    mean = ((pixels.astype(np.uint16) + seen) >> 1).astype(np.uint8)
    return mean, np.concatenate((own, boxes))


def _seen(image: Pixels, boxes: Boxes, chosen: Partner, size: tuple[int, int]) -> tuple[Pixels, Boxes, Boxes]:
    """What is seen of the image, black beside it, with its boxes, and the boxes before they were cut at the picture."""
    height, width = size
    across, down = _scaled(width, chosen.scale), _scaled(height, chosen.scale)
    ratio = letterbox_ratio(size, (image.shape[1], image.shape[0])) * chosen.scale
    shown = resize(letterbox(image, width, height), across, down)
    whole = cut(moved(boxes, ratio, 0, 0), (down, across))
    if chosen.mirror:
        shown, whole = shown[:, ::-1], mirrored(whole, across)
    x, y = chosen.offset
    part = shown[y : y + height, x : x + width]
    canvas = np.zeros((height, width, 3), np.uint8)
    canvas[: part.shape[0], : part.shape[1]] = part
    return canvas, cut(moved(whole, 1, -x, -y), size), whole
