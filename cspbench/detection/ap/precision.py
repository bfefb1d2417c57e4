"""Precision and recall from matched detections, with a weight per image: 1 each, or how often a bootstrap drew it.

An image of weight 2 counts as that image twice, side by side. With weights 1 every float is the one that pycocotools
computes (COCOeval.accumulate).

What decides is at the hits alone: the precision behind one is the best that follows, and recall only rises there. So
for each range of areas the hits of all thresholds and categories lie end to end in one array (`segments` of it belong
together), and counting the weight before each of them takes a few cumulative sums over all.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cspbench.detection.ap.matching import AREAS, HIT, THRESHOLDS, Array, Matches

RECALLS = np.linspace(0.0, 1.0, 101)
"""(R,) the recalls at which precision is read."""
CAPS = (1, 10, 100)
"""(M,) detections of an image and category that count for recall."""


class AreaEvents(NamedTuple):
    """The hits of one range of areas, sorted by threshold and place: E of them.

    `images` (E,) of the hits; `segments` (T * K + 1,) where each threshold and category begins. The false positives
    before a hit are the detections inside the range since the category's beginning, less those that are matched:
    `inside` images of the former, `passed` and `origin` (E,) how many of them lie before a hit and before its
    category; `spared` images of the latter by threshold, `spared_passed` and `spared_origin` likewise.
    `objects` (G,) image places of the objects to be found, `kinds` (G,) their categories.
    """

    images: Array
    segments: Array
    inside: Array
    passed: Array
    origin: Array
    spared: Array
    spared_passed: Array
    spared_origin: Array
    objects: Array
    kinds: Array


def events(matches: Matches, area: int) -> AreaEvents:
    """What `precision` needs of one range of areas."""
    kinds = len(matches.category_ids)
    thresholds = len(THRESHOLDS)
    states = matches.states[:, area, :].T
    inside = np.flatnonzero(matches.inside[area])
    threshold, hit = np.nonzero(states == HIT)
    places = matches.hits[hit]
    category = np.searchsorted(matches.starts, places, "right") - 1
    segment = threshold * kinds + category
    segments = np.searchsorted(segment, np.arange(thresholds * kinds + 1))
    spared_threshold, spared = np.nonzero((states != 0) & matches.inside[area][matches.hits])
    spared_places = matches.hits[spared]
    # one number that rises with threshold and place, to search both at once
    span = len(matches.images) + 1
    spared_keys = spared_threshold * span + spared_places
    objects = matches.objects[:, matches.counted[area]]
    return AreaEvents(
        images=matches.images[places],
        segments=segments,
        inside=matches.images[inside],
        passed=np.searchsorted(inside, places, "right"),
        origin=np.searchsorted(inside, matches.starts[category], "left"),
        spared=matches.images[spared_places],
        spared_passed=np.searchsorted(spared_keys, threshold * span + places, "right"),
        spared_origin=np.searchsorted(spared_keys, threshold * span + matches.starts[category], "left"),
        objects=objects[0],
        kinds=objects[1],
    )


def precision(found: AreaEvents, weights: Array, kinds: int) -> Array:
    """Precision (T, K, R) at the recalls; -1 for categories without an object to be found.

    `weights` (I,) are whole numbers.
    """
    objects = np.bincount(found.kinds, weights[found.objects], kinds).astype(np.int64)
    if not len(found.images):
        return np.broadcast_to(np.where(objects > 0, 0.0, -1.0)[:, None], (len(THRESHOLDS), kinds, len(RECALLS))).copy()
    own = weights[found.images]
    hits = _sums(own)
    begin, end = found.segments[:-1], found.segments[1:]
    before = hits[begin]
    true = hits[1:] - np.repeat(before, end - begin)
    inside, spared = _sums(weights[found.inside]), _sums(weights[found.spared])
    false = inside[found.passed] - inside[found.origin] - spared[found.spared_passed] + spared[found.spared_origin]
    ratio = true / ((false + true) + np.spacing(1))
    # the hit that reaches each recall, and the best precision from there to the segment's end
    needed = np.tile(_needed(objects), (len(THRESHOLDS), 1))
    total = hits[end] - before
    reached = needed <= total[:, None]
    holder = np.repeat(np.arange(len(own)), own)
    last = np.minimum(before[:, None] + needed - 1, max(len(holder) - 1, 0))
    reader = np.where(reached, holder[last] if len(holder) else 0, end[:, None])
    best: Array = np.maximum.reduceat(np.append(ratio, 0.0), reader.ravel()).reshape(reader.shape)
    best[~reached] = 0.0
    best = np.maximum.accumulate(best[:, ::-1], axis=1)[:, ::-1].reshape(len(THRESHOLDS), kinds, len(RECALLS))
    best[:, objects == 0] = -1.0
    return best


def recall(matches: Matches) -> Array:
    """Recall (T, K, A, M) of all images; -1 for categories without an object to be found."""
    kinds = len(matches.category_ids)
    category = np.searchsorted(matches.starts, matches.hits, "right") - 1
    ranks = matches.ranks[matches.hits]
    found = np.full((len(THRESHOLDS), kinds, len(AREAS), len(CAPS)), -1.0)
    for area in range(len(AREAS)):
        objects = np.bincount(matches.objects[1, matches.counted[area]], minlength=kinds)
        some = objects > 0
        for place, cap in enumerate(CAPS):
            for threshold in range(len(THRESHOLDS)):
                hit = (matches.states[:, area, threshold] == HIT) & (ranks < cap)
                hits = np.bincount(category[hit], minlength=kinds)
                found[threshold, some, area, place] = hits[some] / objects[some]
    return found


def _sums(values: Array) -> Array:
    """Cumulative sums that begin with 0."""
    sums = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=sums[1:])
    return sums


def _needed(objects: Array) -> Array:
    """(K, R) how many of the objects (K,) reach each recall; at least 1: what precedes the first hit is no better.

    In floats: the smallest n with n / objects >= recall, where both are rounded.
    """
    some = np.maximum(objects, 1)[:, None]
    needed = np.ceil(RECALLS * some).astype(np.int64)
    needed -= (needed - 1) / some >= RECALLS
    needed += needed / some < RECALLS
    return np.maximum(needed, 1)
