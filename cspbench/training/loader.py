"""Mini-batches of a run in their order, made ahead by other processes."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing

from torch.utils.data import Dataset

from cspbench.data.augment.minibatches import MiniBatch, MiniBatches
from cspbench.errors import BadImageError
from cspbench.inference.workers import ahead, died

Place = tuple[int, int]
"""An iteration, from 1, and a subdivision of it, from 0."""


class Loader:
    """The mini-batches of some iterations, of all subdivisions or of those that a process computes.

    `workers` processes make them ahead; 0: this one. `bad` collects the paths of unreadable images, which are black as
    in Darknet; more than `allowed` different ones are an error, any number for None.
    """

    def __init__(self, batches: MiniBatches, workers: int = 0, allowed: int | None = 0) -> None:
        self.batches, self.workers, self.allowed = batches, workers, allowed
        self.bad: dict[str, BadImageError] = {}

    def iterations(
        self, first: int, last: int, subdivisions: Sequence[int] | None = None
    ) -> Generator[MiniBatch, None, None]:
        """The mini-batches of iterations `first` to `last`, by iteration and subdivision; close it to end the workers.

        Raises `BadImageError`, and `IncompleteRunError` where a worker dies.
        """
        mine = range(self.batches.layout.subdivisions) if subdivisions is None else subdivisions
        places = _Places(first, last, mine)
        try:
            with closing(ahead(_Made(self.batches), self.workers, batch_size=None, sampler=places)) as made:
                for batch in made:
                    self._check(batch.errors)
                    yield batch
        except RuntimeError as error:
            if (death := died(error)) is error:
                raise
            raise death from error

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
        self.iterations, self.subdivisions = range(first, last + 1), subdivisions

    def __iter__(self) -> Iterator[Place]:
        return ((iteration, subdivision) for iteration in self.iterations for subdivision in self.subdivisions)

    def __len__(self) -> int:
        return len(self.iterations) * len(self.subdivisions)


class _Made(Dataset[MiniBatch]):
    def __init__(self, batches: MiniBatches) -> None:
        self.batches = batches

    def __getitem__(self, place: Place) -> MiniBatch:
        return self.batches.make(*place)
