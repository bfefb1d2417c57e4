"""Mean average precision as Darknet's `detector map` computes it (spec b.6), which is not COCO's AP50.

Every detection is matched with the object of its class of the highest IoU, if that exceeds the threshold, whether or
not a better detection has that object already. There are no crowds, no areas and no cap of detections. All numbers of
boxes are float32, those of precision and recall float64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = np.ndarray[Any, Any]
Boxes = NDArray[np.float32]

POINTS = {"area": 0, "voc11": 11, "coco101": 101}
"""Darknet's -points: the number of recalls at which precision is taken; 0 is the area under the whole curve."""


class Objects(NamedTuple):
    """N objects: `images` (N,) ascending and `classes` (N,) from 0, `boxes` (N, 4) centre, width, height.

    All boxes are parts of the image's width and height. `difficult` (N,) objects need not be found.
    """

    images: Array
    classes: Array
    boxes: Boxes
    difficult: Array


class MapDetections(NamedTuple):
    """D detections by image, within an image in Darknet's order: as `Objects`, with `scores` (D,) float32."""

    images: Array
    classes: Array
    boxes: Boxes
    scores: NDArray[np.float32]


class MapMatches(NamedTuple):
    """Detections matched with objects: `best` (D,) is the index of the object, -1 for none, `iou` (D,) the overlap.

    `ignored` (D,) have no object but a difficult one, and count only at a confidence. `objects` (K,) are the numbers of
    objects that are not difficult, by class.
    """

    classes: Array
    scores: NDArray[np.float32]
    best: Array
    iou: NDArray[np.float32]
    ignored: Array
    objects: Array


@dataclass(frozen=True)
class AtConfidence:
    """True and false positives and missed objects among the detections of more than a score, of a class or of all.

    `iou` is the sum of the overlaps of the true positives, 0 to 1 each. A ratio is None where it is 0 / 0.
    """

    true: int
    false: int
    missed: int
    iou: float

    @property
    def precision(self) -> float | None:
        """Share of the detections that are right."""
        return _ratio(self.true, self.true + self.false)

    @property
    def recall(self) -> float | None:
        """Share of the objects that are found."""
        return _ratio(self.true, self.true + self.missed)

    @property
    def f1(self) -> float | None:
        """The harmonic mean of precision and recall."""
        return None if not self.true else _ratio(2 * self.true, 2 * self.true + self.false + self.missed)

    @property
    def average_iou(self) -> float | None:
        """The mean overlap, in which false positives count as 0."""
        return _ratio(self.iou, self.true + self.false)


def together(counts: Sequence[AtConfidence]) -> AtConfidence:
    """The counts of several classes together."""
    true, false, missed = (sum(getattr(of_class, name) for of_class in counts) for name in ("true", "false", "missed"))
    return AtConfidence(true, false, missed, math.fsum(of_class.iou for of_class in counts))


class DarknetMap(NamedTuple):
    """AP of each class from 0 to 1, and its counts at a confidence."""

    ap: list[float]
    per_class: list[AtConfidence]


def darknet_map(
    objects: Objects,
    detections: MapDetections,
    classes: int,
    *,
    points: int = 0,
    iou_threshold: float = 0.5,
    confidence: float = 0.25,
) -> DarknetMap:
    """AP and the counts of detections; `points` is a value of `POINTS`."""
    matches = match(objects, detections, classes, iou_threshold)
    ap = [average_precision(matches, number, points) for number in range(classes)]
    return DarknetMap(ap, at_confidence(matches, confidence))


