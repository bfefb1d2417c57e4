"""A detector's candidates before NMS, and their layout in a prediction shard.

An image has any number of boxes, and a box any number of categories with independent scores. Both are stored once and
losslessly, so that NMS of every kind and threshold can follow from one forward pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cspbench.inference import npz
from cspbench.inference.npz import Arrays
from cspbench.inference.shards import Shards


@dataclass(frozen=True, eq=False)
class Candidates:
    """The candidates of one image, in Darknet's order (spec b.2)."""

    boxes: NDArray[np.float32]
    """(M, 4): centre x, centre y, width, height in pixels of the original image; not clipped."""
    box: NDArray[np.int32]
    """(K,): the row of `boxes`, ascending."""
    category: NDArray[np.int16]
    """(K,): 0 to classes - 1, ascending within a box."""
    score: NDArray[np.float32]
    """(K,): objectness times class probability."""

    def __len__(self) -> int:
        """The number of pairs of box and category."""
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
    """An image without candidates."""
    columns: dict[str, Any] = {name: np.empty(0, dtype) for name, dtype in COLUMNS.items()}
    return Candidates(boxes=np.empty((0, 4), np.float32), **columns)


def pack(images: Sequence[Candidates]) -> Arrays:
    """The images' candidates end to end, for a shard.

    `box_count` and `candidate_count`, int32 with one entry per image, separate them again.
    """
    padded = [*images, no_candidates()]  # numpy cannot concatenate an empty list
    return {
        "boxes": np.concatenate([image.boxes for image in padded]),
        **{name: np.concatenate([getattr(image, name) for image in padded]) for name in COLUMNS},
        "box_count": np.array([len(image.boxes) for image in images], np.int32),
        "candidate_count": np.array([len(image) for image in images], np.int32),
    }


def unpack(arrays: Arrays) -> list[Candidates]:
    """The images' candidates from the arrays of `pack`, as views. Raises `ValueError`."""
    counts = arrays["box_count"], arrays["candidate_count"]
    if any((count < 0).any() for count in counts):
        raise ValueError("a negative count")
    box_ends, ends = (np.cumsum(count, dtype=np.int64) for count in counts)
    npz.check(arrays, {"boxes": (np.float32, (4,))}, int(counts[0].sum()))
    npz.check(arrays, {name: (kind, ()) for name, kind in COLUMNS.items()}, int(counts[1].sum()))
    if not np.isfinite(arrays["boxes"]).all() or not np.isfinite(arrays["score"]).all():
        raise ValueError("boxes or scores are not finite")
    boxes_of_image = np.repeat(counts[0], counts[1])
    if ((arrays["box"] < 0) | (arrays["box"] >= boxes_of_image)).any() or (arrays["category"] < 0).any():
        raise ValueError("box or category is out of range")
    images = []
    for image in range(len(ends)):
        part = slice(int(ends[image] - counts[1][image]), int(ends[image]))
        boxes = arrays["boxes"][int(box_ends[image] - counts[0][image]) : int(box_ends[image])]
        images.append(Candidates(boxes, *(arrays[name][part] for name in COLUMNS)))
    return images


def shards(run: Shards) -> Iterator[tuple[Arrays, list[Candidates]]]:
    """The arrays of each shard of a complete run, in sample order, and the candidates of its images.

    One shard is in memory at a time. Raises `RunError` for a shard with other samples or without candidates,
    `IncompleteRunError` for a missing shard.
    """
    for shard in range(run.count):
        arrays = run.read(shard)
        try:
            npz.check(arrays, IMAGES, len(run.block(shard)))
            images = unpack(arrays)
        except ValueError as error:
            raise run.foreign(shard, error) from error
        yield arrays, images
