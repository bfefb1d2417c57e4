"""Reading results from a results directory or a run directory, and storing runs in a results directory.

RESULTS/params.json, sample-params.json   what `cspbench params --save` wrote
RESULTS/speed.json                        what `cspbench speed --save` wrote
RESULTS/evaluations/NAME.json             a run's record and metrics
RUN/run.json, metrics.json                a run itself; without metrics it is incomplete
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

from msgspec import structs

from cspbench.errors import CspbenchError, brief
from cspbench.io import own_folder, read_file, write_bytes, write_errors
from cspbench.lock import exclusive
from cspbench.results.counts import Counts
from cspbench.results.encoding import OldSchemaError, Record, decode, encode
from cspbench.results.schema import (
    ClassificationMetrics,
    DetectionMetrics,
    Evaluation,
    ImagenetIdentity,
    Metrics,
    Run,
    Threshold,
)
from cspbench.results.speeds.record import SpeedRun, Speeds
from cspbench.zoo.registry import MODELS

COUNTS = ("params.json", "sample-params.json")
SPEEDS = "speed.json"
EVALUATIONS = "evaluations"
LARGEST = 64 * 2**20
"""Bytes of one file; ours have less than a million."""


@dataclass(frozen=True)
class StoredEvaluation:
    """A run's name, record and metrics, and the path they were read from; `metrics` is None while incomplete."""

    name: str
    where: str
    run: Run
    metrics: Metrics | None

    @property
    def partial(self) -> bool:
        """Whether it lacks predictions, or covers only a part of the data."""
        return self.metrics is None or self.run.partial or bool(self.metrics.bad)


@dataclass(frozen=True)
class StoredCounts:
    """A file of counted rows and its path."""

    where: str
    record: Counts


@dataclass(frozen=True)
class Sources:
    """Everything that was measured."""

    counts: tuple[StoredCounts, ...]
    evaluations: tuple[StoredEvaluation, ...]
    speeds: tuple[SpeedRun, ...] = ()


def record_of(data: bytes, kind: type[Record], where: str) -> Record:
    """The record in a file's bytes; raises `CspbenchError` for anything else."""
    try:
        if len(data) > LARGEST:
            raise ValueError(f"{len(data)} bytes")
        return decode(data, kind)
    except OldSchemaError:
        what, remedy = "results of an earlier version", "Migrate them once: cspbench report --migrate DIR"
        raise CspbenchError(
            "results.old-schema", what, where=where, expected="schema 2", found="schema 1", remedy=remedy
        ) from None
    except ValueError as error:
        raise not_results(where, str(error)) from None


def not_results(where: str, found: str) -> CspbenchError:
    """The error for a file that cannot be read as results."""
    what, remedy = "not a file of results", "Make it again, or remove it"
    expected, found = "what `cspbench params --save` or an evaluation wrote", brief(found, 120)
    return CspbenchError("results.not-results", what, where=where, expected=expected, found=found, remedy=remedy)


def read_record(path: Path, kind: type[Record]) -> Record:
    """The record in a file; raises `CspbenchError` where it cannot be read or is not one."""
    return record_of(_bytes(path), kind, str(path))


def _bytes(path: Path) -> bytes:
    try:
        return read_file(path, LARGEST)
    except OSError as error:
        raise not_results(str(path), error.strerror or str(error)) from None


def files_of(results: Path) -> dict[str, bytes]:
    """The bytes of a results directory's files, by their path in it."""
    if not results.is_dir():
        what, remedy = "no results here", "Make it, or name another with --results"
        expected = "a folder that `cspbench params --all --save` or `cspbench report --save` wrote"
        raise CspbenchError("results.none-there", what, where=str(results), expected=expected, remedy=remedy)
    paths = [*(results / name for name in (*COUNTS, SPEEDS)), *sorted((results / EVALUATIONS).glob("*.json"))]
    return {path.relative_to(results).as_posix(): _bytes(path) for path in paths if path.exists()}


def of_files(files: Mapping[str, bytes], where: str) -> Sources:
    """The measurements in a results directory's files, from what `files_of` returns."""
    counts, evaluations = [], []
    speeds: list[SpeedRun] = []
    for name in sorted(files):
        place = f"{where}/{name}"
        if name in COUNTS:
            counts.append(StoredCounts(place, _migrated(files[name], Counts, place)))
        elif name.startswith(f"{EVALUATIONS}/"):
            record = _migrated(files[name], Evaluation, place)
            evaluations.append(StoredEvaluation(Path(name).stem, place, record.run, record.metrics))
        elif name == SPEEDS:
            speeds = record_of(files[name], Speeds, place).runs
    return Sources(tuple(counts), tuple(evaluations), tuple(speeds))


def _migrated(data: bytes, kind: type[Record], where: str) -> Record:
    """A record of any schema; one of schema 1 is migrated in memory only.

    Unknown networks keep a digest of schema 1, so that their measurements deviate from every claim.
    """
    try:
        return record_of(data, kind, where)
    except CspbenchError as error:
        if error.code != "results.old-schema":
            raise
    from cspbench.results import migrate

    migration = {Counts: migrate.counts, Evaluation: migrate.evaluation}[kind]
    try:
        return migration(json.loads(data), migrate.OldDigests(strict=False))  # type: ignore[return-value]
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise not_results(where, str(error)) from None


