"""Greedy suppression of overlapping boxes, class by class, as Darknet does it (spec b.3), for many images at once.

Going through an image's candidates of a class by falling score (equal ones in their order), each that is still there
removes all after it whose overlap with it exceeds the threshold, strictly, both as float32.

Which pairs overlap that much does not depend on that order. So the pairs are found first, for all classes and images
together: sorted by class and left edge, a box is compared with its next neighbour, its second next, and so on, for
as long as left edges are near enough, every comparison one operation on whole arrays. The order then decides which ends
stay. A further threshold costs only that last step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cspbench.evaluate.candidates import Candidates
from cspbench.network.layers import Detection, Yolo

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]

GREEDY_BETA = 0.6
"""Darknet's constant; greedynms does not read beta_nms=."""

BLOCK = 1 << 15
"""Candidates that are sorted and compared together, so that their arrays stay in the processor's cache."""

TAIL = 6
"""x"""

PAIRS = 1 << 20
"""Pairs that are compared at once where few candidates have many neighbours."""

_TINY = np.float32(1e-30)
"""Below it, products of float32 lose digits."""


@dataclass(frozen=True)
class Criterion:
    """What of a pair of boxes is held against the threshold.

    `default`: IoU. `greedy` and `diou`: IoU - (d2 / c2)^beta, with d2 the squared distance of the centres and c2 the
    squared diagonal of the rectangle around both, in pixels; `greedy`'s beta is always 0.6.
    """

    kind: Literal["default", "greedy", "diou"] = "default"
    beta: float = 0.6

    @property
    def exponent(self) -> float:
        """Of the distance term; Darknet keeps beta_nms as a float and 0.6 as a double."""
        return GREEDY_BETA if self.kind == "greedy" else float(np.float32(self.beta))


def criterion(kind: str, last: Detection) -> Criterion:
    """The criterion of a preset's `nms_kind`, for a network whose last detection layer that is (spec b.1 and b.3)."""
    beta = last.beta_nms if isinstance(last, Yolo) else GREEDY_BETA
    if kind == "cfg":
        kind = last.nms_kind if isinstance(last, Yolo) else "default"
    match kind.removesuffix("nms"):
        case "greedy":
            return Criterion("greedy")
        case "diou":
            return Criterion("diou", beta)
        case _:  # cornersnms compares plain IoU, and so does every word that Darknet does not know
            return Criterion()


def nms(image: Candidates, threshold: float, by: Criterion = Criterion()) -> Mask:  # noqa: B008 - it is frozen
    """Which candidates of an image stay, (K,)."""
    return nms_many([image], [threshold], by)[0][0]


def nms_many(
    images: Sequence[Candidates],
    thresholds: Sequence[float],
    by: Criterion = Criterion(),  # noqa: B008
) -> list[list[Mask]]:
    """For each threshold, which candidates of each image stay: masks (K,)."""
    kept: list[list[Mask]] = [[] for _ in thresholds]
    for block in _blocks(images):
        masks = _block_masks(block, thresholds, by)
        cuts = np.cumsum([len(image) for image in block])[:-1]
        for of_threshold, mask in zip(kept, masks, strict=True):
            of_threshold += np.split(mask, cuts)
    return kept


class _Sorted(NamedTuple):
    """Candidates of several images by group (image and class), larger groups first, then by left edge."""

    rank: Indices
    """Place by falling score, equal scores as they were given."""
    key: NDArray[np.uint64]
    """Group in the upper half, left edge in the lower: ascending."""
    room: NDArray[np.int32]
    """Places from the candidate to the end of its group."""
    sizes: Indices
    """Candidates per group, descending."""
    centre: Floats
    """(2, N)."""
    edges: Floats
    """(4, N): left, top, right and bottom, a row each."""
    area: Floats


class _Pairs(NamedTuple):
    """Pairs of overlapping candidates, by rank, with what is held against the threshold."""

    better: Indices
    worse: Indices
    value: Floats


def _blocks(images: Sequence[Candidates]) -> Iterator[Sequence[Candidates]]:
    first = held = 0
    for at, image in enumerate(images):
        if held and held + len(image) > BLOCK:
            yield images[first:at]
            first, held = at, 0
        held += len(image)
    if first < len(images):
        yield images[first:]


def _block_masks(images: Sequence[Candidates], thresholds: Sequence[float], by: Criterion) -> list[Mask]:
    count = sum(map(len, images))
    if not thresholds:
        return []
    if not count:
        return [np.ones(0, np.bool_) for _ in thresholds]
    score = np.concatenate([image.score for image in images])
    order = _order(~_ordered(score))
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        at = _sorted(images, order)
        pairs = _overlapping(at, np.float32(min(thresholds)), by)
    masks: dict[float, Mask] = {}
    free = np.ones(count, np.bool_)
    for threshold, better, worse in _nested(pairs, thresholds):
        free[worse] = False
        masks[threshold] = np.empty(count, np.bool_)
        masks[threshold][order] = _resolved(better, worse, free)
    return [masks[threshold] for threshold in thresholds]


