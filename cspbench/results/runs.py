"""Run directories: what a run is, who made it, its predictions and its metrics.

    RUN/run.json             the record (`cspbench.results.schema.Run`); written first, and again to list sessions
    RUN/predictions/*.npz    `cspbench.inference.shards`
    RUN/metrics.json         written last, from the predictions alone
    RUN/.lock                held by the command that works here
    RUN/.metrics.lock        held while metrics or the record are read, changed and written

Reading needs no right to write.
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
from cspbench.io import write_bytes
from cspbench.lock import exclusive
from cspbench.provenance import CHANGED, commit
from cspbench.results.schema import (
    ClassificationMetrics,
    CocoIdentity,
    DetectionMetrics,
    ImagenetIdentity,
    Metrics,
    Run,
    Scored,
    Session,
    encode,
)
from cspbench.results.sessions import program
from cspbench.results.store import merged_thresholds, read_record

PATIENCE = 60.0
"""Seconds to wait for another command that writes the same metrics."""
LONGEST = 100
"""Bytes of a model's name in a directory's: file systems allow 255."""
MOST = 1000
"""Sessions, and scorings, that a record lists, the newest ones."""


@dataclass(frozen=True)
class RunDirectory:
    """An open run directory with its record."""

    path: Path
    record: Run

    @property
    def shards(self) -> Shards:
        """Its predictions."""
        return Shards(self.path, self.record.samples)

    @property
    def identity(self) -> ImagenetIdentity | CocoIdentity:
        """What it is told apart by."""
        return self.record.identity

    @property
    def samples(self) -> int:
        """How many images it is of."""
        return self.record.samples


def run_path(root: Path, identity: ImagenetIdentity | CocoIdentity, preset: str) -> Path:
    """The directory of a run of that identity below `root`: MODEL-PRESET-DIGEST."""
    digest = hashlib.sha256(encode(identity) + preset.encode()).hexdigest()[:8]
    name = identity.model.replace("/", "-")
    while len(name.encode("utf-8", "surrogateescape")) > LONGEST:
        name = name[:-1]
    return root / f"{name}-{preset}-{digest}"


def open_run(path: Path, record: Run, fresh: bool = False) -> RunDirectory:
    """Begin a run with that record, or open the one that is there if it is the same; `fresh` discards what is there.

    Raises `RunError` when the directory holds another run.
    """
    file, predictions = path / "run.json", path / "predictions"
    if predictions.is_symlink():
        raise RunError(
            "run.predictions-linked",
            "the folder of predictions is a link",
            where=str(predictions),
            expected="a folder of the run's own",
            remedy="Remove the link, or choose another --run; the run directory itself may be a link",
        )
    if fresh:
        _discard([*predictions.glob("*.npz"), path / "metrics.json", path / "server.json", file])
    if file.exists():
        there = load_run(path)
        if there.identity != record.identity:
            raise _another(path, there.identity, record.identity)
        return there
    if any(predictions.glob("*.npz")):
        raise RunError(
            "run.no-record",
            "the directory contains predictions but no run.json",
            where=str(path),
            expected="the run.json that goes with them",
            found="none",
            remedy="Put it back, or start over with --fresh",
        )
    write_bytes(file, encode(record))
    return RunDirectory(path, record)


def _another(path: Path, there: msgspec.Struct, wanted: msgspec.Struct) -> RunError:
    found, expected = (msgspec.to_builtins(each) for each in (there, wanted))
    differing = [key for key in sorted({*found, *expected}) if found.get(key) != expected.get(key)]
    return RunError(
        "run.other-run",
        "the directory holds another run",
        where=str(path),
        expected=f"the same {', '.join(differing)}",
        found=brief(", ".join(f"{key} {found.get(key)}" for key in differing), 400),
        remedy="Choose another --run, or start over with --fresh",
    )


def _discard(files: Sequence[Path]) -> None:
    for file in files:
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise CspbenchError(
                "disk.remove-failed",
                "cannot be removed",
                where=str(file),
                found=error.strerror or str(error),
                remedy="Remove it, or choose another --run",
            ) from error


def load_run(path: Path) -> RunDirectory:
    """The run in a directory; raises `CspbenchError` where there is none that this version can read."""
    record = read_record(path / "run.json", Run)
    if record.shard != SHARD:
        raise RunError(
            "run.not-a-run",
            "shards of another size",
            where=str(path),
            expected=f"{SHARD} samples per shard",
            found=str(record.shard),
            remedy="Start over with --fresh",
        )
    return RunDirectory(path, record)


def load_one(path: Path) -> RunDirectory:
    """The run in a directory, or the only one in a folder of runs."""
    runs = find_runs([path])
    if len(runs) != 1:
        raise RunError(
            "run.several",
            "a folder of several runs",
            where=str(path),
            expected="one run",
            found=", ".join(run.name for run in runs[:4]),
            remedy="Name one of them",
        )
    return load_run(runs[0])


def find_runs(paths: Sequence[Path]) -> list[Path]:
    """Run directories among the paths themselves and up to two levels below, each once; `RunError` if a path has none.

    What two paths lead to is one run.
    """
    runs: dict[Path, Path] = {}
    for path in paths:
        problem = None
        try:
            below = (*path.glob("*/run.json"), *path.glob("*/*/run.json"))
            here = [path] if (path / "run.json").exists() else sorted(file.parent for file in below)
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
        for run in here:
            runs.setdefault(run.resolve(), run)
    return list(runs.values())


def add_session(run: RunDirectory, session: Session, files: str | None) -> RunDirectory:
    """List one more session that makes a part of a run."""
    return _rewrite(
        run, lambda record: structs.replace(record, files=files, sessions=[*record.sessions, session][-MOST:])
    )


def begin_again(run: RunDirectory, session: Session, files: str | None) -> RunDirectory:
    """Have a record say that this session makes all of a run, where nothing is left of earlier ones."""
    return _rewrite(run, lambda record: structs.replace(record, files=files, sessions=[session], scored=[]))


def moved(run: RunDirectory, files: str | None) -> RunDirectory:
    """Note in a record in which files its images lie now."""
    return _rewrite(run, lambda record: structs.replace(record, files=files))


def _rewrite(run: RunDirectory, change: Callable[[Run], Run]) -> RunDirectory:
    """Read, change and write a record under its lock. Raises `IncompleteRunError` where it cannot be written."""
    try:
        with exclusive(run.path / ".metrics.lock", wait=PATIENCE):
            record = change(load_run(run.path).record)
            write_bytes(run.path / "run.json", encode(record))
    except CspbenchError as error:
        raise IncompleteRunError(
            "incomplete.write-failed",
            "the record of the run cannot be written",
            where=error.where,
            found=error.found,
            remedy="Finished shards are kept: make space there, or let it be written, and run the command again",
        ) from error
    return replace(run, record=record)


def read_metrics(run: RunDirectory) -> Metrics | None:
    """The metrics that a run has; None where there are none, or where they are of another run."""
    file = run.path / "metrics.json"
    metrics: Metrics
    if not file.exists():
        return None
    if isinstance(run.identity, ImagenetIdentity):
        metrics = read_record(file, ClassificationMetrics)
    else:
        metrics = read_record(file, DetectionMetrics)
    return metrics if metrics.identity == run.identity else None


def write_metrics(run: RunDirectory, metrics: Metrics, scored: Scored) -> bool:
    """Write a run's metrics, a detector's with the thresholds that are there, and list who scored it.

    Done while nobody else writes them, so that two commands at once lose nothing; metrics that are there already are
    left alone. False where the run directory cannot be written: the numbers are as true without.
    """
    try:
        if _as_they_are(run, metrics):
            return True
        with exclusive(run.path / ".metrics.lock", wait=PATIENCE):
            if isinstance(metrics, DetectionMetrics):
                metrics = _with_earlier(run, metrics)
            write_bytes(run.path / "metrics.json", encode(metrics))
            record = load_run(run.path).record
            write_bytes(run.path / "run.json", encode(structs.replace(record, scored=[*record.scored, scored][-MOST:])))
    except CspbenchError as error:
        if error.code in ("disk.write-failed", "lock.cannot-create"):
            return False
        raise
    return True


def _as_they_are(run: RunDirectory, metrics: Metrics) -> bool:
    try:
        there = read_metrics(run)
    except CspbenchError:
        return False
    if isinstance(metrics, DetectionMetrics) and isinstance(there, DetectionMetrics):
        metrics = merged_thresholds(there, metrics)
    return there == metrics


def _with_earlier(run: RunDirectory, metrics: DetectionMetrics) -> DetectionMetrics:
    """The metrics with the thresholds at which the run was scored before; those that cannot be read are replaced."""
    try:
        earlier = read_metrics(run)
    except CspbenchError:
        return metrics
    return merged_thresholds(earlier, metrics) if isinstance(earlier, DetectionMetrics) else metrics


def made_by_others(folder: Path) -> str | None:
    """What made the predictions of the runs in a folder, where it is not this code as it is now; None where it is.

    None, too, where there are none. Of a checkout with changes it is not known which they were.
    """
    own = __version__, commit()
    for file in sorted(folder.glob("*/run.json")):
        try:
            record = read_record(file, Run)
        except CspbenchError:
            return f"an unknown program ({brief(str(file))} cannot be read)"
        for session in record.sessions:
            if (session.cspbench, session.commit) != own or str(session.commit).endswith(CHANGED):
                return program(session)
    return None
