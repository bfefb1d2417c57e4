"""Pairs of boxes that overlap by more than a threshold, for many images and classes at once, in Darknet's float32.

Every class of every image is a group. Candidates are sorted by group and left edge; then each is compared with its next
neighbour, the one after that, and so on, while left edges are close enough. Each step is one operation on whole arrays,
and few steps are needed, because a box that starts further to the right cannot overlap enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cspbench.detection.candidates import Candidates
from cspbench.errors import TooManyPairsError

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

GREEDY_BETA = 0.6
"""Darknet's constant; greedynms ignores beta_nms=."""

TAIL = 6
"""If fewer than one in this many candidates still have a neighbour to compare with, only these are processed."""

CHUNK = 1 << 19
"""Pairs of these candidates that are compared at once."""

_TINY = np.float32(1e-30)
"""Below it, products of float32 lose digits."""


Criterion = float | None
"""The value of a pair of boxes that is compared with the threshold (spec b.3): IoU for None, or IoU - (d2 / c2)^b for a
number b, with d2 the squared distance of the centres and c2 the squared diagonal of the rectangle around both, in
pixels.
"""
PLAIN: Criterion = None


class Sorted(NamedTuple):
    """N candidates of several images by group (image and class), larger groups first, then by left edge."""

    given: Indices
    """Index in the original order."""
    key: NDArray[np.uint64]
    """Group in the upper half, left edge in the lower: ascending."""
    room: NDArray[np.int32]
    """Distance from the candidate to the end of its group."""
    sizes: Indices
    """Candidates per group, descending."""
    centre: Floats
    """(2, N): x and y."""
    edges: Floats
    """(4, N): left, top, right and bottom."""
    area: Floats


def sort(images: Sequence[Candidates]) -> Sorted:
    """The images' candidates in the order of `Sorted`."""
    classes = max(int(image.category.max(initial=0)) for image in images) + 1
    starts = np.cumsum([0] + [len(image.boxes) for image in images])
    box = np.concatenate([image.box + start for image, start in zip(images, starts, strict=False)])
    columns = np.ascontiguousarray(np.concatenate([image.boxes for image in images]).T)
    area: Floats = columns[2] * columns[3]
    half = columns[2:] / np.float32(2)
    edges: Floats = np.concatenate((columns[:2] - half, columns[:2] + half))
    group = np.concatenate([image.category + np.int64(classes * number) for number, image in enumerate(images)])
    sizes = np.bincount(group)
    by_size = order((sizes.max() - sizes).astype(np.uint32))
    sizes = sizes.take(by_size)
    position = np.empty(len(by_size), np.uint32)
    position[by_size] = np.arange(len(by_size), dtype=np.uint32)
    group = position.take(group)
    left = ordered(edges[0]).take(box)
    index = order(left, group)
    box = box.take(index)
    return Sorted(
        index,
        group.take(index).astype(np.uint64) << np.uint64(32) | left.take(index),
        (np.repeat(np.cumsum(sizes), sizes) - np.arange(len(box))).astype(np.int32),
        sizes,
        columns[:2].take(box, 1),
        edges.take(box, 1),
        area.take(box),
    )


def overlapping(at: Sorted, threshold: np.float32, by: Criterion, most: int) -> tuple[Indices, Indices, Floats]:
    """All pairs of a group whose value exceeds the threshold: indices in `Sorted`, and the value.

    Raises `TooManyPairsError` if the IoU of more than `most` pairs does. No box may have a negative side: the search
    relies on the order of the edges.
    """
    parts: list[tuple[Indices, Indices, Floats]] = []
    count = 0
    for part in _touching(at, threshold):
        count += len(part[0])
        if count > most:
            raise TooManyPairsError
        parts.append(part)
    first, second, value = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    if by is not None:
        a, b = ((at.edges.take(index, 1), at.centre.take(index, 1)) for index in (first, second))
        value -= _distance_term(*a, *b, by)
        over = value > threshold
        first, second, value = first.compress(over), second.compress(over), value.compress(over)
    return first, second, value


def one_with_many(at: Sorted, one: int, many: Indices, by: Criterion) -> Floats:
    """The values of the pairs of one candidate with each of many."""
    edges, others = at.edges[:, one, None], at.edges.take(many, 1)
    sides = np.minimum(edges[2:], others[2:]) - np.maximum(edges[:2], others[:2])
    shared = np.where((sides > 0).all(0), sides[0] * sides[1], np.float32(0))
    union = at.area[one] + at.area.take(many) - shared
    value: Floats = np.where((shared == 0) | (union == 0), np.float32(0), shared / union)
    if by is not None:
        value -= _distance_term(edges, at.centre[:, one, None], others, at.centre.take(many, 1), by)
    return value


