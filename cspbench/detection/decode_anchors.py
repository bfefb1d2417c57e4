"""Decodes the outputs of the quoted detectors' heads: [multibox], [refinebox] and [roibox].

Sources: SSD (arXiv 1512.02325), RefineDet (arXiv 1711.06897) and Faster R-CNN (arXiv 1506.01497). All of them transform
an anchor by offsets: the centre in units of its size, the size by powers of e. All arithmetic is float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import numpy as np
from numpy.typing import NDArray

from cspbench.detection.candidates import Candidates
from cspbench.errors import DefinitionError
from cspbench.inference.finite import check_finite
from cspbench.network.layers import Detection, MultiBox, RefineBox, RoiBox

Floats = NDArray[np.float32]

LARGEST_GROWTH = log(1000 / 16)
"""The logarithm of a proposal's largest growth, 1000/16, as in Detectron."""


def decode(
    outputs: Sequence[Floats],
    layers: Sequence[Detection],
    size: tuple[int, int],
    extents: Sequence[tuple[int, int]],
    conf: float,
    names: Sequence[str],
    *,
    objectness: float = 0.0,
) -> list[Candidates]:
    """The candidates of every image of a batch of N, with class probabilities above `conf`, the background apart.

    `outputs` are the layers' inputs in network order, float32 (N, channels, h, w) each; `size` is the network input's
    (height, width), `extents` the (width, height) in pixels of the images, which were stretched to it, `names` the
    images' names for errors. Refined anchors with an object probability of at most `objectness` are omitted.

    Raises `OutputError` for outputs that are not finite, `DefinitionError` for a head of another kind.
    """
    finite = [all(np.isfinite(output[index]).all() for output in outputs) for index in range(len(names))]
    check_finite(np.array(finite, np.bool_), names, "boxes")
    images = []
    for index, (width, height) in enumerate(extents):
        ratio = np.array([width / size[1], height / size[0]] * 2, np.float32)
        parts = [
            _decode_layer(output[index], layer, size, conf, objectness)
            for output, layer in zip(outputs, layers, strict=True)
        ]
        images.append(_joined(parts, ratio))
    check_finite(np.array([np.isfinite(image.boxes).all() for image in images], np.bool_), names, "boxes", "inf")
    return images


def _decode_layer(raw: Floats, layer: Detection, size: tuple[int, int], conf: float, objectness: float) -> Candidates:
    """The candidates of one layer in one image, from its (channels, h, w), in pixels of the network's input."""
    match layer:
        case RefineBox():
            boxes, scores = _refined(raw, layer, size, objectness)
        case MultiBox():
            offsets, classes = np.split(raw, [4 * layer.used])
            boxes = moved(priors(layer, _grid(raw), size), _by_anchor(offsets, layer.used), layer.variances)
            scores = softmax(_by_anchor(classes, layer.used))[:, 1:]
        case RoiBox():
            boxes, scores = _regions(raw, layer, size)
        case _:
            raise DefinitionError(
                "network.not-a-quoted-head",
                f"[{layer.section}] is not a head of a quoted detector",
                expected="[multibox], [refinebox] or [roibox]",
                found=f"[{layer.section}]",
                remedy="Use cspbench.detection.decode_yolo for Darknet's heads",
            )
    box, category = np.nonzero(scores > np.float32(conf))
    used, row = np.unique(box, return_inverse=True)
    return Candidates(boxes[used], row.astype(np.int32), category.astype(np.int16), scores[box, category])


def _refined(raw: Floats, layer: RefineBox, size: tuple[int, int], objectness: float) -> tuple[Floats, Floats]:
    """[refinebox]: boxes (M, 4) and class probabilities (M, classes), 0 for anchors without an object."""
    count = layer.used
    first, presence, second, classes = (
        _by_anchor(part, count) for part in np.split(raw, np.cumsum([4, 2, 4])[:3] * count)
    )
    anchors = moved(priors(layer, _grid(raw), size), first, layer.variances)
    scores = softmax(classes)[:, 1:]
    scores[softmax(presence)[:, 1] <= np.float32(objectness)] = 0
    return moved(anchors, second, layer.variances), scores


