"""Run directories: a run's record, its predictions and its metrics.

    RUN/run.json             the record (`cspbench.results.schema.Run`); written first, and again to add sessions
    RUN/predictions/*.npz    `cspbench.inference.shards`
    RUN/metrics.json         written last, from the predictions alone
    RUN/.lock                held while predictions are written
    RUN/.metrics.lock        held while metrics or the record are read, changed and written

Reading requires no write permission.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from msgspec import structs

from cspbench import __version__
from cspbench.errors import CspbenchError, IncompleteRunError, RunError, brief
from cspbench.inference.shards import SHARD, Shards
from cspbench.io import own_folder, remove, write_bytes
from cspbench.lock import exclusive
from cspbench.provenance import CHANGED, commit
from cspbench.results.encoding import encode
from cspbench.results.schema import DetectionMetrics, Identity, Metrics, Run, Scored, Session
from cspbench.results.sessions import program
from cspbench.results.store import StoredEvaluation, merge_thresholds, metrics_of, read_record

PATIENCE = 60.0
"""Seconds to wait for another command that writes the same metrics."""
LONGEST = 100
"""Bytes of a model's name in a directory's name: file systems allow 255."""
MOST = 1000
"""The largest number of sessions, and of scorings, in a record; the newest stay."""


@dataclass(frozen=True)
class RunDirectory:
    """An open run directory with its record."""

    path: Path
    record: Run

    @property
    def shards(self) -> Shards:
        """The run's predictions."""
        return Shards(self.path, self.record.samples)

    @property
    def identity(self) -> Identity:
        return self.record.identity

    @property
    def samples(self) -> int:
        return self.record.samples

    def stored(self, metrics: Metrics) -> StoredEvaluation:
        """The run with its metrics, as reports read it."""
        return StoredEvaluation(self.path.resolve().name, str(self.path), self.record, metrics)


def run_path(root: Path, identity: Identity, preset: str) -> Path:
    """The directory of a run in `root`: MODEL-PRESET-DIGEST."""
    digest = hashlib.sha256(encode(identity) + preset.encode()).hexdigest()[:8]
    name = identity.model.replace("/", "-")
    while len(name.encode("utf-8", "surrogateescape")) > LONGEST:
        name = name[:-1]
    return root / f"{name}-{preset}-{digest}"


def open_run(path: Path, record: Run, fresh: bool = False) -> RunDirectory:
    """Open the run in a directory, or begin one with `record`; `fresh` discards an existing run.

    Raises `RunError` where the directory contains another run.
    """
    file, predictions = path / "run.json", own_folder(path, "predictions")
    if fresh:
        # the numbers first, which must not outlive their predictions, and the record last
        for old in (path / "metrics.json", path / "server.json", *predictions.glob("*.npz"), file):
            remove(old)
    if file.exists():
        run = load_run(path)
        if run.identity != record.identity:
            raise _other_run(path, run.identity, record.identity)
        return run
    if any(predictions.glob("*.npz")):
        what, expected = "the directory contains predictions but no run.json", "the run.json that goes with them"
        remedy = "Put it back, or start over with --fresh"
        raise RunError("run.no-record", what, where=str(path), expected=expected, found="none", remedy=remedy)
    write_bytes(file, encode(record))
    return RunDirectory(path, record)


def _other_run(path: Path, stored: Identity, requested: Identity) -> RunError:
    old, new = msgspec.to_builtins(stored), msgspec.to_builtins(requested)
    differing = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    what, remedy = "the directory holds another run", "Choose another --run, or start over with --fresh"
    expected = f"the same {', '.join(differing)}"
    found = brief(", ".join(f"{key} {old.get(key)}" for key in differing), 400)
    return RunError("run.other-run", what, where=str(path), expected=expected, found=found, remedy=remedy)


def load_run(path: Path) -> RunDirectory:
    """The run in a directory; raises `CspbenchError` where it cannot be read."""
    record = read_record(path / "run.json", Run)
    if record.shard != SHARD:
        what, expected, remedy = "shards of another size", f"{SHARD} samples per shard", "Start over with --fresh"
        found = str(record.shard)
        raise RunError("run.not-a-run", what, where=str(path), expected=expected, found=found, remedy=remedy)
    return RunDirectory(path, record)


def load_one(path: Path) -> RunDirectory:
    """The run in a directory, or the only one in a folder of runs."""
    runs = find_runs([path])
    if len(runs) != 1:
        what, found = "a folder of several runs", ", ".join(brief(str(run), 120) for run in runs[:4])
        remedy = "Name one of them"
        raise RunError("run.several", what, where=str(path), expected="one run", found=found, remedy=remedy)
    return load_run(runs[0])


