"""The final suppression of the quoted detectors: greedy with limits, as in SSD, and linear soft-NMS."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cspbench.detection.candidates import Candidates
from cspbench.detection.nms import nms
from cspbench.zoo.recipe import HardNms, SoftNms

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]


def suppress(image: Candidates, rule: HardNms | SoftNms) -> Candidates:
    """What stays of an image's candidates, in their order; soft-NMS lowers scores."""
    if isinstance(rule, SoftNms):
        scores = _lowered(image, rule)
        kept = np.flatnonzero(scores >= np.float32(rule.floor))
        return _chosen(image, _best(scores, kept, rule.kept), scores)
    considered = np.concatenate(
        [_best(image.score, mine, rule.considered) for mine in _by_category(image)] or [np.empty(0, np.intp)]
    )
    considered.sort()
    best = _chosen(image, considered, image.score)
    kept = np.flatnonzero(nms(best, rule.overlap))
    return _chosen(best, _best(best.score, kept, rule.kept), best.score)


def _by_category(image: Candidates) -> list[Indices]:
    return [np.flatnonzero(image.category == category) for category in np.unique(image.category)]


def _best(scores: Floats, some: Indices, count: int) -> Indices:
    """Of some candidates those with the `count` highest scores, the earlier of equal ones; ascending."""
    return np.sort(some[np.argsort(-scores[some], kind="stable")[:count]])


def _chosen(image: Candidates, some: Indices, scores: Floats) -> Candidates:
    """Some candidates, with other scores, and the boxes that they need."""
    kept, box = np.unique(image.box[some], return_inverse=True)
    return Candidates(image.boxes[kept], box.astype(np.int32), image.category[some], scores[some])


def _lowered(image: Candidates, rule: SoftNms) -> Floats:
    """Scores after linear soft-NMS; 0 for what fell below the floor and so no longer lowers others."""
    scores = image.score.copy()
    half = image.boxes[:, 2:] / np.float32(2)
    corners: Floats = np.concatenate((image.boxes[:, :2] - half, image.boxes[:, :2] + half), 1)
    for mine in _by_category(image):
        boxes, mark = corners[image.box[mine]], scores[mine]
        waiting = mark >= np.float32(rule.floor)
        mark[~waiting] = 0
        while waiting.any():
            best = int(np.argmax(np.where(waiting, mark, -1)))
            waiting[best] = False
            overlap = _iou(boxes[best], boxes)
            lowered = waiting & (overlap >= np.float32(rule.overlap))
            mark[lowered] *= 1 - overlap[lowered]
            gone = waiting & (mark < np.float32(rule.floor))
            mark[gone], waiting[gone] = 0, False
        scores[mine] = mark
    return scores


def _iou(box: Floats, boxes: Floats) -> Floats:
    """Of one box with others, (4,) and (K, 4) corners to (K,); 0 for boxes without area."""
    shared = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    common = np.prod(np.maximum(shared, 0), 1)
    union = np.prod(box[2:] - box[:2]) + np.prod(boxes[:, 2:] - boxes[:, :2], 1) - common
    found: Floats = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return found
