"""Which class is taken for which: objects by the class of the detection that has them."""

from __future__ import annotations

import numpy as np

from cspbench.data.coco.annotations import GroundTruth
from cspbench.detection.analysis.nearest import pairs
from cspbench.detection.analysis.tide import FOREGROUND, boxes_of
from cspbench.detection.ap.matching import HIT, Array, Detections, Matches


def confusion(truth: GroundTruth, detections: Detections, matches: Matches, confidence: float) -> Array:
    """(M, 3) an object's class, the detection's and how many there are, by class index, in ascending order.

    Detections have a score of at least `confidence`. Those of the right class come first, as COCO matches them at IoU
    0.5. Each of the rest, in descending order of score, gets the free object of another class with the highest IoU of
    at least 0.5. Number K is the background, as the detection of a missed object, and as the object of detections that
    are on none, or on one that has another. Crowds, and detections on them, count nowhere.
    """
    boxes, objects = boxes_of(truth, detections, matches)
    kinds = len(matches.category_ids)
    scores = np.asarray(detections.scores, np.float64)[matches.rows]
    sure = scores >= confidence
    # the sure ones come first in the matching, so the others take nothing from them
    right = (matches.states[:, 0, 0] == HIT) & sure[matches.hits]
    free = matches.counted[0].copy()
    free[matches.partners[right, 0]] = False
    alone = sure & matches.inside[0]
    alone[matches.hits[matches.states[:, 0, 0] != 0]] = False
    rest, left = np.flatnonzero(alone), np.flatnonzero(free)
    rest = rest[np.argsort(-scores[rest], kind="stable")]
    taken_for = np.full(len(left), -1)
    mistaken = np.zeros(len(rest), bool)
    for detection, target, overlap in pairs(boxes.only(rest), objects.only(left)):
        near = np.flatnonzero(overlap >= FOREGROUND)
        near = near[np.lexsort((-overlap[near], detection[near]))]
        for one, other in zip(detection[near].tolist(), target[near].tolist(), strict=True):
            if not mistaken[one] and taken_for[other] < 0:
                mistaken[one], taken_for[other] = True, boxes.classes[rest[one]]
    hits = boxes.classes[matches.hits[right]]
    unmatched = boxes.classes[rest[~mistaken]]
    of = np.concatenate((hits, objects.classes[left], np.full(len(unmatched), kinds)))
    by = np.concatenate((hits, np.where(taken_for < 0, kinds, taken_for), unmatched))
    both, counts = np.unique(np.stack((of, by), 1).reshape(-1, 2), axis=0, return_counts=True)
    return np.column_stack((both, counts))
