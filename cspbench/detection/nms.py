"""Greedy NMS class by class, as in Darknet (spec b.3), for many images at once.

In descending order of score (ties in their given order), each remaining candidate of a class removes all later ones
whose overlap with it exceeds the threshold, strictly, in float32.

The set of overlapping pairs does not depend on the order. So the pairs are computed first, once for all thresholds; the
order then decides which candidate of each pair is removed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cspbench.detection import overlaps
from cspbench.detection.candidates import Candidates
from cspbench.detection.overlaps import GREEDY_BETA, PLAIN, Criterion, Floats, Indices, Sorted
from cspbench.errors import TooManyPairsError
from cspbench.network.layers import Detection, Yolo

Mask = NDArray[np.bool_]

BLOCK = 1 << 15
"""Candidates compared together, so that their arrays fit into the processor's cache."""
BLOCK_IMAGES = 512
"""Maximum number of images in a block; each has a group for every class."""
MOST_PAIRS = 1 << 22
"""Overlapping pairs in memory, of about 50 bytes; beyond it candidates are processed one by one."""


def criterion(kind: str, last: Detection) -> Criterion:
    """The criterion of a preset's `nms_kind`, for a network whose last detection layer is `last` (spec b.1, b.3)."""
    if kind == "cfg":
        kind = last.nms_kind if isinstance(last, Yolo) else "default"
    match kind.removesuffix("nms"):
        case "greedy":
            return GREEDY_BETA
        case "diou":
            # in Darknet beta_nms is a float, and 0.6 a double
            return float(np.float32(last.beta_nms if isinstance(last, Yolo) else GREEDY_BETA))
        case _:  # cornersnms and all names unknown to Darknet compare plain IoU
            return PLAIN


def nms(image: Candidates, threshold: float, by: Criterion = PLAIN) -> Mask:
    """A mask (K,) of the candidates of an image that remain."""
    return nms_many([image], [threshold], by)[0][0]


def nms_many(images: Sequence[Candidates], thresholds: Sequence[float], by: Criterion = PLAIN) -> list[list[Mask]]:
    """For each threshold, from 0 to 1, the masks (K,) of the candidates of each image that remain."""
    remaining = [[np.ones(len(image), np.bool_) for image in images] for _ in thresholds]
    for block in _blocks(images) if thresholds else ():
        cuts = np.cumsum([len(part.candidates) for part in block])[:-1]
        for masks, mask in zip(remaining, _keep([part.candidates for part in block], thresholds, by), strict=True):
            for part, values in zip(block, np.split(mask, cuts), strict=True):
                masks[part.image][part.where] = values
    return remaining


class _Part(NamedTuple):
    """The candidates of an image at the indices `where`."""

    image: int
    where: Indices | slice
    candidates: Candidates


def _blocks(images: Sequence[Candidates]) -> Iterator[list[_Part]]:
    """All candidates in blocks of similar size, those of a class of an image together."""
    block: list[_Part] = []
    size = 0
    for index, image in enumerate(images):
        for part in _parts(index, image):
            if block and (size + len(part.candidates) > BLOCK or len(block) == BLOCK_IMAGES):
                yield block
                block, size = [], 0
            block.append(part)
            size += len(part.candidates)
    if block:
        yield block


def _parts(index: int, image: Candidates) -> Iterator[_Part]:
    if len(image) <= BLOCK:
        if len(image):
            yield _Part(index, slice(None), image)
        return
    counts = np.bincount(image.category)
    part_of_class = (np.cumsum(counts) - counts) // BLOCK
    for part in np.unique(part_of_class):
        where = np.flatnonzero(part_of_class[image.category] == part)
        columns = (image.box[where], image.category[where], image.score[where])
        if len(where):
            yield _Part(index, where, Candidates(image.boxes, *columns))


def _keep(images: Sequence[Candidates], thresholds: Sequence[float], by: Criterion) -> list[Mask]:
    """For each threshold, a mask of the remaining candidates of all images, end to end."""
    descending = overlaps.order(~overlaps.ordered(np.concatenate([image.score for image in images])))
    rank = np.empty(len(descending), np.intp)
    rank[descending] = np.arange(len(descending))
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        at = overlaps.sort(images)
        rank = rank.take(at.given)
        try:
            if any(image.boxes[:, 2:].min(initial=0) < 0 for image in images):  # from negative anchors
                raise TooManyPairsError
            first, second, value = overlaps.overlapping(at, np.float32(min(thresholds)), by, MOST_PAIRS)
        except TooManyPairsError:
            by_rank = {level: _one_by_one(at, rank, np.float32(level), by) for level in set(thresholds)}
        else:
            first, second = rank.take(first), rank.take(second)
            better, worse = np.minimum(first, second), np.maximum(first, second)
            by_rank = {}
            free = np.ones(len(rank), np.bool_)
            for level, better_ranks, worse_ranks in _nested(better, worse, value, thresholds):
                free[worse_ranks] = False
                by_rank[level] = _resolved(better_ranks, worse_ranks, free)
    masks = []
    for threshold in thresholds:
        mask = np.empty(len(rank), np.bool_)
        mask[descending] = by_rank[threshold]
        masks.append(mask)
    return masks


def _nested(
    better: Indices, worse: Indices, value: Floats, thresholds: Sequence[float]
) -> Iterator[tuple[float, Indices, Indices]]:
    """Each threshold once, in descending order, with the better and the worse ranks of all pairs above it."""
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
    """A mask of the remaining candidates by rank: those that no better remaining candidate overlaps.

    `free` candidates, which are not the worse one of an unresolved pair, remain, and the worse ones of their pairs are
    removed. That resolves most pairs; the loop continues with the others.
    """
    keep = np.ones_like(free)
    while len(better):
        keep[worse.compress(free.take(better))] = False
        unresolved = keep.take(worse)
        better, worse = better.compress(unresolved), worse.compress(unresolved)
        unresolved = keep.take(better)
        better, worse = better.compress(unresolved), worse.compress(unresolved)
        free = np.ones_like(keep)
        free[worse] = False
    return keep


def _one_by_one(at: Sorted, rank: Indices, threshold: np.float32, by: Criterion) -> Mask:
    """A mask of the remaining candidates by rank, as in the specification: slow, unless most of them are removed."""
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
