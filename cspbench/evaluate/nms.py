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

    index: Indices
    """Place among the candidates as they were given."""
    key: NDArray[np.uint64]
    """Group in the upper half, left edge in the lower: ascending."""
    sizes: Indices
    """Candidates per group, descending."""
    boxes: Floats
    """(4, N): centre and size, a row each."""
    edges: Floats
    """(4, N): left, top, right and bottom, a row each."""
    area: Floats

    @property
    def group(self) -> NDArray[np.uint64]:
        return self.key >> np.uint64(32)


class _Pairs(NamedTuple):
    """Pairs of overlapping candidates, better one first, with what is held against the threshold."""

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
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        pairs = _overlapping(images, np.float32(min(thresholds)), by)
        keep: Mask = np.ones(count, np.bool_)
        masks: dict[float, Mask] = {}
        for threshold in sorted(set(thresholds)):
            over = pairs.value > np.float32(threshold)
            pairs = _Pairs(pairs.better[over], pairs.worse[over], pairs.value[over])
            masks[threshold] = keep = _resolved(pairs, keep)
    return [masks[threshold] for threshold in thresholds]


def _resolved(pairs: _Pairs, guess: Mask) -> Mask:
    """Which candidates stay: those that no better one that stays overlaps.

    Any guess becomes right by applying that rule again and again: the best of a group after one time, what depends
    only on it after two. What does not change any more is the answer, as the rule has only one.
    """
    while True:
        keep = np.ones_like(guess)
        keep[pairs.worse[guess[pairs.better]]] = False
        if np.array_equal(keep, guess):
            return keep
        guess = keep


def _overlapping(images: Sequence[Candidates], threshold: np.float32, by: Criterion) -> _Pairs:
    """All pairs of a group whose value exceeds the threshold."""
    at = _sorted(images)
    first, second, shared = _touching(at, threshold)
    same = at.group[first] == at.group[second]
    first, second, shared = first[same], second[same], shared[same]
    union = at.area[first] + at.area[second] - shared
    value = np.where(union == 0, np.float32(0), shared / union)
    if by.kind != "default":
        over = value > threshold
        first, second, value = first[over], second[over], value[over]
        value = value - _distance_term(at, first, second, by.exponent)
    over = value > threshold
    first, second, value = at.index[first[over]], at.index[second[over]], value[over]
    # falling score, then place: one number that orders both
    score = np.concatenate([image.score for image in images])
    rank = (~_ordered(score)).astype(np.uint64) << np.uint64(32) | np.arange(len(score), dtype=np.uint64)
    ahead = rank[first] < rank[second]
    return _Pairs(np.where(ahead, first, second), np.where(ahead, second, first), value)


def _distance_term(at: _Sorted, first: Indices, second: Indices, exponent: float) -> Floats:
    """(d2 / c2)^exponent of pairs: pow in double, all else in float (spec b.3); 0 for two points in one place."""
    x, y = at.boxes[0], at.boxes[1]
    left, top, right, bottom = at.edges
    width = np.maximum(right[first], right[second]) - np.minimum(left[first], left[second])
    height = np.maximum(bottom[first], bottom[second]) - np.minimum(top[first], top[second])
    diagonal = width * width + height * height
    aside, down = x[first] - x[second], y[first] - y[second]
    share = (aside * aside + down * down) / diagonal
    term: Floats = np.power(share.astype(np.float64), exponent).astype(np.float32)
    return np.where(diagonal == 0, np.float32(0), term)


def _sorted(images: Sequence[Candidates]) -> _Sorted:
    classes = max(int(image.category.max(initial=0)) for image in images) + 1
    starts = np.cumsum([0] + [len(image.boxes) for image in images])
    box = np.concatenate([image.box + start for image, start in zip(images, starts, strict=False)])
    boxes = np.concatenate([image.boxes for image in images])
    half = boxes[:, 2:] / np.float32(2)
    corners = np.concatenate((boxes[:, :2] - half, boxes[:, :2] + half), 1)
    group = np.concatenate([image.category + np.int64(classes * at) for at, image in enumerate(images)])
    sizes = np.bincount(group)
    by_size = np.argsort(-sizes)
    place = np.empty(len(sizes), np.uint64)
    place[by_size] = np.arange(len(sizes), dtype=np.uint64)
    key = place[group] << np.uint64(32) | _ordered(corners[:, 0])[box]
    index = np.argsort(key)
    box = box[index]
    return _Sorted(
        index,
        key[index],
        sizes[by_size],
        np.ascontiguousarray(boxes.take(box, 0).T),
        np.ascontiguousarray(corners.take(box, 0).T),
        (boxes[:, 2] * boxes[:, 3])[box],
    )


