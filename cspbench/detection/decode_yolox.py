"""Decodes the outputs of YOLOX's heads: one box at each point of each level (spec yolox c.3, c.4), or one an anchor.

With anchors a box is YOLOv3's (spec darknet, [yolo]): the centre is in its cell by a sigmoid, the sides are the
anchor's times an exponential. The paper does not print the boxes of its steps with anchors; it says that its baseline
is YOLOv3, and that the anchor-free step predicts the four values directly.

All arithmetic is float32, as the original's. A candidate has the class of the highest probability only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cspbench.detection.candidates import Candidates, no_candidates
from cspbench.inference.finite import check_finite
from cspbench.network.layers.heads import Anchor

Floats = NDArray[np.float32]

OBJECTNESS = 4
"""The place of the objectness in a row: after x, y, width and height, before the classes."""
STRIDE = 2
"""The place of the stride in a point: after column and row."""
STRIDES = (8, 16, 32)
"""Pixels of the network's input that a cell of each level spans."""


def points(size: tuple[int, int], strides: Sequence[int] = STRIDES, anchors: Sequence[Anchor] = ()) -> Floats:
    """The points (A, 3) of an input of `size`, height and width: column, row and stride, level by level, row by row.

    With `anchors`, as many for each level, they are (A, 5), with the anchor's width and height behind: on each level
    all points of the first anchor, then those of the next.
    """
    levels, used = [], len(anchors) // len(strides)
    for level, stride in enumerate(strides):
        rows, columns = np.mgrid[: size[0] // stride, : size[1] // stride]
        cells = np.stack((columns, rows, np.full_like(rows, stride)), -1).reshape(-1, 3).astype(np.float32)
        own = np.array(anchors[level * used : (level + 1) * used], np.float32).reshape(-1, 2)
        levels += [np.hstack((cells, np.tile(sides, (len(cells), 1)))) for sides in own] or [cells]
    return np.concatenate(levels)


def anchored(at: Any) -> bool:
    """Whether points, an array or a tensor, have anchors."""
    return bool(at.shape[-1] > STRIDE + 1)


def activated(raw: Floats, at: Floats) -> Floats:
    """Rows (..., A, 5 + classes) of raw outputs as boxes and probabilities, at the points (A, 3) or (A, 5).

    A row becomes centre x, y, width, height in pixels of the input, objectness, classes.
    """
    rows = np.empty_like(raw)
    stride = at[:, STRIDE, None]
    with np.errstate(over="ignore"):  # an untrained network may give e^100; the boxes are checked
        offset = _sigmoid(raw[..., :2]) if anchored(at) else raw[..., :2]
        rows[..., :2] = (offset + at[:, :2]) * stride
        rows[..., 2:OBJECTNESS] = np.exp(raw[..., 2:OBJECTNESS]) * (at[:, STRIDE + 1 :] if anchored(at) else stride)
        rows[..., OBJECTNESS:] = _sigmoid(raw[..., OBJECTNESS:])
    return rows


def _sigmoid(values: Floats) -> Floats:
    shares: Floats = np.float32(1) / (np.float32(1) + np.exp(-values))
    return shares


def selected(rows: Floats, conf: float) -> Candidates:
    """The candidates of an image's rows (A, 5 + classes) of boxes and probabilities, in their order.

    Objectness times the highest class probability, the first one among equals, is at least `conf`.
    """
    category = rows[:, OBJECTNESS + 1 :].argmax(1)
    score = rows[:, OBJECTNESS] * rows[np.arange(len(rows)), OBJECTNESS + 1 + category]
    passing = np.flatnonzero(score >= np.float32(conf))
    return Candidates(
        rows[passing, :OBJECTNESS],
        np.arange(len(passing), dtype=np.int32),
        category[passing].astype(np.int16),
        score[passing],
    )


def decode(
    raw: Floats,
    at: Floats,
    conf: float,
    scales: Sequence[tuple[float, float] | None],
    names: Sequence[str],
) -> list[Candidates]:
    """The candidates of every image of a batch of N, with scores of at least `conf`.

    `raw` are the head's outputs before any activation, float32 (N, A, 5 + classes), at the points (A, ..). `scales` are
    the pixels of the input for one of the image, across and down, None for an image that is too thin for the input;
    `names` the images' names for errors. Raises `OutputError` for NaN outputs and infinite boxes.
    """
    check_finite(~np.isnan(raw.max((1, 2), initial=0)), names, "boxes", "nan")
    images = [
        no_candidates() if scale is None else _in_image(selected(activated(of_image, at), conf), scale)
        for of_image, scale in zip(raw, scales, strict=True)
    ]
    check_finite(np.array([np.isfinite(image.boxes).all() for image in images], np.bool_), names, "boxes", "inf")
    return images


def _in_image(image: Candidates, scale: tuple[float, float]) -> Candidates:
    """Boxes in pixels of the image."""
    boxes: Floats = np.divide(image.boxes, np.array([*scale, *scale], np.float32))
    return Candidates(boxes, image.box, image.category, image.score)


def limit(threshold: float) -> float:
    """The float32 that a float32 IoU exceeds where it exceeds the double `threshold`, as torchvision compares them.

    At 0.6 an IoU of 3/5, whose float32 is above the double, suppresses; at 0.65 one of 13/20 does not. At 1 nothing is
    suppressed, though the IoU of equal boxes may be rounded to more.
    """
    if threshold >= 1:
        return float("inf")
    nearest: Any = np.float32(threshold)
    return float(nearest if float(nearest) <= threshold else np.nextafter(nearest, np.float32(-1)))
