"""The NMS of the quoted detectors: greedy with limits, as in SSD, and linear soft-NMS."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cspbench.detection.candidates import Candidates
from cspbench.detection.nms import nms
from cspbench.zoo.detector_protocol import HardNms, SoftNms

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]


def suppress(image: Candidates, rule: HardNms | SoftNms) -> Candidates:
    """An image's remaining candidates, in the same order; soft-NMS lowers scores."""
    if isinstance(rule, SoftNms):
        scores = _lowered(image, rule)
        rows = np.flatnonzero(scores >= np.float32(rule.floor))
        return _selected(image, _best(scores, rows, rule.kept), scores)
    considered = np.concatenate(
        [_best(image.score, rows, rule.considered) for rows in _by_category(image)] or [np.empty(0, np.intp)]
    )
    considered.sort()
    best = _selected(image, considered, image.score)
    rows = np.flatnonzero(nms(best, rule.overlap))
    return _selected(best, _best(best.score, rows, rule.kept), best.score)


def _by_category(image: Candidates) -> list[Indices]:
    return [np.flatnonzero(image.category == category) for category in np.unique(image.category)]


def _best(scores: Floats, rows: Indices, count: int) -> Indices:
    """The rows with the `count` highest scores, in ascending order; earlier rows first among equal scores."""
    return np.sort(rows[np.argsort(-scores[rows], kind="stable")[:count]])


def _selected(image: Candidates, rows: Indices, scores: Floats) -> Candidates:
    """Some rows of an image's candidates with new scores, and their boxes."""
    boxes, box = np.unique(image.box[rows], return_inverse=True)
    return Candidates(image.boxes[boxes], box.astype(np.int32), image.category[rows], scores[rows])


def _lowered(image: Candidates, rule: SoftNms) -> Floats:
    """Scores after linear soft-NMS; 0 below the floor, where a candidate no longer lowers others."""
    scores = image.score.copy()
    half = image.boxes[:, 2:] / np.float32(2)
    corners: Floats = np.concatenate((image.boxes[:, :2] - half, image.boxes[:, :2] + half), 1)
    for rows in _by_category(image):
        boxes, score = corners[image.box[rows]], scores[rows]
        pending = score >= np.float32(rule.floor)
        score[~pending] = 0
        while pending.any():
            best = int(np.argmax(np.where(pending, score, -1)))
            pending[best] = False
            overlap = _iou(boxes[best], boxes)
            lowered = pending & (overlap >= np.float32(rule.overlap))
            score[lowered] *= 1 - overlap[lowered]
            removed = pending & (score < np.float32(rule.floor))
            score[removed], pending[removed] = 0, False
        scores[rows] = score
    return scores


def _iou(box: Floats, boxes: Floats) -> Floats:
    """IoU (K,) of a box (4,) with others (K, 4), all as corners; 0 for boxes without area."""
    shared = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    common = np.prod(np.maximum(shared, 0), 1)
    union = np.prod(box[2:] - box[:2]) + np.prod(boxes[:, 2:] - boxes[:, :2], 1) - common
    iou: Floats = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return iou
