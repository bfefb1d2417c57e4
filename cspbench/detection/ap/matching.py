"""Which detections hit which objects: COCO's greedy matching, for all images, categories and thresholds at once.

The rule (pycocotools' COCOeval.evaluateImg): in each image and category the 100 best detections choose in the order of
their scores; each takes the object that it overlaps most, if by at least the threshold, and of equals the last one.
An object is taken once, a crowd any number of times. Objects that do not count (crowds, and those outside of the range
of areas) are chosen only where nothing that counts is left; a detection that hits one is ignored. So is one without
any object whose own area is outside of the range. Every other detection without an object is a false positive.

Only what can decide is kept: detections that reach the lowest threshold with some object are matched, rank by rank, in
blocks of (image, category) pairs with about as many objects; all others are false positives or ignored by their area.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from cspbench.data.coco_annotations import LARGEST_LENGTH, GroundTruth
from cspbench.errors import DatasetError

Array = np.ndarray[Any, Any]

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""(T,) IoU. As pycocotools makes them: not all are the nearest float to their decimals."""
AREAS = (("all", 0.0, 1e10), ("small", 0.0, 32.0**2), ("medium", 32.0**2, 96.0**2), ("large", 96.0**2, 1e10))
"""(A,) ranges of areas in pixels, both ends inside."""
MOST = 100
"""Detections of an image and category that count."""
HIT, IGNORED = 1, 2
"""What a matched detection is; 0 is none."""


class Detections(NamedTuple):
    """D detections, in any order: `image_ids` (D,), `category_ids` (D,), `boxes` (D, 4) left, top, width, height in
    pixels, `scores` (D,). Equal scores keep their order.
    """

    image_ids: Array
    category_ids: Array
    boxes: Array
    scores: Array


class Indexed(NamedTuple):
    """Detections as checked: places of their images and categories in the ground truth instead of ids; float64."""

    images: Array
    categories: Array
    boxes: Array
    scores: Array


class Matches(NamedTuple):
    """Matched detections, sorted by category, then falling score, then image: N of them, C of which hit something.

    `images` (N,), `ranks` (N,) within their image and category, `starts` (K + 1,) where each category begins, `inside`
    (A, N) whether their area is in the range; `hits` (C,) places of those that are matched, `states` (C, A, T) how.
    `objects` holds (image, category) places of the objects, `counted` (A, objects) which of them are to be found.
    """

    image_ids: Array
    category_ids: Array
    images: Array
    ranks: Array
    starts: Array
    inside: Array
    hits: Array
    states: Array
    objects: Array
    counted: Array


def indexed(truth: GroundTruth, detections: Detections) -> Indexed:
    """The detections checked against the ground truth's images and categories; raises `DatasetError`."""
    ids = np.asarray(detections.image_ids)
    kinds = np.asarray(detections.category_ids)
    boxes = np.asarray(detections.boxes, np.float64).reshape(-1, 4)
    scores = np.asarray(detections.scores, np.float64)
    if not len(ids) == len(kinds) == len(boxes) == len(scores):
        lengths = ", ".join(str(len(each)) for each in (ids, kinds, boxes, scores))
        raise _bad(
            "detections.column-lengths",
            "columns of different lengths",
            None,
            "one entry per detection in each",
            lengths,
        )
    images, unknown = _places(truth.image_ids, ids)
    if unknown.any():
        raise _bad(
            "detections.unknown-image", "detection of an unknown image", unknown, "an image of the data set", ids
        )
    categories, unknown = _places(np.array(sorted(truth.categories), np.int64), kinds)
    if unknown.any():
        raise _bad(
            "detections.unknown-category",
            "detection of an unknown category",
            unknown,
            "a category of the data set",
            kinds,
        )
    wrong: Array = ~np.all(np.abs(boxes) <= LARGEST_LENGTH, axis=1)
    if wrong.any():
        raise _bad("detections.unusable-box", "detection without a usable box", wrong, "finite numbers", boxes)
    wrong = ~np.isfinite(scores)
    if wrong.any():
        raise _bad("detections.unusable-score", "detection without a usable score", wrong, "a finite number", scores)
    return Indexed(images, categories, boxes, scores)


