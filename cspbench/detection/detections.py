"""Candidates after NMS as COCO detections, with the same numbers as in Darknet's JSON (spec b.4).

Darknet prints six decimals. `%f` rounds the exact value of a float to the nearest millionth, and so does `detections`:
the metrics are those of the file, with or without a file. YOLOX's evaluation neither rounds nor clips (spec yolox c).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cspbench.data.detection_presets import IdRule
from cspbench.detection.ap.matching import Detections
from cspbench.detection.candidates import Candidates
from cspbench.errors import DefinitionError

Mask = NDArray[np.bool_]


def detections(
    images: Sequence[Candidates],
    keep: Sequence[Mask],
    extents: Sequence[tuple[int, int]] | NDArray[np.int32],
    image_ids: Sequence[int] | NDArray[np.int64],
    category_ids: Sequence[int],
    *,
    exact: bool = False,
) -> Detections:
    """The remaining candidates of each image, in the order of Darknet's file: int64 ids, float64 boxes and scores.

    `keep` are the masks from `nms_many` for one threshold, `extents` the images' (width, height) in pixels. `exact`
    has boxes and scores as they are, and the best first. Raises `DefinitionError` for a class without a category id.
    """
    parts = [
        _best_first(image, mask) if exact else _of_image(image, mask, (int(width), int(height)))
        for image, mask, (width, height) in zip(images, keep, extents, strict=True)
    ]
    counts = [len(boxes) for _, boxes, _ in parts]
    categories = np.concatenate([np.zeros(0, np.int16), *(classes for classes, _, _ in parts)])
    if len(categories) and int(categories.max()) >= len(category_ids):
        raise DefinitionError(
            "network.more-classes",
            "the detector has more classes than the data set",
            expected=f"{len(category_ids)} at most",
            found=str(int(categories.max()) + 1),
            remedy="Use a network for this data set",
        )
    boxes = np.concatenate([np.zeros((0, 4), np.float32), *(boxes for _, boxes, _ in parts)])
    scores = np.concatenate([np.zeros(0, np.float32), *(scores for _, _, scores in parts)])
    return Detections(
        np.repeat(np.asarray(image_ids, np.int64), counts),
        np.asarray(category_ids, np.int64).take(categories),
        *((values.astype(np.float64) if exact else six_decimals(values)) for values in (boxes, scores)),
    )


def image_id(path: str, rule: IdRule) -> int:
    """The COCO id that Darknet reads from an image's path; 0 for a path without a number.

    `basename`: the file name up to its first dot, since April 2020. `underscore`, before: the text after the last
    underscore of the whole path, or else the file name. So a folder with an underscore hides the ids of files without
    one: pass only the relevant part of the path. Evaluations take ids from the annotations, and use this function to
    report where Darknet's ids would differ.
    """
    name = path.rpartition("/")[2]
    text = name.partition(".")[0] if rule == "basename" or "_" not in path else path.rpartition("_")[2]
    number = re.match(r"\s*[+-]?\d+", text, re.ASCII)  # as C's atoi
    return int(number.group()) if number else 0


def six_decimals(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """The doubles read from the values printed with `%f`.

    A float32 times a million is exact in a double, below 2^53; rint and printf both round a tie to even; and n / 10^6
    is the double nearest to the decimal number.
    """
    return np.rint(values.astype(np.float64) * 1e6) / 1e6


def clipped(boxes: NDArray[np.float32], extent: tuple[int, int]) -> NDArray[np.float32]:
    """Boxes (M, 4), centre and size, as left, top, width and height within an image of (width, height).

    Each edge is computed in double, stored as float, and clamped on its own side only: a box left of the image keeps a
    negative right edge, and so gets a negative width.
    """
    centre, half = boxes[:, :2].astype(np.float64), boxes[:, 2:].astype(np.float64) / 2
    low = np.maximum((centre - half).astype(np.float32), np.float32(0))
    high = np.minimum((centre + half).astype(np.float32), np.array(extent, np.float32))
    return np.concatenate((low, high - low), 1)


def _of_image(
    image: Candidates, keep: Mask, extent: tuple[int, int]
) -> tuple[NDArray[np.int16], NDArray[np.float32], NDArray[np.float32]]:
    """Categories, boxes and scores of the remaining candidates, with the categories of a box together."""
    rows = in_file_order(image, keep)
    return image.category[rows], clipped(image.boxes, extent)[image.box[rows]], image.score[rows]


def _best_first(image: Candidates, keep: Mask) -> tuple[NDArray[np.int16], NDArray[np.float32], NDArray[np.float32]]:
    """The same, whole boxes by descending score; equal scores in their order."""
    rows = np.flatnonzero(keep)
    rows = rows[np.argsort(-image.score[rows], kind="stable")]
    boxes = image.boxes[image.box[rows]]
    half = boxes[:, 2:] / np.float32(2)
    low, high = boxes[:, :2] - half, boxes[:, :2] + half
    return image.category[rows], np.concatenate((low, high - low), 1), image.score[rows]


def in_file_order(image: Candidates, keep: Mask) -> NDArray[np.intp]:
    """The rows of the remaining candidates in Darknet's order, with the categories of a box together."""
    boxes = _file_order(image)
    position = np.empty_like(boxes)
    position[boxes] = np.arange(len(boxes))
    rows = np.flatnonzero(keep)
    return rows[np.argsort(position[image.box[rows]], kind="stable")]


def _file_order(image: Candidates) -> NDArray[np.intp]:
    """The final order of the boxes in Darknet, which sorts them in place by each class's score in turn.

    So the last class decides, then the one before it, and so on; ties keep the decoding order. A box's last class and
    its score there, as one number, are enough unless two boxes have both in common. Positive scores compare like their
    bits.
    """
    key = np.zeros(len(image.boxes), np.uint64)
    # the assignment keeps the last candidate of each box, which has its last class
    key[image.box] = (image.category.astype(np.uint64) + np.uint64(1)) << np.uint64(32) | image.score.view(np.uint32)
    order = np.argsort(~key, kind="stable")
    descending = key.take(order)
    ties = (descending[1:] == descending[:-1]) & (descending[1:] > 0)
    return _by_every_class(image) if ties.any() or not (image.score > 0).all() else order


def _by_every_class(image: Candidates) -> NDArray[np.intp]:
    """The same order for any scores: each box is one row of bytes that compares like all its scores.

    The last class comes first, with inverted bits, because the order is descending.
    """
    classes = int(image.category.max(initial=0)) + 1
    scores = np.zeros((len(image.boxes), classes), np.float32)
    scores[image.box, classes - 1 - image.category] = image.score
    rows = np.ascontiguousarray((~scores.view(np.uint32)).astype(">u4"))
    return np.argsort(rows.view(f"S{4 * classes}")[:, 0], kind="stable")