def _distance_term(edges: Floats, centre: Floats, others: Floats, centres: Floats, exponent: float) -> Floats:
    """(d2 / c2)^exponent of pairs: pow in double, all else in float. Boxes that overlap have a c2 above 0."""
    width, height = np.maximum(edges[2:], others[2:]) - np.minimum(edges[:2], others[:2])
    aside, down = centre - centres
    share = (aside * aside + down * down) / (width * width + height * height)
    term: Floats = np.power(share.astype(np.float64), exponent).astype(np.float32)
    return term


def order(*keys: NDArray[np.uint32]) -> Indices:
    """The stable ascending order by the last key, then by the one before it; numpy sorts 16 bits at a time fastest."""
    indices: Indices | None = None
    for key in keys:
        for digit in (key.astype(np.uint16), (key >> np.uint32(16)).astype(np.uint16)):
            if indices is None:
                indices = np.argsort(digit, kind="stable")
            elif digit.any():
                indices = indices.take(np.argsort(digit.take(indices), kind="stable"))
    assert indices is not None
    return indices


def ordered(values: Floats) -> NDArray[np.uint32]:
    """Integers in the order of the floats; both zeros become equal."""
    bits = (values + np.float32(0)).view(np.int32)
    return (bits ^ ((bits >> 31) | np.int32(-(2**31)))).view(np.uint32)


def _touching(at: Sorted, threshold: np.float32) -> Iterator[tuple[Indices, Indices, Floats]]:
    """The pairs of a group whose IoU exceeds the threshold, with their IoU."""
    left, top, right, bottom = at.edges
    limit = _limits(at, float(threshold))
    shared, height, other = np.empty((3, len(left)), np.float32)
    zeros = np.zeros(len(left), np.float32)  # an array, as numpy is slower with a number
    over, inside = np.empty((2, len(left)), np.bool_)
    ends = np.cumsum(at.sizes)
    step = 0
    yield np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0, np.float32)
    while groups := int(np.searchsorted(-at.sizes, -(step := step + 1))):  # groups of more than `step` candidates
        count = int(ends[groups - 1]) - step
        here, there = slice(count), slice(step, count + step)
        if step % 4 == 0:
            active = at.key[there] <= limit[here]
            if TAIL * np.count_nonzero(active) < count:
                yield from _remaining(at, np.flatnonzero(active), step, limit, threshold)
                return
        i, h, n, o = shared[here], height[here], other[here], over[here]
        np.minimum(right[here], right[there], out=i)
        i -= left[there]
        np.minimum(bottom[here], bottom[there], out=h)
        np.maximum(top[here], top[there], out=n)
        h -= n
        np.maximum(h, zeros[here], out=h)  # two negative sides would have a positive product
        i *= h
        np.add(at.area[here], at.area[there], out=n)
        n -= i
        i /= n
        np.greater(i, threshold, out=o)  # false for 0 / 0
        o &= np.greater(at.room[here], step, out=inside[here])
        rows = np.flatnonzero(o)
        yield rows, rows + step, i.take(rows)


def _remaining(
    at: Sorted, rows: Indices, step: int, limit: NDArray[np.uint64], threshold: np.float32
) -> Iterator[tuple[Indices, Indices, Floats]]:
    """The pairs of `_touching` for some candidates, from their neighbour number `step` on."""
    left, top, right, bottom = at.edges
    counts = np.searchsorted(at.key, limit.take(rows), "right") - rows - step
    ends = np.cumsum(counts)
    begin = 0
    while begin < len(rows):
        done = int(ends[begin - 1]) if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, done + CHUNK)))
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


def _limits(at: Sorted, threshold: float) -> NDArray[np.uint64]:
    """The largest key of a candidate's possible partners: further to the right, the IoU cannot exceed the threshold.

    IoU > t is I > s * (A_i + A_j) with s = t / (1 + t). For a partner j whose left edge is not left of i's, the
    intersection I is at most (right_i - left_j) * height_i, and also at most the area of j, which leaves I > t * A_i.
    Areas are computed from a box's size and intersections from its edges; `excess` is the ratio of the two areas where
    the edges are too coarse for the size. The 1e-5 allows for rounding, which is relative except for tiny areas.
    """
    left, top, right, bottom = at.edges
    height = bottom - top
    spanned = (right - left) * height
    excess = float(np.fmax.reduce(np.where(spanned > 0, spanned / at.area, 1), initial=1))
    share = threshold / (1 + threshold)
    least = share / (1 - share / excess) * (1 - 1e-5)
    area = np.where(at.area * share > _TINY, at.area, 0).astype(np.float64)
    limit = np.where(height > 0, right - least * area / height, -np.inf).astype(np.float32)
    limit = np.nextafter(limit, np.float32(np.inf))
    return (at.key >> np.uint64(32) << np.uint64(32)) | ordered(limit)
