"""The prediction shards of a run directory: RUN/predictions/*.npz, one per block of samples.

Each is written atomically, and blocks are fixed, so that any number of processes can write them, in any order and
repeatedly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cspbench.errors import CspbenchError, IncompleteRunError, RunError, brief
from cspbench.inference import npz
from cspbench.inference.npz import Arrays
from cspbench.io import read_file, remove_leftovers, write_bytes

SHARD = 256
"""Samples per shard."""
LARGEST = 1 << 33
"""Maximum bytes of a shard: enough for a detector that outputs every box of every class."""


@dataclass(frozen=True)
class Shards:
    """The shards of a run directory."""

    path: Path
    """The run directory."""
    samples: int

    @property
    def count(self) -> int:
        """The number of shards of a complete run."""
        return -(-self.samples // SHARD)

    def block(self, shard: int) -> range:
        """The sample indices of a shard."""
        return range(shard * SHARD, min((shard + 1) * SHARD, self.samples))

    def shard_path(self, shard: int) -> Path:
        """The file of a shard."""
        return self.path / "predictions" / f"{shard:06d}.npz"

    @property
    def complete(self) -> bool:
        """Whether every shard is present and readable."""
        return not self.missing(lambda shard, arrays: False)

    def missing(self, stale: Callable[[int, Arrays], bool] | None = None) -> list[int]:
        """The shards that are absent, unreadable, or `stale` according to their arrays.

        By default a shard with an unreadable image is stale, because its file may have been repaired. Stale shards stay
        until they are replaced.
        """
        missing = []
        for shard in range(self.count):
            try:
                arrays = self.read(shard)
            except (RunError, IncompleteRunError):
                missing.append(shard)
            else:
                if stale(shard, arrays) if stale else "ok" in arrays and not arrays["ok"].all():
                    missing.append(shard)
        return missing

    def write(self, shard: int, arrays: Arrays) -> None:
        """Write a shard: arrays with one entry per sample, or ragged arrays in a layout that their reader knows.

        Raises `IncompleteRunError`.
        """
        assert len(arrays["index"]) == len(self.block(shard))
        try:
            write_bytes(self.shard_path(shard), npz.dump(arrays))
        except CspbenchError as error:
            raise IncompleteRunError(
                "incomplete.write-failed",
                "a shard cannot be written",
                where=error.where,
                found=error.found,
                remedy="Free some space or make the folder writable, and run the command again to resume",
            ) from error

    def read(self, shard: int) -> Arrays:
        """The arrays of a shard, with verified checksums and samples.

        Raises `IncompleteRunError` for a missing shard, `RunError` for a damaged one.
        """
        path, block = self.shard_path(shard), self.block(shard)
        try:
            arrays = npz.parse(read_file(path, LARGEST))
            npz.check(arrays, {"index": (np.int64, ())}, len(block))
            if not np.array_equal(arrays["index"], np.array(block)):
                raise ValueError("samples of another shard")
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
                expected="a shard written by an evaluation",
                found=brief(str(error) or type(error).__name__, 200),
                remedy="Run the command again: it recomputes only that shard",
            ) from error
        return arrays

    def merged(self, columns: npz.Columns | None = None) -> Arrays:
        """All predictions in sample order, with these columns in every shard.

        Raises `IncompleteRunError` for a missing shard, `RunError`.
        """
        if not self.samples:
            raise RunError(
                "run.no-samples",
                "a run without samples",
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
                        raise ValueError(f"{name} differs from the first shard")
            except ValueError as error:
                raise self.foreign(shard, error) from error
        return {name: np.concatenate([arrays[name] for arrays in shards]) for name in shards[0]}

    def foreign(self, shard: int, error: Exception) -> RunError:
        """The error for a readable shard with predictions of another kind than its run."""
        return RunError(
            "run.other-predictions",
            "predictions of another kind",
            where=str(self.shard_path(shard)),
            expected="predictions of the run's own command",
            found=brief(str(error), 200),
            remedy="Delete the shard and run the command again",
        )

    def tidy(self) -> None:
        """Remove temporary files of killed processes; only while no other process works on the run."""
        for folder in (self.path, self.path / "predictions"):
            for suffix in (".npz", ".json"):
                remove_leftovers(folder, suffix)
