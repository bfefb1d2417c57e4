"""Outputs of the quoted detectors' heads to candidates: [multibox], [refinebox] and [roibox].

Sources: SSD (arXiv 1512.02325), RefineDet (arXiv 1711.06897) and Faster R-CNN (arXiv 1506.01497), which all move an
anchor by offsets: its centre by shares of its size, its size by powers of e. All arithmetic is float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import numpy as np
from numpy.typing import NDArray

from cspbench.detection.candidates import Candidates, no_candidates
from cspbench.errors import DefinitionError, OutputError
from cspbench.network.layers import Detection, MultiBox, RefineBox, RoiBox

Floats = NDArray[np.float32]

LARGEST_GROWTH = log(1000 / 16)
"""A proposal grows to 1000/16 times its size at most, as in Detectron."""


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
    """The candidates of every image of a batch of N, with class probabilities above `conf`; the background is none.

    `outputs` are the layers' inputs in network order, float32 (N, channels, h, w) each; `size` is the network input's
    (height, width), `extents` the images' (width, height) in pixels, which were stretched to it, `names` what errors
    call them. Refined anchors hold something with a probability above `objectness`, or are left out.

    Raises `OutputError` for outputs that are not finite, `DefinitionError` for a head of another kind.
    """
    for at, name in enumerate(names):
        if not all(np.isfinite(output[at]).all() for output in outputs):
            raise OutputError(
                "network.not-finite",
                "the network gives values that are not finite",
                where=name,
                expected="boxes",
                found="nan or inf",
                remedy="Check the weights with `cspbench weights verify`, or use --precision fp32",
            )
    images = []
    for at, (width, height) in enumerate(extents):
        ratio = np.array([width / size[1], height / size[0]] * 2, np.float32)
        parts = [
            _found(output[at], layer, size, conf, objectness) for output, layer in zip(outputs, layers, strict=True)
        ]
        images.append(_joined(parts, ratio))
    return images


def _found(raw: Floats, layer: Detection, size: tuple[int, int], conf: float, objectness: float) -> Candidates:
    """What one layer finds in one image, from its (channels, h, w), in pixels of the network's input."""
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
                f"[{layer.section}] is no head of a quoted detector",
                expected="[multibox], [refinebox] or [roibox]",
                found=f"[{layer.section}]",
                remedy="Darknet's heads are decoded by cspbench.detection.decode_yolo",
            )
    box, category = np.nonzero(scores > np.float32(conf))
    kept, row = np.unique(box, return_inverse=True)
    return Candidates(boxes[kept], row.astype(np.int32), category.astype(np.int16), scores[box, category])


def _refined(raw: Floats, layer: RefineBox, size: tuple[int, int], objectness: float) -> tuple[Floats, Floats]:
    """[refinebox]: boxes (M, 4) and class probabilities (M, classes), 0 where there is nothing."""
    count = layer.used
    first, something, second, classes = (
        _by_anchor(part, count) for part in np.split(raw, np.cumsum([4, 2, 4])[:3] * count)
    )
    anchors = moved(priors(layer, _grid(raw), size), first, layer.variances)
    scores = softmax(classes)[:, 1:]
    scores[softmax(something)[:, 1] <= np.float32(objectness)] = 0
    return moved(anchors, second, layer.variances), scores


def _regions(raw: Floats, layer: RoiBox, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """[roibox]: boxes (M, 4), cut off at the border, and class probabilities (M, classes) of the proposals."""
    scores, offsets, corners = np.split(raw[:, :, 0].T, [layer.classes + 1, layer.classes + 5], axis=1)
    extent = corners[:, 2:] - corners[:, :2]
    there = (extent > 0).all(1)  # what is left over of the rows for proposals is zero
    scores, offsets, corners, extent = scores[there], offsets[there], corners[there], extent[there]
    limit = np.float32(LARGEST_GROWTH / layer.variances[1])
    offsets = np.concatenate((offsets[:, :2], np.clip(offsets[:, 2:], -limit, limit)), 1)
    boxes = moved(np.concatenate((corners[:, :2] + extent / 2, extent), 1), offsets, layer.variances)
    border = np.array([size[1], size[0]], np.float32)
    low = np.clip(boxes[:, :2] - boxes[:, 2:] / 2, 0, border)
    high = np.clip(boxes[:, :2] + boxes[:, 2:] / 2, 0, border)
    return np.concatenate(((low + high) / 2, high - low), 1), softmax(scores)[:, :-1]


def priors(layer: MultiBox, grid: tuple[int, int], size: tuple[int, int]) -> Floats:
    """A head's anchors (h * w * anchors, 4): centre and size in pixels of the network's input, row by row."""
    steps = [layer.step or whole / cells for whole, cells in zip(size, grid, strict=True)]
    rows, columns = ((np.arange(cells) + 0.5) * step for cells, step in zip(grid, steps, strict=True))
    found = np.empty((*grid, layer.used, 4), np.float32)
    found[..., 0] = columns[None, :, None]
    found[..., 1] = rows[:, None, None]
    found[..., 2:] = layer.anchors
    if layer.clip:
        np.clip(found, 0, [size[1], size[0]] * 2, out=found)
    return found.reshape(-1, 4)


def moved(anchors: Floats, offsets: Floats, variances: tuple[float, float]) -> Floats:
    """Anchors (M, 4: centre, size) moved by offsets (M, 4)."""
    centre = anchors[:, :2] + offsets[:, :2] * np.float32(variances[0]) * anchors[:, 2:]
    with np.errstate(over="ignore"):  # an untrained network may say e^100; the boxes are checked
        extent = anchors[:, 2:] * np.exp(offsets[:, 2:] * np.float32(variances[1]))
    found: Floats = np.concatenate((centre, extent), 1).astype(np.float32)
    return found


def softmax(scores: Floats) -> Floats:
    """Probabilities along the last axis."""
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    found: Floats = powers / powers.sum(-1, keepdims=True)
    return found


def _grid(raw: Floats) -> tuple[int, int]:
    return raw.shape[1], raw.shape[2]


def _by_anchor(part: Floats, anchors: int) -> Floats:
    """(anchors * values, h, w) to (h * w * anchors, values)."""
    return part.reshape(anchors, -1, *part.shape[1:]).transpose(2, 3, 0, 1).reshape(-1, len(part) // anchors)


def _joined(parts: Sequence[Candidates], ratio: Floats) -> Candidates:
    """The layers' candidates as one image's, in pixels of the image."""
    if not parts:
        return no_candidates()
    starts = np.cumsum([0] + [len(part.boxes) for part in parts])
    boxes = np.concatenate([part.boxes for part in parts]) * ratio
    if not np.isfinite(boxes).all():
        raise OutputError(
            "network.not-finite",
            "the network gives boxes without end",
            expected="finite boxes",
            found="inf",
            remedy="Check the weights with `cspbench weights verify`, or use --precision fp32",
        )
    return Candidates(
        boxes,
        np.concatenate([part.box + start for part, start in zip(parts, starts, strict=False)]).astype(np.int32),
        np.concatenate([part.category for part in parts]),
        np.concatenate([part.score for part in parts]),
    )
