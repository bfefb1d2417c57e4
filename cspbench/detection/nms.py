"""Greedy suppression of overlapping boxes, class by class, as Darknet does it (spec b.3), for many images at once.

Going through an image's candidates of a class by falling score (equal ones in their order), each that is still there
removes all after it whose overlap with it exceeds the threshold, strictly, both as float32.

Which pairs overlap that much does not depend on that order. So the pairs are found first, once for all thresholds; the
order then decides which of each pair goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cspbench.detection import overlaps
from cspbench.detection.candidates import Candidates
from cspbench.detection.overlaps import GREEDY_BETA, PLAIN, Criterion, Floats, Indices, Sorted
from cspbench.errors import TooManyPairsError, UsageError
from cspbench.network.layers import Detection, Yolo

__all__ = ["PLAIN", "Criterion", "criterion", "nms", "nms_many"]

Mask = NDArray[np.bool_]

BLOCK = 1 << 15
"""Candidates that are compared together, so that their arrays stay in the processor's cache."""
BLOCK_IMAGES = 512
"""Images, at most; each has a group for every class."""
MOST_PAIRS = 1 << 22
"""Overlapping pairs that are kept in memory, at about 50 bytes; where there are more, candidates go one by one."""


def criterion(kind: str, last: Detection) -> Criterion:
    """The criterion of a preset's `nms_kind`, for a network whose last detection layer is `last` (spec b.1, b.3)."""
    if kind == "cfg":
        kind = last.nms_kind if isinstance(last, Yolo) else "default"
    match kind.removesuffix("nms"):
        case "greedy":
            return Criterion("greedy")
        case "diou":
            return Criterion("diou", last.beta_nms if isinstance(last, Yolo) else GREEDY_BETA)
        case _:  # cornersnms compares plain IoU, and so does every word that Darknet does not know
            return PLAIN


def nms(image: Candidates, threshold: float, by: Criterion = PLAIN) -> Mask:
    """Which candidates of an image stay, (K,)."""
    return nms_many([image], [threshold], by)[0][0]


def nms_many(images: Sequence[Candidates], thresholds: Sequence[float], by: Criterion = PLAIN) -> list[list[Mask]]:
    """For each threshold, from 0 to 1, which candidates of each image stay: masks (K,)."""
    for threshold in thresholds:
        if not 0 <= threshold <= 1:
            raise UsageError(
                "usage.out-of-range",
                "an NMS threshold is out of range",
                expected="0 to 1",
                found=f"{threshold:g}",
                remedy="Correct --nms",
            )
    kept = [[np.ones(len(image), np.bool_) for image in images] for _ in thresholds]
    for block in _blocks(images) if thresholds else ():
        cuts = np.cumsum([len(part.candidates) for part in block])[:-1]
        for masks, mask in zip(kept, _keep([part.candidates for part in block], thresholds, by), strict=True):
            for part, values in zip(block, np.split(mask, cuts), strict=True):
                masks[part.image][part.where] = values
    return kept


class _Part(NamedTuple):
    """Candidates `where` of an image."""

    image: int
    where: Indices | slice
    candidates: Candidates


def _blocks(images: Sequence[Candidates]) -> Iterator[list[_Part]]:
    """All candidates, those of an image's class always together, in about equal blocks."""
    block: list[_Part] = []
    held = 0
    for at, image in enumerate(images):
        for part in _parts(at, image):
            if block and (held + len(part.candidates) > BLOCK or len(block) == BLOCK_IMAGES):
                yield block
                block, held = [], 0
            block.append(part)
            held += len(part.candidates)
    if block:
        yield block


def _parts(at: int, image: Candidates) -> Iterator[_Part]:
    if len(image) <= BLOCK:
        if len(image):
            yield _Part(at, slice(None), image)
        return
    counts = np.bincount(image.category)
    number = (np.cumsum(counts) - counts) // BLOCK
    for each in np.unique(number):
        where = np.flatnonzero(number[image.category] == each)
        columns = (image.box[where], image.category[where], image.score[where])
        if len(where):
            yield _Part(at, where, Candidates(image.boxes, *columns))


def _keep(images: Sequence[Candidates], thresholds: Sequence[float], by: Criterion) -> list[Mask]:
    """For each threshold, which of the images' candidates stay, end to end."""
    falling = overlaps.order(~overlaps.ordered(np.concatenate([image.score for image in images])))
    rank = np.empty(len(falling), np.intp)
    rank[falling] = np.arange(len(falling))
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        at = overlaps.sort(images)
        rank = rank.take(at.given)
        try:
            if any(image.boxes[:, 2:].min(initial=0) < 0 for image in images):  # from negative anchors
                raise TooManyPairsError
            pairs = overlaps.overlapping(at, np.float32(min(thresholds)), by, MOST_PAIRS)
        except TooManyPairsError:
            by_rank = {each: _one_by_one(at, rank, np.float32(each), by) for each in set(thresholds)}
        else:
            first, second = rank.take(pairs.first), rank.take(pairs.second)
            better, worse = np.minimum(first, second), np.maximum(first, second)
            by_rank = {}
            free = np.ones(len(rank), np.bool_)
            for each, here, there in _nested(better, worse, pairs.value, thresholds):
                free[there] = False
                by_rank[each] = _resolved(here, there, free)
    masks = []
    for threshold in thresholds:
        mask = np.empty(len(rank), np.bool_)
        mask[falling] = by_rank[threshold]
        masks.append(mask)
    return masks


def _nested(
    better: Indices, worse: Indices, value: Floats, thresholds: Sequence[float]
) -> Iterator[tuple[float, Indices, Indices]]:
    """Each threshold once, falling, with the better and the worse ones of all pairs that exceed it."""
    levels = sorted(set(thresholds))
    ends = np.array([len(value)])
    if len(levels) > 1:
        below = np.zeros(len(value), np.uint16)
        for level in levels:
            below += (value <= np.float32(level)).view(np.uint8)
        order = np.argsort(below, kind="stable")
        better, worse = better.take(order), worse.take(order)
        ends = np.cumsum(np.bincount(below, minlength=len(levels)))
    for level, end in zip(reversed(levels), ends, strict=True):
        yield level, better[:end], worse[:end]


def _resolved(better: Indices, worse: Indices, free: Mask) -> Mask:
    """Which candidates stay, by rank: those that no better one that stays overlaps.

    Who is `free`, the worse one of no open pair, stays; the worse ones of their pairs go; that settles most pairs, and
    the others are open.
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


def _one_by_one(at: Sorted, rank: Indices, threshold: np.float32, by: Criterion) -> Mask:
    """Which candidates stay, by rank, as the specification says it: slow, unless most of them go."""
    keep = np.zeros(len(rank), np.bool_)
    begin = 0
    for size in at.sizes:
        group = begin + np.argsort(rank[begin : begin + size])
        begin += size
        while len(group):
            keep[rank[group[0]]] = True
            rest = group[1:]
            group = rest[~(overlaps.one_with_many(at, int(group[0]), rest, by) > threshold)]
    return keep