def _ordered(values: Floats) -> NDArray[np.uint32]:
    """Whole numbers in the order of the floats, the zeros being one."""
    bits = (values + np.float32(0)).view(np.int32)
    return (bits ^ ((bits >> 31) | np.int32(-(2**31)))).view(np.uint32)


def _touching(at: _Sorted, threshold: np.float32) -> tuple[Indices, Indices, Floats]:
    """Pairs of neighbours that may exceed the IoU `threshold`, and all that do, with their intersections.

    Pairs across groups may be among them. IoU > t is I > t / (1 + t) * (A + B), but for the rounding, for which the
    right side is lowered.
    """
    left, top, right, bottom = at.edges
    share = float(threshold) / (1 + float(threshold))
    least = (at.area * (share * (1 - 1e-5))).astype(np.float32)
    least[~(least > _TINY)] = 0  # relative rounding is larger there: ask only for an intersection
    limit = _limits(at, share)
    width, height, needed = (np.empty(len(left), np.float32) for _ in range(3))
    over = np.empty(len(left), np.bool_)
    found: list[tuple[Indices, Indices, Floats]] = []
    ends = np.cumsum(at.sizes)
    negative = -at.sizes
    step = 0
    while True:
        step += 1
        groups = int(np.searchsorted(negative, -step))  # those with more than `step` candidates
        count = int(ends[groups - 1]) - step if groups else 0
        if count <= 0:
            break
        if step % 4 == 0:
            active = at.key[step : count + step] <= limit[:count]
            if 8 * np.count_nonzero(active) < count:
                found += _rest(at, np.flatnonzero(active), step, limit, least)
                break
        here, there = slice(count), slice(step, count + step)
        w, h, n, o = width[here], height[here], needed[here], over[here]
        np.minimum(right[here], right[there], out=w)
        w -= left[there]
        np.minimum(bottom[here], bottom[there], out=h)
        np.maximum(top[here], top[there], out=n)
        h -= n
        np.maximum(h, 0, out=h)
        w *= h
        np.add(least[here], least[there], out=n)
        np.greater(w, n, out=o)
        rows = np.flatnonzero(o)
        found.append((rows, rows + step, w[rows]))
    first, second, shared = zip(*found, strict=True) if found else ((), (), ())
    return tuple(map(np.concatenate, (first, second, shared)))


def _limits(at: _Sorted, share: float) -> NDArray[np.uint64]:
    """The key up to which a candidate's partners reach: further right, their IoU cannot exceed the threshold.

    Of a partner j whose left edge is not left of i's, the intersection I is at most (right_i - left_j) * height_i, and
    at most j's own area, so that I > share * (A_i + A_j) leaves no choice but I > t * A_i. An area comes from a box's
    size and an intersection from its edges; where edges are too coarse for the size, `excess` says by how much.
    """
    left, top, right, bottom = at.edges
    height = bottom - top
    spanned = (right - left) * height
    excess = max(1.0, float(np.max(np.where(spanned > 0, spanned / at.area, 1))))
    least = share / (1 - share / excess) * (1 - 1e-5)
    area = np.where(at.area * share > _TINY, at.area, 0).astype(np.float64)
    limit = np.where(height > 0, right - least * area / height, -np.inf).astype(np.float32)
    limit = np.nextafter(limit, np.float32(np.inf))
    return (at.group << np.uint64(32)) | _ordered(limit)


def _rest(
    at: _Sorted, rows: Indices, step: int, limit: NDArray[np.uint64], least: Floats
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
        height = np.minimum(bottom[first], bottom[second]) - np.maximum(top[first], top[second])
        near = height > 0
        first, second = first[near], second[near]
        shared = (np.minimum(right[first], right[second]) - left[second]) * height[near]
        over = shared > least[first] + least[second]
        yield first[over], second[over], shared[over]
