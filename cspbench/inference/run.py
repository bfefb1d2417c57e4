"""A run: one network, weights, data set and preset, in a directory of its own that a killed run resumes in.

    RUN/run.json             what the run is; written first, and again only to list later sessions
    RUN/predictions/*.npz    one shard per block of samples, each written whole or not at all
    RUN/metrics.json         written last, from the predictions alone
    RUN/.lock                held by the command that works here

Shards cover fixed blocks of samples, so that any number of processes can make them, in any order, again and again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cspbench.errors import CspbenchError, IncompleteRunError, RunError, brief
from cspbench.inference import npz
from cspbench.inference import record as records
from cspbench.inference.npz import Arrays
from cspbench.io import read_file, write_bytes, write_json

SHARD = 256
"""Samples per shard."""
LARGEST = 1 << 33
"""Bytes of a shard, at most: a detector that keeps every box of every class stays below."""


@dataclass(frozen=True)
class Run:
    """An open run directory. `identity` is everything that changes a prediction; two runs with one identity are one."""

    path: Path
    identity: Mapping[str, Any]
    samples: int

    @property
    def shards(self) -> int:
        """How many shards the run has when it is complete."""
        return -(-self.samples // SHARD)

    def block(self, shard: int) -> range:
        """The sample indices of a shard."""
        return range(shard * SHARD, min((shard + 1) * SHARD, self.samples))

    def shard_path(self, shard: int) -> Path:
        """Where a shard is kept."""
        return self.path / "predictions" / f"{shard:06d}.npz"

    def missing(
        self, shards: Iterable[int] | None = None, stale: Callable[[int, Arrays], bool] | None = None
    ) -> list[int]:
        """Those of the shards that are not there, not whole, or `stale` as a shard's arrays say.

        By default one with an image that could not be read is stale: its file may have been repaired since. Until they
        are made again they stay.
        """
        wanted = []
        for shard in range(self.shards) if shards is None else shards:
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
                f"shard {shard} of {self.shards} is missing",
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
        for shard in range(self.shards):
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


def open_run(
    path: Path, identity: Mapping[str, Any], samples: int, made: Mapping[str, Any], fresh: bool = False
) -> Run:
    """Begin a run, or go on with the one that is there if it is the same.

    `made` is the provenance (command, versions) of whoever began; it is kept with the time, not compared. `fresh`
    throws away what is there. Raises `RunError` when the directory holds another run.
    """
    run = Run(path, identity, samples)
    record = path / "run.json"
    folder = run.shard_path(0).parent
    if folder.is_symlink():
        raise RunError(
            "run.predictions-linked",
            "the folder of predictions is a link",
            where=str(folder),
            expected="a folder of the run's own",
            remedy="Remove the link, or choose another --run; the run directory itself may be a link",
        )
    if fresh:
        _throw_away([*folder.glob("*.npz"), path / "metrics.json", path / "server.json", record])
    if record.exists():
        there, _ = _load(path)
        if there.identity != json.loads(json.dumps(identity)) or there.samples != samples:
            differing = [
                key
                for key in sorted({*identity, *there.identity})
                if json.loads(json.dumps(identity.get(key))) != there.identity.get(key)
            ]
            values = [f"{key} {there.identity.get(key)}" for key in differing]
            raise RunError(
                "run.other-run",
                "the directory holds another run",
                where=str(path),
                expected=f"the same {', '.join(differing) or 'number of samples'}",
                found=brief(", ".join([f"{there.samples} samples", *values]), 400),
                remedy="Choose another --run, or start over with --fresh",
            )
        return run
    if any(folder.glob("*.npz")):
        raise RunError(
            "run.no-record",
            "the directory holds predictions of nobody knows what",
            where=str(path),
            expected="the run.json that goes with them",
            found="none",
            remedy="Put it back, or start over with --fresh",
        )
    about = {"when": records.now(), **made}
    write_json(record, {"schema": records.SCHEMA, **about, "samples": samples, "shard": SHARD, "identity": identity})
    return run


def _throw_away(files: list[Path]) -> None:
    for old in files:
        try:
            old.unlink(missing_ok=True)
        except OSError as error:
            raise CspbenchError(
                "disk.remove-failed",
                "cannot be thrown away",
                where=str(old),
                found=error.strerror or str(error),
                remedy="Remove it, or choose another --run",
            ) from error


def _load(path: Path, scored: bool = False) -> tuple[Run, dict[str, Any]]:
    """A run and all of its run.json; `scored` asks for all that scoring needs."""
    file = path / "run.json"
    try:
        data = records.parse(read_file(file, records.LARGEST), SHARD)
        if scored:
            records.check(data)
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(
            "run.not-a-run",
            "not a run directory",
            where=str(file),
            expected=f"a run.json of schema {records.SCHEMA}",
            found=brief(str(error), 200),
            remedy="Name the directory that --run named",
        ) from error
    return Run(path, data["identity"], data["samples"]), data


def load_run(path: Path) -> Run:
    """The run that is in a directory; raises `RunError` when there is none that this version can score."""
    return _load(path, scored=True)[0]


def record(path: Path) -> dict[str, Any]:
    """All of a run's run.json, its provenance included; raises `RunError` as `load_run` does."""
    return _load(path, scored=True)[1]


def find_runs(paths: list[Path]) -> list[Path]:
    """Run directories among the paths themselves and up to two levels below; `RunError` if a path has none."""
    found: list[Path] = []
    for path in paths:
        try:
            below = (*path.glob("*/run.json"), *path.glob("*/*/run.json"))
            here = [path] if (path / "run.json").exists() else sorted(each.parent for each in below)
            problem = None
        except OSError as error:
            here, problem = [], error.strerror
        if not here:
            raise RunError(
                "run.none-there",
                "no run here",
                where=brief(str(path), 200),
                expected="run.json in it or up to two levels below",
                found=problem,
                remedy="Name a run",
            )
        found += here
    return found
