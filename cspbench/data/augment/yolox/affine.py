"""A random affine map of a picture and its boxes, pixels as OpenCV's warpAffine makes them (4.5) (spec yolox d.4).

OpenCV rounds places to 32nds of a pixel, by way of 1024ths along rows and columns, and weights are exact.
"""

from __future__ import annotations

from math import cos, radians, sin, tan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cspbench.data.opencv import FILL

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]
PLACES, PARTS = 1024, 32
"""Units of a pixel in which places are computed, and those that they are rounded to."""


class Affine(NamedTuple):
    """What is drawn for a map: degrees, a factor, degrees of shear along x and y, shares of the picture to move by."""

    angle: float
    scale: float
    shear: tuple[float, float]
    shift: tuple[float, float]

    def matrix(self, canvas: tuple[int, int], size: tuple[int, int], centred: bool) -> Floats:
        """The map (2, 3) of x, y, 1 on a canvas of (height, width) to x, y on a picture of `size`.

        `centred` maps the canvas' centre to the picture's, but for the shift, as in 2021; otherwise it is so with the
        top left corners, and the two shears have changed places.
        """
        turn = radians(self.angle)
        along, across = self.scale * cos(turn), self.scale * sin(turn)
        rotation = np.array([[along, across], [-across, along]])
        first, second = (tan(radians(shear)) for shear in self.shear)
        shear = np.array([[1, first], [second, 1]] if centred else [[1, second], [first, 1]])
        linear = shear @ rotation
        extent = np.array([size[1], size[0]])
        offset = np.array(self.shift) * extent
        if centred:
            offset = offset + extent / 2 - linear @ (np.array([canvas[1], canvas[0]]) / 2)
        return np.concatenate((linear, offset[:, None]), 1)


def warp(image: Pixels, matrix: Floats, size: tuple[int, int]) -> Pixels:
    """uint8 (H, W, 3) mapped by a matrix (2, 3) to a picture of `size`, height and width; grey outside of the image."""
    height, width = image.shape[:2]
    (a, b, x), (c, d, y) = matrix.tolist()
    determinant = a * d - b * c
    inverse = 1 / determinant if determinant else 0.0
    a, b, c, d = d * inverse, -b * inverse, -c * inverse, a * inverse
    x, y = -a * x - b * y, -c * x - d * y
    columns, rows = np.arange(size[1]), np.arange(size[0])
    border = np.full((height + 2, width + 2, 3), FILL, np.uint8)
    border[1:-1, 1:-1] = image
    across, left, right = _places(a * columns, b * rows + x, width)
    down, top, bottom = _places(c * columns, d * rows + y, height)
    flat = border.reshape(-1, 3)
    total = np.zeros((*size, 3), np.int32)
    for row, vertical in ((top, PARTS - down), (bottom, down)):
        for column, horizontal in ((left, PARTS - across), (right, across)):
            total += flat[row * (width + 2) + column] * (vertical * horizontal)[..., None]
    half = PARTS * PARTS // 2
    result: Pixels = ((total + half) // (PARTS * PARTS)).astype(np.uint8)
    return result


def _places(by_column: Floats, by_row: Floats, length: int) -> tuple[NDArray[np.int32], ...]:
    """Of each pixel (H, W): 32nds beyond the first of the two places that it is between, and these places.

    Places begin at 1 on an image of `length`, and are 0 and `length` + 1 beside it.
    """
    along = np.rint(by_column * PLACES).astype(np.int64)
    start = np.rint(by_row * PLACES).astype(np.int64) + PLACES // PARTS // 2
    units = (start[:, None] + along) // (PLACES // PARTS)
    whole, rest = units // PARTS, units % PARTS
    first, second = ((whole + step).clip(0, length + 1).astype(np.int32) for step in (1, 2))
    return rest.astype(np.int32), first, second


def mapped(boxes: Floats, matrix: Floats, size: tuple[int, int]) -> Floats:
    """Boxes (M, 4), left, top, right, bottom, as those around their four mapped corners, cut at the picture."""
    corners = boxes[:, [0, 1, 2, 3, 0, 3, 2, 1]].reshape(-1, 2)
    x, y = (corners @ matrix[:, :2].T + matrix[:, 2]).reshape(-1, 4, 2).transpose(2, 0, 1)
    edges = np.stack((x.min(1), y.min(1), x.max(1), y.max(1)), 1)
    result: Floats = edges.clip(0, [size[1], size[0]] * 2)
    return result


def enough(before: Floats, after: Floats, shortest: float) -> NDArray[np.bool_]:
    """Whether enough of boxes (M, 4) is left: both sides, more than a fifth of the area, a shape below 20 to 1."""
    (old_width, old_height), (width, height) = ((boxes[:, 2:] - boxes[:, :2]).T for boxes in (before, after))
    tiny = 1e-16
    slim = np.maximum(width / (height + tiny), height / (width + tiny))
    left = width * height / (old_width * old_height + tiny)
    kept: NDArray[np.bool_] = (width > shortest) & (height > shortest) & (left > 0.2) & (slim < 20)
    return kept
