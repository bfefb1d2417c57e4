"""The prediction shards of a run directory: RUN/predictions/*.npz, one per block of samples.

Each is written whole or not at all, and blocks are fixed, so that any number of processes can make them, in any order,
again and again.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cspbench.errors import CspbenchError, IncompleteRunError, RunError, brief
from cspbench.inference import npz
from cspbench.inference.npz import Arrays
from cspbench.io import read_file, write_bytes

SHARD = 256
"""Samples per shard."""
LARGEST = 1 << 33
"""Bytes of a shard, at most: a detector that keeps every box of every class stays below."""


@dataclass(frozen=True)
class Shards:
    """The shards of a run directory with predictions of so many samples."""

    path: Path
    """The run directory."""
    samples: int

    @property
    def count(self) -> int:
        """How many shards there are when the run is complete."""
        return -(-self.samples // SHARD)

    def block(self, shard: int) -> range:
        """The sample indices of a shard."""
        return range(shard * SHARD, min((shard + 1) * SHARD, self.samples))

    def shard_path(self, shard: int) -> Path:
        """Where a shard is kept."""
        return self.path / "predictions" / f"{shard:06d}.npz"

    @property
    def complete(self) -> bool:
        """Whether every shard is there and whole."""
        return not self.missing(lambda shard, arrays: False)

    def missing(self, stale: Callable[[int, Arrays], bool] | None = None) -> list[int]:
        """The shards that are not there, not whole, or `stale` as a shard's arrays say.

        By default one with an image that could not be read is stale: its file may have been repaired since. Until they
        are made again they stay.
        """
        wanted = []
        for shard in range(self.count):
            try:
                arrays = self.read(shard)
            except (RunError, IncompleteRunError):
                wanted.append(shard)
            else:
                if stale(shard, arrays) if stale else "ok" in arrays and not arrays["ok"].all():
                    wanted.append(shard)
        return wanted

    def write(self, shard: int, arrays: Arrays) -> None:
        """Keep a shard: arrays with one leading entry per sample, or, for ragged ones, whatever their reader knows.

        Raises `IncompleteRunError` where it cannot be written.
        """
        if len(arrays["index"]) != len(self.block(shard)):
            raise RunError(
                "run.shard-size",
                f"shard {shard} holds the wrong number of samples",
                where=str(self.path),
                expected=str(len(self.block(shard))),
                found=str(len(arrays["index"])),
                remedy="This is a defect of cspbench, please report it",
            )
        try:
            write_bytes(self.shard_path(shard), npz.dump(arrays))
        except CspbenchError as error:
            raise IncompleteRunError(
                "incomplete.write-failed",
                "a shard cannot be written",
                where=error.where,
                found=error.found,
                remedy="Finished shards are kept: make space there, or let it be written, and run the command again",
            ) from error

    def read(self, shard: int) -> Arrays:
        """The arrays of a shard, its checksums and samples verified; raises `RunError` when the file is broken."""
        path, block = self.shard_path(shard), self.block(shard)
        try:
            arrays = npz.parse(read_file(path, LARGEST))
            npz.check(arrays, {"index": (np.int64, ())}, len(block))
            if not np.array_equal(arrays["index"], np.array(block)):
                raise ValueError("other samples than its number says")
            if "ok" in arrays:
                npz.check(arrays, {"ok": (np.bool_, ())}, len(block))
        except FileNotFoundError:
            raise IncompleteRunError(
                "incomplete.shard-missing",
                f"shard {shard} of {self.count} is missing",
                where=str(self.path),
                remedy="Run the command again to resume",
            ) from None
        except (OSError, ValueError, MemoryError) as error:
            raise RunError(
                "run.shard-unreadable",
                "a shard cannot be read",
                where=str(path),
                expected="what an evaluation writes",
                found=brief(str(error) or type(error).__name__, 200),
                remedy="Run the command again: only that shard is made anew",
            ) from error
        return arrays

    def merged(self, columns: npz.Columns | None = None) -> Arrays:
        """All predictions in sample order; the count is asserted, and those columns in every shard."""
        if not self.samples:
            raise RunError(
                "run.no-samples",
                "a run of no samples",
                where=str(self.path),
                remedy="Evaluate on a data set with images",
            )
        shards = []
        for shard in range(self.count):
            shards.append(self.read(shard))
            try:
                npz.check(shards[-1], columns or {}, len(self.block(shard)))
                if shards[-1].keys() != shards[0].keys():
                    raise ValueError(f"the arrays {', '.join(shards[-1])}")
                for name, array in shards[-1].items():
                    first = shards[0][name]
                    if array.shape[1:] != first.shape[1:] or array.dtype.kind != first.dtype.kind:
                        raise ValueError(f"{name} is not as in the first shard")
            except ValueError as error:
                raise self.foreign(shard, error) from error
        return {name: np.concatenate([each[name] for each in shards]) for name in shards[0]}

    def foreign(self, shard: int, error: Exception) -> RunError:
        """The error for a shard that is whole, and of another kind than its run."""
        return RunError(
            "run.other-predictions",
            "a shard holds other predictions than its run",
            where=str(self.shard_path(shard)),
            expected="what the run's own command writes",
            found=brief(str(error), 200),
            remedy="Score it as what it is; or delete the shard and run the command again",
        )

    def tidy(self) -> None:
        """Remove what killed processes left half written. Only when no process is at work here."""
        for folder in (self.path, self.path / "predictions"):
            for pattern in (".*.npz.*", ".*.json.*"):
                for left in folder.glob(pattern):
                    with suppress(OSError):
                        left.unlink()