def _nested(pairs: _Pairs, thresholds: Sequence[float]) -> Iterator[tuple[float, Indices, Indices]]:
    """Each threshold once, falling, with the better and the worse ones of all pairs that exceed it."""
    levels = sorted(set(thresholds))
    better, worse, value = pairs
    if len(levels) > 1:
        below = np.zeros(len(value), np.uint8 if len(levels) < 256 else np.uint16)
        for level in levels:
            below += value <= np.float32(level)
        order = np.argsort(below, kind="stable")
        better, worse = better.take(order), worse.take(order)
        ends = np.cumsum(np.bincount(below, minlength=len(levels)))
    else:
        ends = np.array([len(value)])
    for level, end in zip(reversed(levels), ends, strict=True):
        yield level, better[:end], worse[:end]


def _resolved(better: Indices, worse: Indices, free: Mask) -> Mask:
    """Which candidates stay, by rank: those that no better one that stays overlaps.

    Who has no better one in an open pair (`free`) stays; who is the worse one of such goes; that settles most pairs,
    and the rest are open.
    """
    keep = np.ones_like(free)
    while len(better):
        keep[worse.compress(free.take(better))] = False
        still = keep.take(worse)
        better, worse = better.compress(still), worse.compress(still)
        still = keep.take(better)
        better, worse = better.compress(still), worse.compress(still)
        free = np.ones_like(keep)
        free[worse] = False
    return keep


def _overlapping(at: _Sorted, threshold: np.float32, by: Criterion) -> _Pairs:
    """All pairs of a group whose value exceeds the threshold."""
    found = list(_touching(at, threshold))
    first, second, value = (np.concatenate(each) for each in zip(*found, strict=True))
    if by.kind != "default":
        value -= _distance_term(at, first, second, by.exponent)
        over = value > threshold
        first, second, value = first.compress(over), second.compress(over), value.compress(over)
    first, second = at.rank.take(first), at.rank.take(second)
    return _Pairs(np.minimum(first, second), np.maximum(first, second), value)


def _distance_term(at: _Sorted, first: Indices, second: Indices, exponent: float) -> Floats:
    """(d2 / c2)^exponent of pairs: pow in double, all else in float (spec b.3)."""
    left, top, right, bottom = at.edges
    width = np.maximum(right.take(first), right.take(second)) - np.minimum(left.take(first), left.take(second))
    height = np.maximum(bottom.take(first), bottom.take(second)) - np.minimum(top.take(first), top.take(second))
    aside, down = (centre.take(first) - centre.take(second) for centre in at.centre)
    share = (aside * aside + down * down) / (width * width + height * height)
    term: Floats = np.power(share.astype(np.float64), exponent).astype(np.float32)
    return term


def _sorted(images: Sequence[Candidates], order: Indices) -> _Sorted:
    classes = max(int(image.category.max(initial=0)) for image in images) + 1
    starts = np.cumsum([0] + [len(image.boxes) for image in images])
    box = np.concatenate([image.box + start for image, start in zip(images, starts, strict=False)])
    columns = np.ascontiguousarray(np.concatenate([image.boxes for image in images]).T)
    half = columns[2:] / np.float32(2)
    edges = np.concatenate((columns[:2] - half, columns[:2] + half))
    group = np.concatenate([image.category + np.int64(classes * at) for at, image in enumerate(images)])
    sizes = np.bincount(group)
    by_size = np.argsort(-sizes)
    sizes = sizes[by_size]
    place = np.empty(len(by_size), np.uint32)
    place[by_size] = np.arange(len(by_size), dtype=np.uint32)
    group = place.take(group)
    left = _ordered(edges[0]).take(box)
    index = _order(left, group)
    box = box.take(index)
    rank = np.empty(len(order), np.intp)
    rank[order] = np.arange(len(order))
    key = group.take(index).astype(np.uint64) << np.uint64(32) | left.take(index)
    return _Sorted(
        rank.take(index),
        key,
        (np.repeat(np.cumsum(sizes), sizes) - np.arange(len(box))).astype(np.int32),
        sizes,
        columns[:2].take(box, 1),
        edges.take(box, 1),
        (columns[2] * columns[3]).take(box),
    )


def _order(*keys: NDArray[np.uint32]) -> Indices:
    """The stable ascending order by the last key, then the one before it: numpy sorts 16 bits in a tenth of the time."""
    order: Indices | None = None
    for key in keys:
        for digit in (key.astype(np.uint16), (key >> np.uint32(16)).astype(np.uint16)):
            if order is None:
                order = np.argsort(digit, kind="stable")
            elif digit.any():
                order = order.take(np.argsort(digit.take(order), kind="stable"))
    assert order is not None
    return order