def match(objects: Objects, detections: MapDetections, classes: int, iou_threshold: float = 0.5) -> MapMatches:
    """Match every detection with the object of its class that it overlaps most, by more than the threshold."""
    best = np.full(len(detections.scores), -1, np.int64)
    overlap = np.zeros(len(detections.scores), np.float32)
    ignored = np.zeros(len(detections.scores), np.bool_)
    threshold = np.float32(iou_threshold)
    for image in np.unique(detections.images):
        rows = slice(*np.searchsorted(detections.images, [image, image + 1]))
        first, last = np.searchsorted(objects.images, [image, image + 1])
        if first == last:
            continue
        there = slice(first, last)
        value = iou(detections.boxes[rows], objects.boxes[there])
        value[(detections.classes[rows, None] != objects.classes[there]) | ~(value > threshold)] = 0
        easy = np.where(objects.difficult[there], np.float32(0), value)
        overlap[rows] = easy.max(1)
        best[rows] = np.where(overlap[rows] > 0, first + easy.argmax(1), -1)
        ignored[rows] = (best[rows] < 0) & (value > 0).any(1)
    counted = np.bincount(objects.classes[~objects.difficult], minlength=classes)
    return MapMatches(detections.classes, detections.scores, best, overlap, ignored, counted)


def iou(first: Boxes, second: Boxes) -> NDArray[np.float32]:
    """(M, N) overlaps of boxes (M, 4) and (N, 4), in Darknet's order of operations; 0 without a union."""
    half = np.float32(2)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        sides = []
        for axis in (0, 1):
            low = [boxes[:, axis] - boxes[:, axis + 2] / half for boxes in (first, second)]
            high = [boxes[:, axis] + boxes[:, axis + 2] / half for boxes in (first, second)]
            sides.append(np.minimum.outer(high[0], high[1]) - np.maximum.outer(low[0], low[1]))
        shared = np.where((sides[0] < 0) | (sides[1] < 0), np.float32(0), sides[0] * sides[1])
        union = np.add.outer(first[:, 2] * first[:, 3], second[:, 2] * second[:, 3]) - shared
        value = np.where((shared == 0) | (union == 0), np.float32(0), shared / union)
    return np.nan_to_num(value, copy=False).astype(np.float32)


def average_precision(matches: MapMatches, number: int, points: int) -> float:
    """AP of a class, 0 to 1: the area under the curve of precision, which never rises, or its mean at some recalls.

    An object that several detections match is found by the one of the highest score; the others are false positives.
    """
    total = int(matches.objects[number])
    rows = np.flatnonzero((matches.classes == number) & ~matches.ignored)
    if not total or not len(rows):
        return 0.0
    rows = rows[np.argsort(-matches.scores[rows], kind="stable")]
    hits = _first_matches(matches.best[rows])
    true = np.cumsum(hits)
    recall = true / total
    precision = np.maximum.accumulate((true / np.arange(1, len(rows) + 1))[::-1])[::-1]
    if points == 0:
        return float((np.diff(recall, prepend=0.0) * precision).sum())
    # as in C: the point, an integer, divided in double
    reached = np.searchsorted(recall, np.arange(points) / (points - 1), "left")
    return float(np.append(precision, 0.0)[reached].sum() / points)


def at_confidence(matches: MapMatches, confidence: float = 0.25) -> list[AtConfidence]:
    """The counts of each class, of detections with a score above `confidence`.

    Darknet's rule here differs from that of AP: of the detections that match one object, the first in the order of its
    boxes finds it, whatever its score, and that one counts only if its score is above `confidence`.
    """
    hits = _first_matches(matches.best)
    sure = matches.scores > np.float32(confidence)
    counts = []
    for number, total in enumerate(matches.objects.tolist()):
        mine = sure & (matches.classes == number)
        true = int((mine & hits).sum())
        overlap = float(matches.iou[mine & hits].astype(np.float64).sum())
        counts.append(AtConfidence(true, int(mine.sum()) - true, total - true, overlap))
    return counts


def _first_matches(best: Array) -> Array:
    """Whether each detection is the first one that matches its object."""
    mask = np.zeros(len(best), np.bool_)
    _, first = np.unique(best, return_index=True)
    mask[first] = True
    return mask & (best >= 0)


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
