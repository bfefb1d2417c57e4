"""Boxes of YOLOX's training pictures: (M, 5) of left, top, right, bottom in pixels and class (spec yolox d.4)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]
Objects = NDArray[np.float32]


def of_objects(objects: Objects, extent: tuple[int, int]) -> Boxes:
    """An image's objects (M, 5), class, centre, width and height as parts of it, on `extent` (width, height).

    They are cut at the image; those without an area or with a number that is not finite are left out.
    """
    sides = np.array([*extent, *extent], np.float64)
    pixels = objects[:, 1:].astype(np.float64) * sides
    half = np.maximum(pixels[:, 2:], 0) / 2
    edges = np.concatenate((pixels[:, :2] - half, pixels[:, :2] + half), 1).clip(0, sides)
    with np.errstate(invalid="ignore"):
        good = np.isfinite(edges).all(1) & (edges[:, 2:] > edges[:, :2]).all(1)
    boxes: Boxes = np.concatenate((edges, objects[:, :1].astype(np.float64)), 1)[good]
    return boxes


def moved(boxes: Boxes, ratio: float, x: float, y: float) -> Boxes:
    """Boxes of an image that was resized by `ratio`, then moved by `x` and `y` pixels."""
    result = boxes.copy()
    result[:, :4] = boxes[:, :4] * ratio + [x, y, x, y]
    return result


def cut(boxes: Boxes, size: tuple[int, int]) -> Boxes:
    """Boxes cut at a picture of `size`, height and width; those outside remain, without an area."""
    result = boxes.copy()
    result[:, :4] = boxes[:, :4].clip(0, [size[1], size[0]] * 2)
    return result


def mirrored(boxes: Boxes, width: int) -> Boxes:
    """Boxes of a picture whose left and right have changed places."""
    result = boxes.copy()
    result[:, 0], result[:, 2] = width - boxes[:, 2], width - boxes[:, 0]
    return result


def labels(boxes: Boxes, most: int) -> NDArray[np.float32]:
    """The first `most` boxes as labels (most, 5): class, centre x, y, width, height; the rest is 0."""
    first = boxes[:most]
    centre, side = (first[:, :2] + first[:, 2:4]) / 2, first[:, 2:4] - first[:, :2]
    rows = np.zeros((most, 5), np.float32)
    rows[: len(first)] = np.concatenate((first[:, 4:], centre, side), 1)
    return rows
