"""What looks wrong with the detections of another program: few images, one image, equal scores, boxes of another form.

Each of these gives a low AP without an error. Nothing is corrected; the doubts come with their numbers.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cspbench.data.coco.annotations import GroundTruth
from cspbench.detection.ap.matching import Array, Detections

LOOKED_AT = 2000
"""The most detections whose boxes are compared with the objects: the best, at most two for each object."""
LEAST, SHARE = 3, 0.05
"""How many of them, and what share, must meet an object before anything is said about their boxes."""
OVERLAP = 0.5
UNIT = 1.5
"""The largest coordinate of boxes that are parts of their image."""


def doubts(truth: GroundTruth, detections: Detections, sizes: Mapping[int, tuple[int, int]]) -> list[str]:
    """What looks wrong; `sizes` are the width and height of images by id, where they are known."""
    if not len(detections.scores):
        return ["the file has no detections"]
    texts = [_images(truth, detections)]
    scores = np.unique(detections.scores)
    if len(scores) == 1 and len(detections.scores) > 1:
        texts.append(f"all {len(detections.scores):,} scores are {scores[0]:g}: AP depends on their order")
    best = np.argsort(-detections.scores, kind="stable")[: min(LOOKED_AT, 2 * len(truth))]
    boxes = _boxes(truth, Detections(*(column[best] for column in detections)), sizes)
    texts.append(boxes)
    return [text for text in texts if text]


def _images(truth: GroundTruth, detections: Detections) -> str:
    wanted = np.unique(truth.images[~truth.crowd])
    seen = np.unique(detections.image_ids)
    without = len(wanted) - len(np.intersect1d(wanted, seen))
    if len(seen) == 1 and len(wanted) > 1:
        count = len(detections.scores)
        those = f"all {count:,} detections are" if count > 1 else "the only detection is"
        return f"{those} in one image of {len(truth.image_ids):,}, of which {len(wanted):,} have objects"
    if 2 * without > len(wanted):
        return f"{without:,} of the {len(wanted):,} images with objects have no detections"
    return ""


def _boxes(truth: GroundTruth, best: Detections, sizes: Mapping[int, tuple[int, int]]) -> str:
    """The words for boxes that meet objects only if they are read in another way, or objects of other categories."""
    extents = np.array([sizes.get(image, (0, 0)) for image in best.image_ids.tolist()], np.float64).reshape(-1, 2)
    corner, size = best.boxes[:, :2], best.boxes[:, 2:]
    readings = {
        "corners (left, top, right, bottom)": np.concatenate((corner, size - corner), 1),
        "centre, width and height": np.concatenate((corner - size / 2, size), 1),
    }
    parts = bool((np.abs(best.boxes) <= UNIT).mean() > 0.99) and bool((np.abs(truth.boxes) > UNIT).any())
    if parts:
        readings["left, top, width and height"] = best.boxes
        readings = {name: boxes * np.tile(extents, 2) for name, boxes in readings.items()}
    met, right = _meeting(truth, best, best.boxes)
    others = {name: _meeting(truth, best, boxes)[0] for name, boxes in readings.items()}
    name, most = max(others.items(), key=lambda item: item[1])
    least = max(LEAST, SHARE * len(best.scores))
    best_of = f"of the {len(best.scores):,} best detections"
    if parts:
        words = f"; as {name}, {most:,} {best_of} meet an object" if most > met else ""
        return f"the boxes look like parts of their images (0 to 1), not like pixels{words}"
    if most >= least and most > 2 * met:
        return f"the boxes look like {name}: so read, {most:,} {best_of} meet an object, as they are {met:,}"
    if met >= least and met > 4 * right:
        return (
            f"{met:,} {best_of} meet an object, but only {right:,} one of their category: the category ids may be "
            "those of another list"
        )
    return ""


def _meeting(truth: GroundTruth, detections: Detections, boxes: Array) -> tuple[int, int]:
    """How many detections with these boxes meet an object of their image with IoU 0.5, and one of their category."""
    order = np.argsort(truth.images, kind="stable")
    images, categories = truth.images[order], truth.category_ids[order]
    objects = truth.boxes[order]
    begin = np.searchsorted(images, detections.image_ids, "left")
    end = np.searchsorted(images, detections.image_ids, "right")
    count = end - begin
    row = np.repeat(np.arange(len(begin)), count)
    column = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + begin[row]
    one, other = boxes[row], objects[column]
    low = np.maximum(one[:, :2], other[:, :2])
    high = np.minimum(one[:, :2] + one[:, 2:], other[:, :2] + other[:, 2:])
    meeting = np.clip(high - low, 0, None).prod(1)
    union = one[:, 2:].prod(1) + other[:, 2:].prod(1) - meeting
    near = (meeting >= OVERLAP * union) & (meeting > 0)
    same = near & (detections.category_ids[row] == categories[column])
    return len(np.unique(row[near])), len(np.unique(row[same]))
