"""COCO's greedy matching of detections and objects, for all images, categories and thresholds at once.

The rule (pycocotools' COCOeval.evaluateImg): in each image and category the best detections are matched in
descending order of score, each with the free object of the highest IoU, if that is at least the threshold; among equal
IoUs with the last object. An object is matched once, a crowd any number of times. Ignored objects (crowds, and those
outside the area range) are matched only if no other object is possible, and such a detection is ignored. So is an
unmatched detection whose own area is outside the range. Every other unmatched detection is a false positive.

Only detections that reach the lowest threshold with some object are matched, rank by rank, in blocks of (image,
category) pairs with similar numbers of objects; all others are false positives, or ignored by their area.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from cspbench.data.coco.annotations import GroundTruth
from cspbench.errors import DatasetError

Array = np.ndarray[Any, Any]

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""(T,) IoU, computed as in pycocotools: not all are the floats nearest to their decimals."""
AREAS = (("all", 0.0, 1e10), ("small", 0.0, 32.0**2), ("medium", 32.0**2, 96.0**2), ("large", 96.0**2, 1e10))
"""(A,) area ranges in pixels, both ends included."""
MOST = 100
"""Detections per image and category that COCO evaluates."""
LARGEST_LENGTH = 1e100
"""Of a detection's box, in pixels: areas stay finite. A network that has just begun to learn predicts such boxes."""
HIT, IGNORED = 1, 2
"""States of a detection; 0 is unmatched."""


class Detections(NamedTuple):
    """D detections, in any order: `image_ids` (D,), `category_ids` (D,), `boxes` (D, 4) left, top, width, height in
    pixels, `scores` (D,). Equal scores keep their order.
    """

    image_ids: Array
    category_ids: Array
    boxes: Array
    scores: Array


