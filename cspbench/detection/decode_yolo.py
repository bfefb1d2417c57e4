"""Decodes [yolo], [Gaussian_yolo] and [region] outputs as Darknet does (spec c.1 to c.3).

All arithmetic is float32, except where Darknet computes in double and rounds once: exp of a width or height, and the
offset of a letterbox. Only anchors above the objectness threshold are decoded further.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cspbench.data.resize import letterbox_extent
from cspbench.detection.candidates import Candidates, no_candidates
from cspbench.errors import DefinitionError
from cspbench.inference.finite import check_finite
from cspbench.network.layers import Detection, GaussianYolo, Region, Yolo

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

OBJECTNESS = 4
"""The index of the objectness in an anchor's values; Gaussian layers have a deviation after each value before it."""


class _Passing(NamedTuple):
    """The M anchors of a layer above the objectness threshold, in the order image, row, column, anchor."""

    image: Indices
    row: Indices
    column: Indices
    anchor: Floats
    """(M, 2): width and height of the prior."""
    values: Floats
    """(M, values): raw outputs."""
    objectness: Floats
    grid: tuple[int, int]
    """Height and width of the layer's output."""


class _LayerCandidates(NamedTuple):
    """The candidates of a layer in a batch: M boxes, and K candidates with the indices of their boxes."""

    image: Indices
    boxes: Floats
    """(M, 4): centre and size, as fractions of the network's input."""
    box: Indices
    category: Indices
    score: Floats


def decode(
    outputs: Sequence[Floats],
    layers: Sequence[Detection],
    size: tuple[int, int],
    extents: Sequence[tuple[int, int]],
    conf: float,
    names: Sequence[str],
    *,
    letterbox: bool = False,
) -> list[Candidates]:
    """The candidates of every image of a batch of N, with scores above `conf`.

    `outputs` are the layers' inputs in network order, float32 (N, anchors * (values + classes), h, w) each; `size` is
    the network input's (height, width), `extents` the images' (width, height) in pixels, `names` their names for
    errors. `letterbox`: the images were letterboxed. Boxes without a category above `conf` are omitted.

    Raises `OutputError` for NaN outputs and infinite boxes, `DefinitionError` for a layer that cannot be decoded.
    """
    for output in outputs:
        # the maximum is NaN if any value is; testing every value takes longer
        largest = output.reshape(len(output), -1).max(1)
        check_finite(~np.isnan(largest), names, "boxes", "nan")
    with np.errstate(over="ignore", invalid="ignore"):  # exp(100) is infinite in Darknet, too
        decoded = [
            _decode_layer(raw, layer, size, np.float32(conf)) for raw, layer in zip(outputs, layers, strict=True)
        ]
        parts = _by_image(decoded, len(extents))
        images = [_in_pixels(part, size, extent, letterbox) for part, extent in zip(parts, extents, strict=True)]
    check_finite(np.array([np.isfinite(image.boxes).all() for image in images], np.bool_), names, "boxes", "inf")
    return images


def _decode_layer(raw: Floats, layer: Detection, size: tuple[int, int], conf: np.float32) -> _LayerCandidates:
    """One layer's boxes and candidates over a batch."""
    if layer.classes > np.iinfo(np.int16).max:
        raise DefinitionError(
            "network.too-many-classes",
            "too many classes to decode",
            expected=f"{np.iinfo(np.int16).max} at most",
            found=str(layer.classes),
            remedy="Correct classes=",
        )
    match layer:
        case GaussianYolo():
            passing = _passing(raw, layer, conf, 2 * OBJECTNESS)
            boxes, scores = _gaussian(passing, layer, size)
        case Yolo():
            passing = _passing(raw, layer, conf, OBJECTNESS, activated=layer.new_coords)
            boxes, scores = _yolo(passing, layer, size)
        case Region(softmax=True):
            passing = _passing(raw, layer, conf, OBJECTNESS)
            boxes, scores = _region(passing)
        case _:
            raise DefinitionError(
                "network.no-softmax",
                f"[{layer.section}] without softmax=1 cannot be decoded",
                expected="a softmax over the classes",
                found="a class tree, or raw values",
                remedy="Evaluate a network with [yolo] layers",
            )
    box, category = np.nonzero(scores > conf)
    return _LayerCandidates(passing.image, boxes, box, category, scores[box, category])


def _passing(raw: Floats, layer: Detection, conf: np.float32, index: int, *, activated: bool = False) -> _Passing:
    """The anchors of the layer whose objectness (the value at `index`) is above `conf`."""
    images, _, height, width = raw.shape
    planes = raw.reshape(images, layer.used, -1, height, width)
    plane = planes[:, :, index].transpose(0, 2, 3, 1)  # image, row, column, anchor: the order of candidates
    objectness = plane if activated else _logistic(plane)
    image, row, column, anchor = np.nonzero(objectness > conf)
    used = [layer.anchors[number] for number in (layer.mask if isinstance(layer, Yolo) else range(layer.used))]
    return _Passing(
        image,
        row,
        column,
        np.array(used, np.float32)[anchor],
        planes[image, anchor, :, row, column],
        objectness[image, row, column, anchor],
        (height, width),
    )