def of_run(path: Path) -> StoredEvaluation:
    """A run directory's record and metrics, without the paths in them."""
    run = read_record(path / "run.json", Run)
    metrics = metrics_of(path, run)
    if metrics is not None and metrics.identity != run.identity:
        raise not_results(str(path / "metrics.json"), "metrics of another run")
    return StoredEvaluation(path.resolve().name, str(path), without_places(run), metrics)


def metrics_of(path: Path, run: Run) -> Metrics | None:
    """The metrics in a run directory, which may be of another identity; None where there are none."""
    file = path / "metrics.json"
    if not file.exists():
        return None
    if isinstance(run.identity, ImagenetIdentity):
        return read_record(file, ClassificationMetrics)
    return read_record(file, DetectionMetrics)


def without_places(run: Run) -> Run:
    """A record without the folders of the machine that it was made on, for publication."""
    sessions = [structs.replace(session, command=without_folders(session.command)) for session in run.sessions]
    scored = [structs.replace(scoring, command=without_folders(scoring.command)) for scoring in run.scored]
    return structs.replace(run, sessions=sessions, scored=scored, place=None)


def without_folders(command: Sequence[str]) -> list[str]:
    """A command's arguments, each path among them without its folders: "--run=/data/runs" is "--run=runs"."""
    return [_without_folder(argument) for argument in command]


@lru_cache(1024)
def _without_folder(argument: str) -> str:
    if any(fnmatchcase(name, argument) for name in MODELS):  # "timm/cspresnet50" is not a path
        return argument
    option, equals, value = argument.partition("=") if argument.startswith("-") else ("", "", argument)
    last = [part for part in re.split(r"[/\\]", value) if part][-1:]
    return "".join([option, equals, *last]) if re.search(r"[/\\]", value) else argument


def merge(stored: StoredEvaluation | None, new: StoredEvaluation) -> StoredEvaluation:
    """A run with its earlier thresholds and scorers, where both are of one identity; see `merge_thresholds`."""
    if stored is None or not isinstance(stored.metrics, DetectionMetrics):
        return new
    if not isinstance(new.metrics, DetectionMetrics) or stored.run.identity != new.run.identity:
        return new
    rescored = {number for scored in new.run.scored for number in scored.numbers}
    earlier = [scored for scored in stored.run.scored if not rescored.issuperset(scored.numbers)]
    run = structs.replace(new.run, scored=[*earlier, *new.run.scored])
    return replace(new, run=run, metrics=merge_thresholds(stored.metrics, new.metrics))


def merge_thresholds(old: DetectionMetrics, new: DetectionMetrics) -> DetectionMetrics:
    """The new metrics with the old ones' thresholds, unless those are of other images.

    Of the same threshold and kind the new entry counts, unless only the old one has numbers; where both have the same,
    the intervals and classes of the old one stay if the new one has none. Metrics with the test server's numbers have
    no digest of the images.
    """
    if old.images != new.images or len({metrics.pixels for metrics in (old, new) if metrics.pixels}) > 1:
        return new
    thresholds = {_key(threshold): threshold for threshold in old.thresholds}
    for threshold in new.thresholds:
        if threshold.ap or _key(threshold) not in thresholds:
            thresholds[_key(threshold)] = _completed(threshold, thresholds.get(_key(threshold)))
    return structs.replace(
        new,
        thresholds=[thresholds[key] for key in sorted(thresholds)],
        darknet_map=new.darknet_map or old.darknet_map,
        analysis=new.analysis or old.analysis,
    )


def _completed(new: Threshold, old: Threshold | None) -> Threshold:
    if old is None or (old.ap, old.engine) != (new.ap, new.engine):
        return new
    return structs.replace(new, intervals=new.intervals or old.intervals, per_class=new.per_class or old.per_class)


def _key(threshold: Threshold) -> tuple[float, str]:
    return threshold.nms, threshold.kind


def keep(results: Path, runs: Sequence[Path]) -> list[Path]:
    """Copy the records and metrics of complete runs into a results directory, without paths; returns the files written.

    NMS thresholds that were stored for the same run stay. Raises `CspbenchError` where the folder of evaluations is a
    link, or another run is stored under a run's name.
    """
    folder = own_folder(results, EVALUATIONS)
    files = []
    for path in runs:
        run = of_run(path)
        if run.metrics is None:
            continue
        file = folder / f"{run.name}.json"
        with exclusive(folder / ".lock", wait=60), write_errors(file):
            if file.exists():
                record = read_record(file, Evaluation)
                if record.run.identity != run.run.identity:
                    what = "another run is stored under its name"
                    remedy = "Rename the run's folder, or remove the record"
                    raise CspbenchError("results.other-run", what, where=str(path), found=str(file), remedy=remedy)
                run = merge(StoredEvaluation(run.name, str(file), record.run, record.metrics), run)
            assert run.metrics is not None
            write_bytes(file, encode(Evaluation(run=run.run, metrics=run.metrics)))
        files.append(file)
    return files