class Matches(NamedTuple):
    """N detections, sorted by category, then descending score, then image; C of them are matched.

    `images` (N,) are their image indices, `ranks` (N,) their ranks in image and category, `starts` (K + 1,) the begin
    of each category, `inside` (A, N) whether their area is in the range; `hits` (C,) are the indices of the matched
    detections, `states` (C, A, T) their states. `objects` holds (image, category) indices of the objects, `counted`
    (A, objects) whether they are not ignored. `partners` (C, A) are the objects of the matched detections at the lowest
    threshold, -1 for none. `rows` (N,) and `annotations` (objects,) are the places of both among those that were given.
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
    partners: Array
    rows: Array
    annotations: Array


def indexed(truth: GroundTruth, detections: Detections) -> tuple[Array, Array, Array, Array]:
    """The indices of detections' images (D,) and categories (D,) in the ground truth, boxes (D, 4) and scores (D,).

    Raises `DatasetError` for an image or a category that it does not have, and for unusable numbers.
    """
    image_ids = np.asarray(detections.image_ids)
    category_ids = np.asarray(detections.category_ids)
    boxes = np.asarray(detections.boxes, np.float64).reshape(-1, 4)
    scores = np.asarray(detections.scores, np.float64)
    images, unknown_image = _indices(truth.image_ids, image_ids)
    categories, unknown_category = _indices(np.array(sorted(truth.categories), np.int64), category_ids)
    endless: Array = ~np.all(np.abs(boxes) <= LARGEST_LENGTH, axis=1)
    known = ("an image of the data set", "a category of the data set", f"numbers up to {LARGEST_LENGTH:g}")
    checks = (
        ("detections.unknown-image", "detection in an unknown image", unknown_image, known[0], image_ids),
        ("detections.unknown-category", "detection of an unknown category", unknown_category, known[1], category_ids),
        ("detections.unusable-box", "detection with an invalid box", endless, known[2], boxes),
        ("detections.unusable-score", "detection with an invalid score", ~np.isfinite(scores), "a number", scores),
    )
    for code, what, wrong, expected, values in checks:
        if wrong.any():
            first, more = int(np.flatnonzero(wrong)[0]), int(wrong.sum()) - 1
            raise DatasetError(
                code,
                what,
                where=f"detection {first}",
                expected=expected,
                found=f"{values[first].tolist()}" + (f", and {more} more" if more else ""),
                remedy="Use detections on this data set",
            )
    return images, categories, boxes, scores


def match(truth: GroundTruth, detections: Detections, most: int = MOST) -> Matches:
    """Match the `most` best detections of each image and category with the ground truth. Raises `DatasetError`."""
    image_indices, category_indices, boxes, scores = indexed(truth, detections)
    category_ids = np.array(sorted(truth.categories), np.int64)
    categories = len(category_ids)
    pair = image_indices * categories + category_indices
    order = np.lexsort((-scores, pair))  # stable
    pair = pair[order]
    first = np.flatnonzero(np.diff(pair, prepend=-1))
    ranks = np.arange(len(pair)) - np.repeat(first, np.diff(first, append=len(pair)))
    order, pair, ranks = (column[ranks < most] for column in (order, pair, ranks))
    boxes = boxes[order]
    areas = boxes[:, 2] * boxes[:, 3]

    owners = _indices(truth.image_ids, truth.images)[0] * categories + _indices(category_ids, truth.category_ids)[0]
    objects = np.argsort(owners, kind="stable")
    owners = owners[objects]
    ignored = ~_within(truth.areas[objects]) | truth.crowd[objects]
    detection, target, overlap = _overlaps(pair, boxes, areas, owners, truth.boxes[objects], truth.crowd[objects])
    rows, states, partners = _matched(pair, detection, target, overlap, ignored, truth.crowd[objects])

    final = np.lexsort((-scores[order], pair % categories if categories else pair))
    position = np.empty_like(final)
    position[final] = np.arange(len(final))
    sequence = np.argsort(position[rows])
    return Matches(
        image_ids=truth.image_ids,
        category_ids=category_ids,
        images=image_indices[order][final],
        ranks=ranks[final],
        starts=np.searchsorted(category_indices[order][final], np.arange(categories + 1)),
        inside=_within(areas[final]),
        hits=position[rows][sequence],
        states=states[sequence],
        objects=np.stack((owners // max(categories, 1), owners % max(categories, 1))),
        counted=~ignored,
        partners=partners[sequence],
        rows=order[final],
        annotations=objects,
    )


def best(matches: Matches, most: int) -> Matches:
    """The matches of the `most` best detections of each image and category: later ones take nothing from them."""
    early = matches.ranks < most
    if early.all():
        return matches
    place, hit = np.cumsum(early) - 1, early[matches.hits]
    return matches._replace(
        images=matches.images[early],
        ranks=matches.ranks[early],
        starts=np.concatenate(([0], np.cumsum(early)))[matches.starts],
        inside=matches.inside[:, early],
        hits=place[matches.hits[hit]],
        states=matches.states[hit],
        partners=matches.partners[hit],
        rows=matches.rows[early],
    )


def _within(areas: Array) -> Array:
    """(A, N) whether areas (N,) are in each range."""
    low, high = (np.array([area[end] for area in AREAS])[:, None] for end in (1, 2))
    inside: Array = (areas >= low) & (areas <= high)
    return inside


def _overlaps(
    pair: Array, boxes: Array, areas: Array, owners: Array, targets: Array, crowd: Array
) -> tuple[Array, Array, Array]:
    """(detection, object, IoU) of pairs in an image and category with at least the lowest threshold, (P,) each."""
    begin = np.searchsorted(owners, pair, "left")
    count = np.searchsorted(owners, pair, "right") - begin
    detection = np.repeat(np.arange(len(pair)), count)
    target = np.arange(len(detection)) - np.repeat(np.cumsum(count) - count, count) + begin[detection]
    overlap = overlaps(boxes[detection], areas[detection], targets[target], crowd[target])
    near = overlap >= THRESHOLDS[0]
    return detection[near], target[near], overlap[near]


def overlaps(boxes: Array, areas: Array, targets: Array, crowd: Array | bool) -> Array:
    """(P,) the IoU of P pairs of boxes (P, 4), left, top, width, height; `areas` (P,) are those of the first boxes.

    The arithmetic is that of pycocotools' bbIou, operation by operation, and gives the same floats. The overlap with a
    crowd is the share of the detection that lies inside it.
    """
    one, other = boxes.T, targets.T
    width = np.minimum(one[0] + one[2], other[0] + other[2]) - np.maximum(one[0], other[0])
    height = np.minimum(one[1] + one[3], other[1] + other[3]) - np.maximum(one[1], other[1])
    meeting = width * height
    union = np.where(crowd, areas, areas + other[2] * other[3] - meeting)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((width > 0) & (height > 0), meeting / union, 0.0)


def _matched(
    pair: Array, detection: Array, target: Array, overlap: Array, ignored: Array, crowd: Array
) -> tuple[Array, Array, Array]:
    """The detections (C,) that may be matched, in descending order of score per pair, their states (C, A, T) and the
    objects (C, A) that they have at the lowest threshold, -1 for none.
    """
    rows, row = np.unique(detection, return_inverse=True)
    columns, column = np.unique(target, return_inverse=True)
    states = np.zeros((len(rows), len(AREAS), len(THRESHOLDS)), np.uint8)
    partners = np.full((len(rows), len(AREAS)), -1)
    if not len(rows):
        return rows, states, partners
    # groups are the pairs of image and category with overlaps
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
        # longest first, so that the groups with a detection of a given rank come first
        members = np.flatnonzero(size == objects)
        members = members[np.argsort(-depth[members], kind="stable")]
        where = np.full(groups, -1)
        where[members] = np.arange(len(members))
        selected = np.flatnonzero(where[group] >= 0)
        selected = selected[np.lexsort((where[group[selected]], rank[selected]))]
        position = np.full(len(rows), -1)
        position[selected] = np.arange(len(selected))
        # objects in reverse order, so that argmax selects the last of equal IoUs
        entries = np.flatnonzero(position[row] >= 0)
        table = np.zeros((len(selected), objects))
        backwards = objects - 1 - (column - column_first[group[row]])
        table[position[row[entries]], backwards[entries]] = overlap[entries]
        ignore = np.ones((len(members), len(AREAS), objects), bool)
        group_crowd = np.zeros((len(members), objects), bool)
        targets = np.flatnonzero(where[column_group] >= 0)
        line, slot = where[column_group[targets]], objects - 1 - (targets - column_first[column_group[targets]])
        ignore[line, :, slot] = ignored[:, columns[targets]].T
        group_crowd[line, slot] = crowd[columns[targets]]
        counts = np.bincount(rank[selected])
        states[selected], slots = _by_rank(table, counts, ignore, group_crowd)
        place, area = np.nonzero(slots >= 0)
        indices = column_first[group[selected[place]]] + objects - 1 - slots[place, area]
        partners[selected[place], area] = columns[indices]
    return rows, states, partners


def _by_rank(table: Array, counts: Array, ignore: Array, crowd: Array) -> tuple[Array, Array]:
    """States (rows, A, T) of detections with the overlaps `table` (rows, G), of which each rank has `counts` rows, and
    the columns (rows, A) that they have at the lowest threshold, -1 for none.

    Row i of a rank belongs to line i of `ignore` (lines, A, G) and `crowd` (lines, G).
    """
    lines, _, objects = ignore.shape
    free = np.ones((lines, len(AREAS), len(THRESHOLDS), objects), bool)
    states = np.zeros((len(table), len(AREAS), len(THRESHOLDS)), np.uint8)
    slots = np.full((len(table), len(AREAS)), -1)
    begin = 0
    for count in counts.tolist():
        overlap = table[begin : begin + count, None, None, :]
        possible = free[:count] & (overlap >= THRESHOLDS[:, None])
        counting = possible & ~ignore[:count, :, None, :]
        hit: Array = np.any(counting, axis=3)
        possible = np.where(hit[..., None], counting, possible)
        best = np.where(possible, overlap, -1.0).argmax(3)
        taken: Array = np.any(possible, axis=3)
        states[begin : begin + count] = np.where(hit, HIT, np.where(taken, IGNORED, 0))
        slots[begin : begin + count] = np.where(taken[:, :, 0], best[:, :, 0], -1)
        line, area, threshold = np.nonzero(taken)
        column = best[line, area, threshold]
        free[line, area, threshold, column] = crowd[line, column]
        begin += count
    return states, slots


def _indices(values: Array, ids: Array) -> tuple[Array, Array]:
    """The indices of ids (N,) in sorted values, and whether each id is missing (N,)."""
    indices = np.searchsorted(values, ids)
    if not len(values):
        return indices, np.ones(len(ids), bool)
    indices = np.minimum(indices, len(values) - 1)
    return indices, values[indices] != ids