def find_runs(paths: Sequence[Path]) -> list[Path]:
    """Run directories at the paths or up to two levels below, without duplicates; `RunError` if a path has none."""
    runs: dict[Path, Path] = {}
    for path in paths:
        problem = None
        try:
            below = (*path.glob("*/run.json"), *path.glob("*/*/run.json"))
            folders = [path] if (path / "run.json").exists() else sorted(file.parent for file in below)
        except OSError as error:
            folders, problem = [], error.strerror
        if not folders:
            where, expected = brief(str(path), 200), "run.json in it or up to two levels below"
            raise RunError(
                "run.none-there", "no run here", where=where, expected=expected, found=problem, remedy="Name a run"
            )
        for folder in folders:
            runs.setdefault(folder.resolve(), folder)
    return list(runs.values())


def add_session(run: RunDirectory, session: Session, files: str | None) -> RunDirectory:
    """Add a session that makes a part of a run to its record."""
    return _rewrite(
        run, lambda record: structs.replace(record, files=files, sessions=[*record.sessions, session][-MOST:])
    )


def begin_again(run: RunDirectory, session: Session, files: str | None) -> RunDirectory:
    """Record this session as the only one, where no predictions of earlier ones are left."""
    return _rewrite(run, lambda record: structs.replace(record, files=files, sessions=[session], scored=[]))


def record_files(run: RunDirectory, files: str | None) -> RunDirectory:
    """Record the fingerprint of image files that have moved."""
    return _rewrite(run, lambda record: structs.replace(record, files=files))


def record_names(run: RunDirectory, names: Sequence[str] | None) -> RunDirectory:
    """Record the names of the network's classes, None for unknown ones; scores under other names are discarded.

    Where the directory cannot be written, the names are only those of the record in memory.
    """
    settings = run.record.settings
    wanted = None if names is None else list(names)
    if settings is None or settings.names == wanted:
        return run
    settings = structs.replace(settings, names=wanted)
    try:
        remove(run.path / "metrics.json")
        return _rewrite(run, lambda record: structs.replace(record, settings=settings))
    except CspbenchError:
        return replace(run, record=structs.replace(run.record, settings=settings))


def _rewrite(run: RunDirectory, change: Callable[[Run], Run]) -> RunDirectory:
    """Read, change and write a record under its lock. Raises `IncompleteRunError` where it cannot be written."""
    try:
        with exclusive(run.path / ".metrics.lock", wait=PATIENCE):
            record = change(load_run(run.path).record)
            write_bytes(run.path / "run.json", encode(record))
    except CspbenchError as error:
        what = "the record of the run cannot be written"
        remedy = "Finished shards are kept: make space there, or let it be written, and run the command again"
        raise IncompleteRunError(
            "incomplete.write-failed", what, where=error.where, found=error.found, remedy=remedy
        ) from error
    return replace(run, record=record)


def read_metrics(run: RunDirectory) -> Metrics | None:
    """A run's metrics; None where there are none, or where they are of another run."""
    metrics = metrics_of(run.path, run.record)
    return metrics if metrics is not None and metrics.identity == run.identity else None


def readable_metrics(run: RunDirectory) -> Metrics | None:
    """A run's metrics; None where there are none that can be read."""
    try:
        return read_metrics(run)
    except CspbenchError:
        return None


def write_metrics(run: RunDirectory, metrics: Metrics, scored: Scored) -> bool:
    """Write a run's metrics, a detector's with the thresholds of earlier scores, and add `scored` to its record.

    Under the lock, so that two commands at once lose nothing; equal metrics are not written again. False where the run
    directory cannot be written.
    """
    try:
        earlier = readable_metrics(run)
        if earlier is not None and earlier == _with_earlier(earlier, metrics):
            return True
        with exclusive(run.path / ".metrics.lock", wait=PATIENCE):
            write_bytes(run.path / "metrics.json", encode(_with_earlier(readable_metrics(run), metrics)))
            record = load_run(run.path).record
            write_bytes(run.path / "run.json", encode(structs.replace(record, scored=[*record.scored, scored][-MOST:])))
    except CspbenchError as error:
        if error.code == "disk.write-failed":
            return False
        raise
    return True


def _with_earlier(earlier: Metrics | None, metrics: Metrics) -> Metrics:
    if isinstance(earlier, DetectionMetrics) and isinstance(metrics, DetectionMetrics):
        return merge_thresholds(earlier, metrics)
    return metrics


def other_program(folder: Path) -> str | None:
    """A program other than the present one that made predictions of the runs in a folder; None without such a run.

    A checkout with uncommitted changes is always another program.
    """
    present = __version__, commit()
    for file in sorted(folder.glob("*/run.json")):
        try:
            record = read_record(file, Run)
        except CspbenchError:
            return f"an unknown program ({brief(str(file))} cannot be read)"
        for session in record.sessions:
            if (session.cspbench, session.commit) != present or str(session.commit).endswith(CHANGED):
                return program(session)
    return None
