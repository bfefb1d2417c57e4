"""What a detector proposes for an image before any suppression, and how a shard of predictions keeps it.

An image has any number of boxes, and a box any number of categories, whose scores do not exclude each other. Both are
kept once and without loss, so that every kind and threshold of suppression can follow from one forward pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cspbench.inference import npz
from cspbench.inference.npz import Arrays
from cspbench.inference.run import Run


@dataclass(frozen=True, eq=False)
class Candidates:
    """The candidates of one image, in the order in which Darknet finds them (spec b.2)."""

    boxes: NDArray[np.float32]
    """(M, 4): centre x, centre y, width, height in pixels of the original image; not clipped."""
    box: NDArray[np.int32]
    """(K,): the row of `boxes`, ascending."""
    category: NDArray[np.int16]
    """(K,): 0 to classes - 1, ascending within a box."""
    score: NDArray[np.float32]
    """(K,): objectness times class probability."""

    def __len__(self) -> int:
        """Pairs of box and category."""
        return len(self.box)


COLUMNS = {"box": np.int32, "category": np.int16, "score": np.float32}
"""Per candidate; `boxes` is per box."""
IMAGES = {
    "key": (np.str_, ()),
    "extent": (np.int32, (2,)),
    "checksum": (np.uint32, ()),
    "ok": (np.bool_, ()),
    "box_count": (np.int32, ()),
    "candidate_count": (np.int32, ()),
}
"""Per image."""


def no_candidates() -> Candidates:
    """An image where the detector finds nothing."""
    columns: dict[str, Any] = {name: np.empty(0, dtype) for name, dtype in COLUMNS.items()}
    return Candidates(boxes=np.empty((0, 4), np.float32), **columns)


def pack(images: Sequence[Candidates]) -> Arrays:
    """The images' candidates end to end, for a shard.

    `box_count` and `candidate_count`, int32 with one entry per image, tell them apart again.
    """
    some = [*images, no_candidates()]  # numpy cannot concatenate nothing
    return {
        "boxes": np.concatenate([each.boxes for each in some]),
        **{name: np.concatenate([getattr(each, name) for each in some]) for name in COLUMNS},
        "box_count": np.array([len(each.boxes) for each in images], np.int32),
        "candidate_count": np.array([len(each) for each in images], np.int32),
    }


def unpack(arrays: Arrays) -> list[Candidates]:
    """The images' candidates out of what `pack` made, as views; ValueError or KeyError if it is no such thing."""
    counts = [arrays["box_count"], arrays["candidate_count"]]
    if len(counts[0]) != len(counts[1]) or any((count < 0).any() for count in counts):
        raise ValueError("counts that do not belong together")
    box_ends, ends = (np.cumsum(count, dtype=np.int64) for count in counts)
    lengths = {"boxes": int(box_ends[-1]) if len(box_ends) else 0}
    lengths |= dict.fromkeys(COLUMNS, int(ends[-1]) if len(ends) else 0)
    for name, length in lengths.items():
        if len(arrays[name]) != length:
            raise ValueError(f"{name} has {len(arrays[name])} entries instead of {length}")
        if arrays[name].dtype != COLUMNS.get(name, np.float32):
            raise ValueError(f"{name} is {arrays[name].dtype}")
        if arrays[name].shape[1:] != ((4,) if name == "boxes" else ()):
            raise ValueError(f"{name} of shape {arrays[name].shape}")
    if not np.isfinite(arrays["boxes"]).all() or not np.isfinite(arrays["score"]).all():
        raise ValueError("boxes or scores that are not finite")
    owned = np.repeat(counts[0], counts[1])
    if ((arrays["box"] < 0) | (arrays["box"] >= owned)).any() or (arrays["category"] < 0).any():
        raise ValueError("box or category out of range")
    images = []
    for image in range(len(ends)):
        part = slice(int(ends[image] - counts[1][image]), int(ends[image]))
        boxes = arrays["boxes"][int(box_ends[image] - counts[0][image]) : int(box_ends[image])]
        images.append(Candidates(boxes, *(arrays[name][part] for name in COLUMNS)))
    return images


def shards(run: Run) -> Iterator[tuple[Arrays, list[Candidates]]]:
    """A complete run, a shard at a time and in sample order: its arrays, and the candidates of each of its images.

    One shard is in memory at a time. Raises `RunError` for a shard that holds other samples than it should or no
    candidates, `IncompleteRunError` for one that is missing.
    """
    for shard in range(run.shards):
        arrays = run.read(shard)
        try:
            npz.check(arrays, IMAGES, len(run.block(shard)))
            images = unpack(arrays)
        except (ValueError, KeyError, TypeError) as error:
            raise run.foreign(shard, error) from error
        yield arrays, images
