"""YOLOX's mosaic: four images around a point, on a canvas twice as wide and high as the picture (spec yolox d.4)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cspbench.data.augment.yolox.boxes import Boxes, cut, moved
from cspbench.data.opencv import FILL, letterbox_extent, letterbox_ratio, resize

Pixels = NDArray[np.uint8]
TILES = 4


def mosaic(
    images: Sequence[tuple[Pixels, Boxes]], point: tuple[int, int], size: tuple[int, int]
) -> tuple[Pixels, Boxes]:
    """The canvas (2 H, 2 W, 3) for pictures of `size` (H, W), and the boxes, cut at its border.

    `images` are those above left, above right, below left and below right of the `point` x, y, which each of them
    touches with a corner; each is resized to fit into a picture. What is off the canvas is cut off.
    """
    canvas = np.full((2 * size[0], 2 * size[1], 3), FILL, np.uint8)
    parts = []
    for number, (image, boxes) in enumerate(images):
        extent = image.shape[1], image.shape[0]
        width, height = letterbox_extent(size, extent)
        if not (width and height):
            continue  # too thin to be seen
        left = point[0] - (0 if number % 2 else width)
        top = point[1] - (0 if number // 2 else height)
        right, bottom = min(left + width, canvas.shape[1]), min(top + height, canvas.shape[0])
        inside = resize(image, width, height)
        canvas[max(top, 0) : bottom, max(left, 0) : right] = inside[
            max(-top, 0) : bottom - top, max(-left, 0) : right - left
        ]
        parts.append(moved(boxes, letterbox_ratio(size, extent), left, top))
    return canvas, cut(np.concatenate([np.zeros((0, 5)), *parts]), (canvas.shape[0], canvas.shape[1]))
