"""Darknet's loader threads: each loads a consecutive part of an iteration's images, its chunk (spec b.1, c.1).

What is drawn once for several images is drawn once for a chunk.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

CLASSIFIER_THREADS = 32
DETECTOR_THREADS, DETECTOR_THREADS_2019 = 6, 3
"""Today, and before 2019-12-08."""


class Chunk(NamedTuple):
    """`images` images from number `first` of an iteration on."""

    first: int
    images: int

    @property
    def end(self) -> int:
        return self.first + self.images


def chunks(batch: int, threads: int) -> list[Chunk]:
    """The chunks of an iteration of `batch` images, without the empty ones of threads that have nothing to do."""
    ends = [thread * batch // threads for thread in range(threads + 1)]
    return [Chunk(first, end - first) for first, end in pairwise(ends) if end > first]


def overlapping(parts: list[Chunk], first: int, end: int) -> Iterator[tuple[Chunk, range]]:
    """The chunks that contain images `first` to `end` - 1, each with the places of these images in it."""
    for chunk in parts:
        places = range(max(first - chunk.first, 0), min(end - chunk.first, chunk.images))
        if places:
            yield chunk, places