def match(truth: GroundTruth, detections: Detections) -> Matches:
    """Match detections with the ground truth; raises `DatasetError`."""
    found = indexed(truth, detections)
    category_ids = np.array(sorted(truth.categories), np.int64)
    kinds = len(category_ids)
    pair = found.images * kinds + found.categories
    order = np.lexsort((-found.scores, pair))  # stable
    pair = pair[order]
    first = np.flatnonzero(np.diff(pair, prepend=-1))
    ranks = np.arange(len(pair)) - np.repeat(first, np.diff(first, append=len(pair)))
    order, pair, ranks = (column[ranks < MOST] for column in (order, pair, ranks))
    boxes = found.boxes[order]
    areas = boxes[:, 2] * boxes[:, 3]

    owners = _places(truth.image_ids, truth.images)[0] * kinds + _places(category_ids, truth.category_ids)[0]
    objects = np.argsort(owners, kind="stable")
    owners = owners[objects]
    ignored = ~_within(truth.areas[objects]) | truth.crowd[objects]
    detection, target, overlap = _overlaps(pair, boxes, areas, owners, truth.boxes[objects], truth.crowd[objects])
    rows, states = _chosen(pair, detection, target, overlap, ignored, truth.crowd[objects])

    final = np.lexsort((-found.scores[order], pair % kinds if kinds else pair))
    place = np.empty_like(final)
    place[final] = np.arange(len(final))
    sequence = np.argsort(place[rows])
    return Matches(
        image_ids=truth.image_ids,
        category_ids=category_ids,
        images=found.images[order][final],
        ranks=ranks[final],
        starts=np.searchsorted(found.categories[order][final], np.arange(kinds + 1)),
        inside=_within(areas[final]),
        hits=place[rows][sequence],
        states=states[sequence],
        objects=np.stack((owners // max(kinds, 1), owners % max(kinds, 1))),
        counted=~ignored,
    )


def _within(areas: Array) -> Array:
    """(A, N) whether areas (N,) lie in each range."""
    low, high = (np.array([each[end] for each in AREAS])[:, None] for end in (1, 2))
    inside: Array = (areas >= low) & (areas <= high)
    return inside


def _overlaps(
    pair: Array, boxes: Array, areas: Array, owners: Array, targets: Array, crowd: Array
) -> tuple[Array, Array, Array]:
    """(detection, object, IoU) of the same image and category with at least the lowest threshold, (P,) each.

    The arithmetic is that of pycocotools' bbIou, operation by operation: the same floats.
    """
    begin = np.searchsorted(owners, pair, "left")
    count = np.searchsorted(owners, pair, "right") - begin
    detection = np.repeat(np.arange(len(pair)), count)
    target = np.arange(len(detection)) - np.repeat(np.cumsum(count) - count, count) + begin[detection]
    one, other = boxes[detection].T, targets[target].T
    width = np.minimum(one[0] + one[2], other[0] + other[2]) - np.maximum(one[0], other[0])
    height = np.minimum(one[1] + one[3], other[1] + other[3]) - np.maximum(one[1], other[1])
    meeting = width * height
    # of a crowd a detection need not cover anything: its overlap is the share of itself that lies inside
    union = np.where(crowd[target], areas[detection], areas[detection] + other[2] * other[3] - meeting)
    with np.errstate(divide="ignore", invalid="ignore"):
        overlap = np.where((width > 0) & (height > 0), meeting / union, 0.0)
    near = overlap >= THRESHOLDS[0]
    return detection[near], target[near], overlap[near]


def _chosen(
    pair: Array, detection: Array, target: Array, overlap: Array, ignored: Array, crowd: Array
) -> tuple[Array, Array]:
    """The detections (C,) that may be matched, in falling order of score per pair, and their states (C, A, T)."""
    rows, row = np.unique(detection, return_inverse=True)
    columns, column = np.unique(target, return_inverse=True)
    states = np.zeros((len(rows), len(AREAS), len(THRESHOLDS)), np.uint8)
    if not len(rows):
        return rows, states
    # the pairs of image and category again, now only those where something overlaps
    group = np.cumsum(np.diff(pair[rows], prepend=-1) > 0) - 1
    groups = int(group[-1]) + 1
    first = np.searchsorted(group, np.arange(groups))
    column_group = np.empty(len(columns), np.intp)
    column_group[column] = group[row]
    column_first = np.searchsorted(column_group, np.arange(groups))
    width = np.bincount(column_group, minlength=groups)
    rank = np.arange(len(rows)) - first[group]
    depth = np.bincount(group, minlength=groups)
    size = 1 << np.ceil(np.log2(width)).astype(int)
    for objects in np.unique(size).tolist():
        # longest first: the pairs that still have a detection of some rank are then the first few
        members = np.flatnonzero(size == objects)
        members = members[np.argsort(-depth[members], kind="stable")]
        where = np.full(groups, -1)
        where[members] = np.arange(len(members))
        own = np.flatnonzero(where[group] >= 0)
        own = own[np.lexsort((where[group[own]], rank[own]))]
        place = np.full(len(rows), -1)
        place[own] = np.arange(len(own))
        # objects are laid out backwards, so that argmax finds the last of equals
        entries = np.flatnonzero(place[row] >= 0)
        table = np.zeros((len(own), objects))
        backwards = objects - 1 - (column - column_first[group[row]])
        table[place[row[entries]], backwards[entries]] = overlap[entries]
        ignore = np.ones((len(members), len(AREAS), objects), bool)
        group_crowd = np.zeros((len(members), objects), bool)
        mine = np.flatnonzero(where[column_group] >= 0)
        line, slot = where[column_group[mine]], objects - 1 - (mine - column_first[column_group[mine]])
        ignore[line, :, slot] = ignored[:, columns[mine]].T
        group_crowd[line, slot] = crowd[columns[mine]]
        counts = np.bincount(rank[own])
        states[own] = _by_rank(table, counts, ignore, group_crowd)
    return rows, states


def _by_rank(table: Array, counts: Array, ignore: Array, crowd: Array) -> Array:
    """States (rows, A, T) of detections whose overlaps are `table` (rows, G), `counts` rows of each rank in turn.

    Row i of a rank belongs to line i of `ignore` (lines, A, G) and `crowd` (lines, G).
    """
    lines, _, objects = ignore.shape
    free = np.ones((lines, len(AREAS), len(THRESHOLDS), objects), bool)
    states = np.zeros((len(table), len(AREAS), len(THRESHOLDS)), np.uint8)
    begin = 0
    for count in counts.tolist():
        overlap = table[begin : begin + count, None, None, :]
        possible = free[:count] & (overlap >= THRESHOLDS[:, None])
        counting = possible & ~ignore[:count, :, None, :]
        hit: Array = np.any(counting, axis=3)
        possible = np.where(hit[..., None], counting, possible)
        best = np.where(possible, overlap, -1.0).argmax(3)
        taken = possible.any(3)
        states[begin : begin + count] = np.where(hit, HIT, np.where(taken, IGNORED, 0))
        line, area, threshold = np.nonzero(taken)
        column = best[line, area, threshold]
        free[line, area, threshold, column] = crowd[line, column]
        begin += count
    return states


def _places(known: Array, ids: Array) -> tuple[Array, Array]:
    """Where ids (N,) are in sorted `known`, and which are not."""
    places = np.searchsorted(known, ids)
    if not len(known):
        return places, np.ones(len(ids), bool)
    places = np.minimum(places, len(known) - 1)
    return places, known[places] != ids


def _bad(code: str, what: str, wrong: Array | None, expected: str, values: Any) -> DatasetError:
    found, where = str(values), "detections"
    if wrong is not None:
        index = int(np.flatnonzero(wrong)[0])
        more = int(wrong.sum()) - 1
        found = f"{values[index].tolist()}" + (f", and {more} more such" if more else "")
        where = f"detection {index}"
    remedy = "Give the detections that belong to this data set"
    return DatasetError(code, what, where=where, expected=expected, found=found, remedy=remedy)
