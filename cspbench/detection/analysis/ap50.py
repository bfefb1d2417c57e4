"""COCO's AP at one IoU threshold, from lists of hits and false positives that were altered after the matching."""

from __future__ import annotations

import numpy as np

from cspbench.detection.ap.matching import Array
from cspbench.detection.ap.precision import RECALLS, hits_needed


def precisions(classes: Array, hits: Array, objects: Array) -> Array:
    """Precision (K, R) at COCO's recalls for N detections, sorted by class and descending score.

    `classes` (N,) are their classes' indices, `hits` (N,) whether they are right, `objects` (K,) the numbers of objects
    to detect. The floats are pycocotools'. Without objects the precision is 1 if nothing is detected either, else 0.
    """
    kinds = len(objects)
    at = np.flatnonzero(hits)
    starts = np.searchsorted(classes, np.arange(kinds + 1))
    kind = classes[at]
    bounds = np.searchsorted(kind, np.arange(kinds + 1))
    begin, end = bounds[:-1], bounds[1:]
    rank = np.arange(1, len(at) + 1) - begin[kind]
    ratio = rank / ((at + 1 - starts[kind]) + np.spacing(1))
    needed = hits_needed(objects)
    reached = needed <= (end - begin)[:, None]
    reader = np.where(reached, begin[:, None] + needed - 1, end[:, None])
    # the best precision from the hit that reaches a recall to the end of its class
    best: Array = np.maximum.reduceat(np.append(ratio, 0.0), reader.ravel()).reshape(kinds, len(RECALLS))
    best[~reached] = 0.0
    best = np.maximum.accumulate(best[:, ::-1], axis=1)[:, ::-1]
    best[objects == 0] = (np.diff(starts) == 0)[objects == 0, None]
    return best


def mean(curves: Array) -> float:
    """The mean of precisions (K, R), summed in pycocotools' order; -1 without classes."""
    return float(np.mean(curves.T.ravel())) if curves.size else -1.0
