"""Mini-batches in their order, made ahead by other processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch.utils.data import DataLoader, Dataset

from cspbench.data.augment.minibatches import MiniBatch, MiniBatches
from cspbench.errors import BadImageError, IncompleteRunError

AHEAD = 2
"""Mini-batches that each worker makes ahead."""

Place = tuple[int, int]
"""An iteration, from 1, and a subdivision of it, from 0."""


class Loader:
    """The mini-batches of some iterations, of all subdivisions or of those that a process computes.

    `workers` processes make them ahead; 0: this one. `bad` collects the paths of unreadable images, which are black as
    in Darknet; more than `allowed` different ones are an error.
    """

    def __init__(self, batches: MiniBatches, workers: int = 0, allowed: int | None = 0) -> None:
        self.batches, self.workers, self.allowed = batches, workers, allowed
        self.bad: dict[str, BadImageError] = {}

    def iterations(self, first: int, last: int, subdivisions: Sequence[int] | None = None) -> Iterator[MiniBatch]:
        """The mini-batches of iterations `first` to `last`, by iteration and subdivision.

        Raises `BadImageError`, and `IncompleteRunError` where a worker dies.
        """
        mine = range(self.batches.layout.subdivisions) if subdivisions is None else subdivisions
        loader: DataLoader[MiniBatch] = DataLoader(
            _Made(self.batches),
            batch_size=None,
            sampler=_Places(first, last, mine),
            num_workers=self.workers,
            prefetch_factor=AHEAD if self.workers else None,
            # not Python's default, which changes in 3.14: only a forked worker is a child of this process
            multiprocessing_context="fork" if self.workers and sys.platform == "linux" else None,
            worker_init_fn=partial(_begin, os.getpid()),
        )
        try:
            for made in loader:
                self._check(made.errors)
                yield made
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            raise IncompleteRunError(
                "incomplete.worker-died",
                "a data-loading worker died",
                found=str(error).splitlines()[0],
                remedy="Run the command again to resume; if memory is short, with fewer workers (-j)",
            ) from error

    def _check(self, errors: Sequence[BadImageError]) -> None:
        for error in errors:
            self.bad.setdefault(error.where or "", error)
        if self.allowed is not None and len(self.bad) > self.allowed:
            first = next(iter(self.bad.values()))
            if self.allowed:
                first.remedy = f"{first.remedy}. There are more than the {self.allowed} that --allow-bad allows"
            raise first


class _Places:
    """A sampler of places in order, without a list of all of them."""

    def __init__(self, first: int, last: int, subdivisions: Sequence[int]) -> None:
        self.first, self.last, self.subdivisions = first, last, subdivisions

    def __iter__(self) -> Iterator[Place]:
        return (
            (iteration, subdivision)
            for iteration in range(self.first, self.last + 1)
            for subdivision in self.subdivisions
        )

    def __len__(self) -> int:
        return (self.last - self.first + 1) * len(self.subdivisions)


class _Made(Dataset[MiniBatch]):
    def __init__(self, batches: MiniBatches) -> None:
        self.batches = batches

    def __getitem__(self, place: Place) -> MiniBatch:  # type: ignore[override]
        return self.batches.make(*place)


def _begin(parent: int, worker: int) -> None:
    """In a worker: one thread."""
    torch.set_num_threads(1)
