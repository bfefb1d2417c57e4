"""Precision and recall from matched detections, with a weight per image: 1, or its number of bootstrap draws.

An image of weight 2 counts like two copies of it. With weights of 1 every float is equal to that of pycocotools
(COCOeval.accumulate).

Only the hits matter: recall rises at hits, and the precision at a recall is the best at the hits from there on. So for
each area range the hits of all thresholds and categories are end to end in one array, divided into `segments`, and the
weights before each hit follow from a few cumulative sums.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cspbench.detection.ap.matching import AREAS, HIT, MOST, THRESHOLDS, Array, Matches

RECALLS = np.linspace(0.0, 1.0, 101)
"""(R,) recalls at which precision is evaluated."""
CAPS = (1, 10, MOST)
"""(M,) maximum detections per image and category for recall."""


class AreaEvents(NamedTuple):
    """The E hits of one area range, sorted by threshold and position.

    `images` (E,) are the image indices of the hits, `segments` (T * K + 1,) the begin of each threshold and category.
    The false positives before a hit are the detections inside the range since the begin of its category, minus the
    matched ones: `inside` are the image indices of the former, `passed` and `origin` (E,) their numbers before a hit
    and before its category; `spared` are the image indices of the latter by threshold, with `spared_passed` and
    `spared_origin`. `objects` (G,) are the image indices of the objects that are not ignored, `kinds` (G,) their
    categories.
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
    """The hits of one area range, for `precision`."""
    kinds = len(matches.category_ids)
    thresholds = len(THRESHOLDS)
    states = matches.states[:, area, :].T
    inside = np.flatnonzero(matches.inside[area])
    threshold, hit = np.nonzero(states == HIT)
    positions = matches.hits[hit]
    category = np.searchsorted(matches.starts, positions, "right") - 1
    segment = threshold * kinds + category
    segments = np.searchsorted(segment, np.arange(thresholds * kinds + 1))
    spared_threshold, spared = np.nonzero((states != 0) & matches.inside[area][matches.hits])
    spared_positions = matches.hits[spared]
    # keys that rise with threshold and position, to search both at once
    span = len(matches.images) + 1
    spared_keys = spared_threshold * span + spared_positions
    objects = matches.objects[:, matches.counted[area]]
    return AreaEvents(
        images=matches.images[positions],
        segments=segments,
        inside=matches.images[inside],
        passed=np.searchsorted(inside, positions, "right"),
        origin=np.searchsorted(inside, matches.starts[category], "left"),
        spared=matches.images[spared_positions],
        spared_passed=np.searchsorted(spared_keys, threshold * span + positions, "right"),
        spared_origin=np.searchsorted(spared_keys, threshold * span + matches.starts[category], "left"),
        objects=objects[0],
        kinds=objects[1],
    )


def precision(area: AreaEvents, weights: Array, kinds: int) -> Array:
    """Precision (T, K, R) at the recalls; -1 for categories without objects.

    `weights` (I,) are whole numbers.
    """
    objects = np.bincount(area.kinds, weights[area.objects], kinds).astype(np.int64)
    if not len(area.images):
        return np.broadcast_to(np.where(objects > 0, 0.0, -1.0)[:, None], (len(THRESHOLDS), kinds, len(RECALLS))).copy()
    hit_weights = weights[area.images]
    hits = _sums(hit_weights)
    begin, end = area.segments[:-1], area.segments[1:]
    before = hits[begin]
    true = hits[1:] - np.repeat(before, end - begin)
    inside, spared = _sums(weights[area.inside]), _sums(weights[area.spared])
    false = inside[area.passed] - inside[area.origin] - spared[area.spared_passed] + spared[area.spared_origin]
    ratio = true / ((false + true) + np.spacing(1))
    # the hit that reaches each recall, and the best precision from there to the segment's end
    needed = np.tile(hits_needed(objects), (len(THRESHOLDS), 1))
    total = hits[end] - before
    reached = needed <= total[:, None]
    holder = np.repeat(np.arange(len(hit_weights)), hit_weights)
    last = np.minimum(before[:, None] + needed - 1, max(len(holder) - 1, 0))
    reader = np.where(reached, holder[last] if len(holder) else 0, end[:, None])
    best: Array = np.maximum.reduceat(np.append(ratio, 0.0), reader.ravel()).reshape(reader.shape)
    best[~reached] = 0.0
    best = np.maximum.accumulate(best[:, ::-1], axis=1)[:, ::-1].reshape(len(THRESHOLDS), kinds, len(RECALLS))
    best[:, objects == 0] = -1.0
    return best


def caps(most: int) -> tuple[int, ...]:
    """COCO's maximum detections, and `most` after them where it is another."""
    return CAPS if most == MOST else (*CAPS, most)


def recall(matches: Matches, most: int = MOST) -> Array:
    """Recall (T, K, A, M) of all images at the `caps`; -1 for categories without objects."""
    kinds = len(matches.category_ids)
    category = np.searchsorted(matches.starts, matches.hits, "right") - 1
    ranks = matches.ranks[matches.hits]
    limits = caps(most)
    recalls = np.full((len(THRESHOLDS), kinds, len(AREAS), len(limits)), -1.0)
    for area in range(len(AREAS)):
        objects = np.bincount(matches.objects[1, matches.counted[area]], minlength=kinds)
        defined = objects > 0
        for index, cap in enumerate(limits):
            for threshold in range(len(THRESHOLDS)):
                hit = (matches.states[:, area, threshold] == HIT) & (ranks < cap)
                hits = np.bincount(category[hit], minlength=kinds)
                recalls[threshold, defined, area, index] = hits[defined] / objects[defined]
    return recalls


def _sums(values: Array) -> Array:
    """Cumulative sums, beginning with 0."""
    sums = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=sums[1:])
    return sums


def hits_needed(objects: Array) -> Array:
    """(K, R) the number of hits among the objects (K,) that reaches each recall, at least 1.

    It is the smallest n with n / objects >= recall, with both sides rounded to floats. Recall 0 uses the first hit,
    because precision is not higher before it.
    """
    total = np.maximum(objects, 1)[:, None]
    needed = np.ceil(RECALLS * total).astype(np.int64)
    needed -= (needed - 1) / total >= RECALLS
    needed += needed / total < RECALLS
    return np.maximum(needed, 1)
