"""Which class is taken for which: objects by the class of the detection that has them."""

from __future__ import annotations

import numpy as np

from cspbench.data.coco.annotations import GroundTruth
from cspbench.detection.analysis.nearest import pairs
from cspbench.detection.analysis.tide import FOREGROUND, boxes_of
from cspbench.detection.ap.matching import HIT, Array, Detections, Matches


def confusion(truth: GroundTruth, detections: Detections, matches: Matches, confidence: float) -> Array:
    """(K + 1, K + 1) the numbers of objects by their class (rows) and that of the detection (columns), by class index.

    Detections have a score of at least `confidence`. Those of the right class come first, as COCO matches them at IoU
    0.5. Each of the rest, in descending order of score, gets the free object of another class with the highest IoU, from
    0.5. The last column has the objects that nothing detects, the last row the detections that are on no object or on
    one that has another; crowds, and detections on them, count nowhere.
    """
    found, objects = boxes_of(truth, detections, matches)
    kinds = len(matches.category_ids)
    scores = np.asarray(detections.scores, np.float64)[matches.rows]
    sure = scores >= confidence
    table = np.zeros((kinds + 1, kinds + 1), np.int64)
    # the sure ones come first in the matching, so the others take nothing from them
    right = (matches.states[:, 0, 0] == HIT) & sure[matches.hits]
    np.add.at(table, (found.classes[matches.hits[right]],) * 2, 1)
    free = matches.counted[0].copy()
    free[matches.partners[right, 0]] = False
    alone = sure & matches.inside[0]
    alone[matches.hits[matches.states[:, 0, 0] != 0]] = False
    rest, left = np.flatnonzero(alone), np.flatnonzero(free)
    rest = rest[np.argsort(-scores[rest], kind="stable")]
    taken, mistaken = np.zeros(len(left), bool), np.zeros(len(rest), bool)
    for detection, target, overlap in pairs(found.only(rest), objects.only(left)):
        near = np.flatnonzero(overlap >= FOREGROUND)
        near = near[np.lexsort((-overlap[near], detection[near]))]
        for one, other in zip(detection[near].tolist(), target[near].tolist(), strict=True):
            if not mistaken[one] and not taken[other]:
                mistaken[one] = taken[other] = True
                table[objects.classes[left[other]], found.classes[rest[one]]] += 1
    np.add.at(table, (kinds, found.classes[rest[~mistaken]]), 1)
    np.add.at(table, (objects.classes[left[~taken]], kinds), 1)
    return table
