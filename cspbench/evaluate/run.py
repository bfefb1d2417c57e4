"""A run: one network, weights, data set and preset, in a directory of its own that a killed run resumes in.

    RUN/run.json             what the run is; written first, never changed
    RUN/predictions/*.npz    one shard per block of samples, each written whole or not at all
    RUN/metrics.json         written last, from the predictions alone

Shards cover fixed blocks of samples, so that any number of processes can make them, in any order, again and again.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cspbench.errors import CspbenchError
from cspbench.results import write_bytes, write_json

RUN_SCHEMA = 1
SHARD = 256
"""Samples per shard."""

Arrays = dict[str, np.ndarray[Any, Any]]
_FINE = np.ones(0, np.bool_)


class RunError(CspbenchError):
    """A run directory is unusable, or belongs to another run."""


class IncompleteRunError(CspbenchError):
    """A run lacks predictions; it can be resumed."""

    exit_code = 4


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

    def missing(self, shards: Iterable[int] | None = None) -> list[int]:
        """Those of the shards that are not there, not whole, or hold an image that could not be read.

        They are deleted, to be made again: the file may have been repaired since.
        """
        wanted = []
        for shard in range(self.shards) if shards is None else shards:
            try:
                if bool(self.read(shard).get("ok", _FINE).all()):
                    continue
            except (RunError, IncompleteRunError):
                pass
            self.shard_path(shard).unlink(missing_ok=True)
            wanted.append(shard)
        return wanted

    def write(self, shard: int, arrays: Arrays) -> None:
        """Keep a shard: arrays with one leading entry per sample, or, for ragged ones, whatever their reader knows."""
        if len(arrays["index"]) != len(self.block(shard)):
            raise RunError(
                f"shard {shard} holds the wrong number of samples",
                where=str(self.path),
                expected=str(len(self.block(shard))),
                found=str(len(arrays["index"])),
                remedy="This is a defect of cspbench, please report it",
            )
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        write_bytes(self.shard_path(shard), buffer.getvalue())

    def read(self, shard: int) -> Arrays:
        """The arrays of a shard, its checksums verified; raises `RunError` when the file is broken."""
        path = self.shard_path(shard)
        try:
            # from memory: numpy leaves a broken file open
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as data:
                arrays = {name: data[name] for name in data.files}
            if len(arrays["index"]) != len(self.block(shard)):
                raise ValueError(f"{len(arrays['index'])} samples instead of {len(self.block(shard))}")
        except FileNotFoundError:
            raise IncompleteRunError(
                f"shard {shard} of {self.shards} is missing",
                where=str(self.path),
                remedy="Run the command again to resume",
            ) from None
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
            raise RunError(
                "a shard cannot be read",
                where=str(path),
                found=str(error),
                remedy="Delete it and run the command again: only that shard is made anew",
            ) from error
        return arrays

    def merged(self) -> Arrays:
        """All predictions in sample order; the count is asserted."""
        shards = [self.read(shard) for shard in range(self.shards)]
        arrays = {name: np.concatenate([each[name] for each in shards]) for name in shards[0]} if shards else {}
        if not shards or not np.array_equal(arrays["index"], np.arange(self.samples)):
            raise RunError(
                "the shards do not hold every sample once",
                where=str(self.path),
                expected=f"samples 0 to {self.samples - 1}",
                found=f"{len(arrays.get('index', ()))} entries",
                remedy="Start again with --fresh",
            )
        return arrays


def open_run(
    path: Path, identity: Mapping[str, Any], samples: int, made: Mapping[str, Any], fresh: bool = False
) -> Run:
    """Begin a run, or go on with the one that is there if it is the same.

    `made` is the provenance (command, versions) of whoever began; it is kept, not compared. `fresh` throws away what
    is there. Raises `RunError` when the directory holds another run.
    """
    run = Run(path, identity, samples)
    record = path / "run.json"
    if fresh and record.exists():
        for old in [*(path / "predictions").glob("*.npz"), path / "metrics.json", record]:
            old.unlink(missing_ok=True)
    if record.exists():
        there = load_run(path)
        if there.identity != json.loads(json.dumps(identity)) or there.samples != samples:
            differing = [
                key
                for key in sorted({*identity, *there.identity})
                if json.loads(json.dumps(identity.get(key))) != there.identity.get(key)
            ]
            raise RunError(
                "the directory holds another run",
                where=str(path),
                expected=f"the same {', '.join(differing) or 'number of samples'}",
                found=f"{there.samples} samples, " + ", ".join(f"{key} {there.identity.get(key)}" for key in differing),
                remedy="Choose another --run, or start over with --fresh",
            )
        return run
    write_json(record, {"schema": RUN_SCHEMA, **made, "samples": samples, "shard": SHARD, "identity": identity})
    return run


def load_run(path: Path) -> Run:
    """The run that is in a directory; raises `RunError` when there is none that this version reads."""
    record = path / "run.json"
    try:
        data = json.loads(record.read_text(encoding="utf-8"))
        if data["schema"] != RUN_SCHEMA or data["shard"] != SHARD:
            raise ValueError(f"schema {data['schema']}, {data['shard']} samples per shard")
        identity, samples = data["identity"], data["samples"]
        if not isinstance(identity, dict) or not isinstance(samples, int) or samples < 0:
            raise TypeError("identity and samples of other types")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunError(
            "not a run directory",
            where=str(record),
            expected=f"a run.json of schema {RUN_SCHEMA}",
            found=str(error),
            remedy="Name the directory that --run named",
        ) from error
    return Run(path, identity, samples)


def record(path: Path) -> dict[str, Any]:
    """All of a run's run.json, its provenance included."""
    load_run(path)
    data: dict[str, Any] = json.loads((path / "run.json").read_text(encoding="utf-8"))
    return data


def find_runs(paths: list[Path]) -> list[Path]:
    """Run directories among the paths themselves and one level below; raises `RunError` if a path has none."""
    found: list[Path] = []
    for path in paths:
        here = [path] if (path / "run.json").exists() else sorted(each.parent for each in path.glob("*/run.json"))
        if not here:
            raise RunError(
                "no run here", where=str(path), expected="run.json in it or one level below", remedy="Name a run"
            )
        found += here
    return found