def _ordered(values: Floats) -> NDArray[np.uint32]:
    """Whole numbers in the order of the floats, the zeros being one."""
    bits = (values + np.float32(0)).view(np.int32)
    return (bits ^ ((bits >> 31) | np.int32(-(2**31)))).view(np.uint32)


def _touching(at: _Sorted, threshold: np.float32) -> Iterator[tuple[Indices, Indices, Floats]]:
    """Pairs of neighbours whose IoU exceeds the threshold, with their IoU; pairs across groups may be among them."""
    left, top, right, bottom = at.edges
    limit = _limits(at, float(threshold))
    shared, height, other = (np.empty(len(left), np.float32) for _ in range(3))
    zeros = np.zeros(len(left), np.float32)  # an array, as numpy is slower with a number
    over, inside = np.empty((2, len(left)), np.bool_)
    ends = np.cumsum(at.sizes)
    negative = -at.sizes
    step = 0
    yield np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0, np.float32)
    while groups := int(np.searchsorted(negative, -(step := step + 1))):  # those with more than `step` candidates
        count = int(ends[groups - 1]) - step
        here, there = slice(count), slice(step, count + step)
        if step % 4 == 0:
            active = at.key[there] <= limit[here]
            if TAIL * np.count_nonzero(active) < count:
                yield from _rest(at, np.flatnonzero(active), step, limit, threshold)
                return
        iou, h, n = shared[here], height[here], other[here]
        np.minimum(right[here], right[there], out=iou)
        iou -= left[there]
        np.minimum(bottom[here], bottom[there], out=h)
        np.maximum(top[here], top[there], out=n)
        h -= n
        np.maximum(h, zeros[here], out=h)  # where both are negative their product is none
        iou *= h
        np.add(at.area[here], at.area[there], out=n)
        n -= iou
        iou /= n
        np.greater(at.room[here], step, out=inside[here])
        np.greater(iou, threshold, out=over[here])
        over[here] &= inside[here]
        rows = np.flatnonzero(over[here])
        yield rows, rows + step, iou.take(rows)


def _limits(at: _Sorted, threshold: float) -> NDArray[np.uint64]:
    """The key up to which a candidate's partners reach: further right, their IoU cannot exceed the threshold.

    IoU > t is I > s * (A_i + A_j) with s = t / (1 + t). Of a partner j whose left edge is not left of i's, the
    intersection I is at most (right_i - left_j) * height_i, and also at most j's own area, so that I > t * A_i is left.
    An area comes from a box's size and an intersection from its edges; where edges are too coarse for the size,
    `excess` says by how much. What is lowered by 1e-5 is for the rounding, which is relative but for tiny areas.
    """
    left, top, right, bottom = at.edges
    height = bottom - top
    spanned = (right - left) * height
    excess = max(1.0, float(np.max(np.where(spanned > 0, spanned / at.area, 1))))
    share = threshold / (1 + threshold)
    least = share / (1 - share / excess) * (1 - 1e-5)
    area = np.where(at.area * share > _TINY, at.area, 0).astype(np.float64)
    limit = np.where(height > 0, right - least * area / height, -np.inf).astype(np.float32)
    limit = np.nextafter(limit, np.float32(np.inf))
    return (at.key >> np.uint64(32) << np.uint64(32)) | _ordered(limit)


def _rest(
    at: _Sorted, rows: Indices, step: int, limit: NDArray[np.uint64], threshold: np.float32
) -> Iterator[tuple[Indices, Indices, Floats]]:
    """What `_touching` finds for some rows from their partner number `step` on, where few rows have so many."""
    left, top, right, bottom = at.edges
    counts = np.searchsorted(at.key, limit[rows], "right") - rows - step
    ends = np.cumsum(counts)
    begin = 0
    while begin < len(rows):
        done = int(ends[begin - 1]) if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, done + PAIRS)))
        part = counts[begin:end]
        first = np.repeat(rows[begin:end], part)
        second = np.arange(len(first)) + np.repeat(rows[begin:end] + step - (np.cumsum(part) - part), part)
        begin = end
        height = np.minimum(bottom.take(first), bottom.take(second)) - np.maximum(top.take(first), top.take(second))
        near = height > 0
        first, second, height = first.compress(near), second.compress(near), height.compress(near)
        shared = (np.minimum(right.take(first), right.take(second)) - left.take(second)) * height
        iou = shared / (at.area.take(first) + at.area.take(second) - shared)
        over = iou > threshold
        yield first.compress(over), second.compress(over), iou.compress(over)