def _yolo(at: _Passing, layer: Yolo, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """Boxes (M, 4) and scores (M, classes) of [yolo] (spec c.1)."""
    values, classes = at.values, at.values[:, OBJECTNESS + 1 :]
    offsets = values[:, :2] if layer.new_coords else _logistic(values[:, :2])
    centre = _centre(at, _spread(offsets, layer.scale_x_y))
    if layer.new_coords:
        # float32 throughout, from the left: v * v * 4 * anchor / size
        extent = values[:, 2:4] * values[:, 2:4] * np.float32(4) * at.anchor / _width_height(size)
    else:
        extent = _exponential(values[:, 2:4], at.anchor, size)
        classes = _logistic(classes)
    return np.concatenate((centre, extent), 1), at.objectness[:, None] * classes


def _gaussian(at: _Passing, layer: GaussianYolo, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """Boxes (M, 4) and scores (M, classes) of [Gaussian_yolo]: the mean deviation lowers the score (spec c.2)."""
    values = at.values
    centre = _centre(at, _spread(_logistic(values[:, 0:4:2]), layer.scale_x_y))
    extent = _exponential(values[:, 4:8:2], at.anchor, size)
    if layer.yolo_point != "center":
        half = extent / np.float32(2)
        centre = centre + half if layer.yolo_point == "left_top" else centre - half
    deviations = _logistic(values[:, 1:8:2])
    total = deviations[:, 0] + deviations[:, 1] + deviations[:, 2] + deviations[:, 3]
    certainty = 1.0 - (total / np.float32(4)).astype(np.float64)
    scores = at.objectness[:, None] * _logistic(values[:, 2 * OBJECTNESS + 1 :])
    return np.concatenate((centre, extent), 1), (scores * certainty[:, None]).astype(np.float32)


def _region(at: _Passing) -> tuple[Floats, Floats]:
    """Boxes (M, 4) and scores (M, classes) of [region], whose anchors are in grid cells (spec c.3)."""
    centre = _centre(at, _logistic(at.values[:, :2]))
    extent = _exponential(at.values[:, 2:4], at.anchor, at.grid)
    classes = at.values[:, OBJECTNESS + 1 :]
    powers = np.exp(classes - classes.max(1, keepdims=True))
    return np.concatenate((centre, extent), 1), at.objectness[:, None] * (powers / powers.sum(1, keepdims=True))


def _logistic(values: Floats) -> Floats:
    one = np.float32(1)
    activated: Floats = one / (one + np.exp(-values))
    return activated


def _spread(offsets: Floats, scale: float) -> Floats:
    """scale_x_y: offsets in a cell scaled about its centre, so that they can reach its borders."""
    spread: Floats = offsets * np.float32(scale) + np.float32(-0.5 * (np.float32(scale) - np.float32(1)))
    return spread


def _centre(at: _Passing, offsets: Floats) -> Floats:
    """Offsets in a cell, (M, 2) x and y, as fractions of the input."""
    corner = np.stack((at.column, at.row), 1).astype(np.float32)
    centre: Floats = (corner + offsets) / _width_height(at.grid)
    return centre


def _exponential(values: Floats, anchor: Floats, unit: tuple[int, int]) -> Floats:
    """Width and height, (M, 2), as fractions: exp(value) * anchor / unit in double, rounded once."""
    extent: Floats = (np.exp(values.astype(np.float64)) * anchor / _width_height(unit)).astype(np.float32)
    return extent


def _width_height(size: tuple[int, int]) -> Floats:
    return np.array([size[1], size[0]], np.float32)


def _by_image(layers: Sequence[_LayerCandidates], images: int) -> list[Candidates]:
    """The layers' candidates by image, in the order of the layers; boxes without a candidate are dropped."""
    starts = np.cumsum([0] + [len(layer.boxes) for layer in layers])
    box = np.concatenate([layer.box + start for layer, start in zip(layers, starts[:-1], strict=True)])
    used, box = np.unique(box, return_inverse=True)
    image = np.concatenate([layer.image for layer in layers])[used]
    order = np.argsort(image, kind="stable")
    position = np.empty_like(order)
    position[order] = np.arange(len(order))
    boxes = np.concatenate([layer.boxes for layer in layers])[used][order]
    by_position = np.argsort(position[box], kind="stable")
    box = position[box][by_position]
    category = np.concatenate([layer.category for layer in layers])[by_position].astype(np.int16)
    score = np.concatenate([layer.score for layer in layers])[by_position]
    ends = np.searchsorted(image[order], np.arange(images + 1))
    cuts = np.searchsorted(box, ends)
    return [
        Candidates(boxes[first:end], (box[low:high] - first).astype(np.int32), category[low:high], score[low:high])
        for first, end, low, high in zip(ends[:-1], ends[1:], cuts[:-1], cuts[1:], strict=True)
    ]


def _in_pixels(image: Candidates, size: tuple[int, int], extent: tuple[int, int], letterbox: bool) -> Candidates:
    """Boxes in pixels of the image, without the letterbox's borders (spec c.1, correct_yolo_boxes)."""
    boxes = image.boxes
    if letterbox:
        inside = np.array(letterbox_extent(size, extent))
        if not inside.all():
            return no_candidates()  # the image is so thin that the input is all grey
        outer = np.array([size[1], size[0]])
        ratio = inside.astype(np.float32) / outer.astype(np.float32)
        # with half pixels, as in Darknet, although the image is pasted at whole pixels
        centre = (boxes[:, :2] - (outer - inside) / 2 / outer) / ratio
        boxes = np.concatenate((centre.astype(np.float32), boxes[:, 2:] * (np.float32(1) / ratio)), 1)
    return Candidates(boxes * np.array([*extent, *extent], np.float32), image.box, image.category, image.score)