def _regions(raw: Floats, layer: RoiBox, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """[roibox]: boxes (M, 4), clipped to the input, and class probabilities (M, classes) of the proposals."""
    scores, offsets, corners = np.split(raw[:, :, 0].T, [layer.classes + 1, layer.classes + 5], axis=1)
    extent = corners[:, 2:] - corners[:, :2]
    used = (extent > 0).all(1)  # unused rows of proposals are zero
    scores, offsets, corners, extent = scores[used], offsets[used], corners[used], extent[used]
    limit = np.float32(LARGEST_GROWTH / layer.variances[1])
    offsets = np.concatenate((offsets[:, :2], np.clip(offsets[:, 2:], -limit, limit)), 1)
    boxes = moved(np.concatenate((corners[:, :2] + extent / 2, extent), 1), offsets, layer.variances)
    border = np.array([size[1], size[0]], np.float32)
    low = np.clip(boxes[:, :2] - boxes[:, 2:] / 2, 0, border)
    high = np.clip(boxes[:, :2] + boxes[:, 2:] / 2, 0, border)
    return np.concatenate(((low + high) / 2, high - low), 1), softmax(scores)[:, :-1]


def priors(layer: MultiBox, grid: tuple[int, int], size: tuple[int, int]) -> Floats:
    """A head's anchors (h * w * anchors, 4): centre and size in pixels of the network's input, row by row."""
    steps = [layer.step or pixels / cells for pixels, cells in zip(size, grid, strict=True)]
    rows, columns = ((np.arange(cells) + 0.5) * step for cells, step in zip(grid, steps, strict=True))
    anchors = np.empty((*grid, layer.used, 4), np.float32)
    anchors[..., 0] = columns[None, :, None]
    anchors[..., 1] = rows[:, None, None]
    anchors[..., 2:] = layer.anchors
    if layer.clip:
        np.clip(anchors, 0, [size[1], size[0]] * 2, out=anchors)
    return anchors.reshape(-1, 4)


def moved(anchors: Floats, offsets: Floats, variances: tuple[float, float]) -> Floats:
    """Anchors (M, 4: centre, size) transformed by offsets (M, 4)."""
    centre = anchors[:, :2] + offsets[:, :2] * np.float32(variances[0]) * anchors[:, 2:]
    with np.errstate(over="ignore"):  # an untrained network may give e^100; the boxes are checked
        extent = anchors[:, 2:] * np.exp(offsets[:, 2:] * np.float32(variances[1]))
    boxes: Floats = np.concatenate((centre, extent), 1).astype(np.float32)
    return boxes


def softmax(scores: Floats) -> Floats:
    """Probabilities along the last axis."""
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    probabilities: Floats = powers / powers.sum(-1, keepdims=True)
    return probabilities


def _grid(raw: Floats) -> tuple[int, int]:
    return raw.shape[1], raw.shape[2]


def _by_anchor(part: Floats, anchors: int) -> Floats:
    """(anchors * values, h, w) to (h * w * anchors, values)."""
    return part.reshape(anchors, -1, *part.shape[1:]).transpose(2, 3, 0, 1).reshape(-1, len(part) // anchors)


def _joined(parts: Sequence[Candidates], ratio: Floats) -> Candidates:
    """The candidates of all layers, in pixels of the image."""
    starts = np.cumsum([0] + [len(part.boxes) for part in parts])
    return Candidates(
        np.concatenate([part.boxes for part in parts]) * ratio,
        np.concatenate([part.box + start for part, start in zip(parts, starts, strict=False)]).astype(np.int32),
        np.concatenate([part.category for part in parts]),
        np.concatenate([part.score for part in parts]),
    )
