"""Where measurements are read from: counts and evaluations in a results directory, and run directories.

RESULTS/params.json, sample-params.json   what `cspbench params --save` wrote
RESULTS/evaluations/NAME.json             what is kept of a run: its run.json and its metrics.json
RUN/run.json, metrics.json                a run itself; without metrics it is incomplete
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from cspbench.errors import CspbenchError, brief
from cspbench.inference.record import when
from cspbench.io import read_file, write_json
from cspbench.results import unreadable
from cspbench.zoo.catalogue import MODELS

COUNTS = ("params.json", "sample-params.json")
KEPT = "evaluations"
LARGEST = 64 * 2**20
"""Bytes of one file; ours have less than one million."""


@dataclass(frozen=True)
class Evaluation:
    """An evaluation as its files describe it; `metrics` is None while it is incomplete."""

    name: str
    where: str
    run: Mapping[str, Any]
    metrics: Mapping[str, Any] | None

    @property
    def identity(self) -> Mapping[str, Any]:
        """What the run is told apart by."""
        found: Mapping[str, Any] = self.run["identity"]
        return found

    @property
    def partial(self) -> bool:
        """Whether it lacks predictions, or was limited to a part of the data."""
        if self.metrics is None or "limit" in self.identity["data"]:
            return True
        data = self.run.get("data")
        return isinstance(data, dict) and data.get("limit") is not None

    @property
    def when(self) -> str:
        """When it began; "" where nobody wrote that down."""
        return when(self.run)


@dataclass(frozen=True)
class Counts:
    """A file of counted rows."""

    where: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Sources:
    """Everything that was measured."""

    counts: tuple[Counts, ...]
    evaluations: tuple[Evaluation, ...]


def parsed(data: bytes, where: str) -> dict[str, Any]:
    """A JSON object; raises `CspbenchError` for anything else."""
    try:
        if len(data) > LARGEST:
            raise ValueError(f"{len(data)} bytes")
        found = json.loads(data)
        if not isinstance(found, dict):
            raise TypeError(f"{type(found).__name__} instead of an object")
    except (ValueError, TypeError, RecursionError) as error:
        raise _unusable(where, unreadable.words(error)) from None
    return found


def _unusable(where: str, found: str) -> CspbenchError:
    return CspbenchError(
        "results.not-results",
        "not a file of results",
        where=where,
        expected="what `cspbench params --save` or an evaluation wrote",
        found=brief(found, 120),
        remedy="Make it again, or remove it",
    )


def _bytes(path: Path) -> bytes:
    try:
        return read_file(path, LARGEST)
    except OSError as error:
        raise _unusable(str(path), error.strerror or str(error)) from None


def files_of(results: Path) -> dict[str, bytes]:
    """The files of a results directory that hold measurements, by their path in it."""
    if not results.is_dir():
        raise CspbenchError(
            "results.none-there",
            "no results here",
            where=str(results),
            expected="a folder that `cspbench params --all --save` or `cspbench report --save` wrote",
            remedy="Make it, or name another with --results",
        )
    paths = [*(results / name for name in COUNTS), *sorted((results / KEPT).glob("*.json"))]
    return {path.relative_to(results).as_posix(): _bytes(path) for path in paths if path.exists()}


def of_files(files: Mapping[str, bytes], where: str) -> Sources:
    """The measurements in a results directory's files, given as their bytes by their path in it."""
    counts, evaluations = [], []
    for name in sorted(files):
        place = f"{where}/{name}"
        data = parsed(files[name], place)
        if name in COUNTS:
            counts.append(checked_counts(data, place))
        elif name.startswith(f"{KEPT}/"):
            evaluations.append(_checked(Path(name).stem, place, data.get("run"), data.get("metrics")))
    return Sources(tuple(counts), tuple(evaluations))


def checked_counts(data: Mapping[str, Any], where: str) -> Counts:
    """A params.json's content, its shape verified."""
    rows = data.get("rows")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _unusable(where, "no list of rows in it")
    return Counts(where, data)


def of_run(path: Path) -> Evaluation:
    """A run directory's evaluation, without the places that its files name."""
    metrics = path / "metrics.json"
    data = parsed(_bytes(metrics), str(metrics)) if metrics.exists() else None
    run = parsed(_bytes(path / "run.json"), str(path / "run.json"))
    if isinstance(run.get("command"), list):
        run["command"] = without_places(run["command"])
    if isinstance(run.get("data"), dict):
        run["data"] = {key: value for key, value in run["data"].items() if key != "place"}
    return _checked(path.name, str(path), run, data)


def without_places(command: Sequence[Any]) -> list[str]:
    """A command's arguments, each path among them without its folders: "--run=/data/runs" is "--run=runs"."""
    return [_without_place(str(each)) for each in command]


def _without_place(argument: str) -> str:
    if any(fnmatchcase(name, argument) for name in MODELS):  # "timm/cspresnet50" is no path
        return argument
    option, equals, value = argument.partition("=") if argument.startswith("-") else ("", "", argument)
    last = [part for part in re.split(r"[/\\]", value) if part][-1:]
    return "".join([option, equals, *last]) if re.search(r"[/\\]", value) else argument


def _checked(name: str, where: str, run: Any, metrics: Any) -> Evaluation:
    try:
        identity = run["identity"]
        if identity["task"] not in ("imagenet", "coco"):
            raise ValueError(f"task {identity['task']!r}")
        if not isinstance(identity["data"], dict) or not isinstance(identity["preset"], dict):
            raise TypeError("data and preset of other types")
        if metrics is not None and metrics["identity"] != identity:
            raise ValueError("metrics of another run")
        for key in ("model", "size", "weights", "precision", "file"):
            identity[key]
        if metrics is not None:
            _check_metrics(identity, metrics)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise _unusable(where, unreadable.words(error)) from None
    return Evaluation(name, where, run, metrics)


def _check_metrics(identity: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
    """ValueError and the like unless metrics are of as many images as their run's data has."""
    data = identity["data"]
    images = data.get("limit", data["images"])
    if type(images) is not int or images <= 0:
        raise ValueError(f"{images!r} images")
    if identity["task"] == "coco":
        if metrics["images"] != images:
            raise ValueError(f"metrics of {metrics['images']!r} images, the run has {images}")
        for at in metrics["thresholds"]:
            _threshold(at)
        return
    for metric in ("top1", "top5"):
        correct, total = metrics[metric]["correct"], metrics[metric]["total"]
        if type(correct) is not int or type(total) is not int or total != images or not 0 <= correct <= total:
            raise ValueError(f"{metric} {correct!r} of {total!r}, the run has {images} images")


def _threshold(at: Mapping[str, Any]) -> tuple[float, str]:
    return float(at["nms"]), str(at["kind"])


def merged(kept: Evaluation | None, new: Evaluation) -> Evaluation:
    """A run with what is kept of its earlier scores, where it is the same one: every NMS threshold, the new ones first.

    What awaits the test server stands back behind the server's own numbers.
    """
    if kept is None or kept.metrics is None or new.metrics is None or new.identity["task"] != "coco":
        return new
    # numbers of the test server come without a digest of the images
    pixels = {str(each["pixels"]) for each in (kept.metrics, new.metrics) if each.get("pixels")}
    if kept.identity != new.identity or kept.metrics["images"] != new.metrics["images"] or len(pixels) > 1:
        return new
    by = {_threshold(at): at for at in kept.metrics["thresholds"]}
    by |= {_threshold(at): at for at in new.metrics["thresholds"] if at.get("ap") or _threshold(at) not in by}
    return replace(new, metrics={**new.metrics, "thresholds": [by[key] for key in sorted(by)]})


def keep(results: Path, runs: Sequence[Path]) -> list[Path]:
    """Copy what reports need of complete runs into a results directory, without the places that they name.

    The NMS thresholds of a record that is there stay, where it is of the same run.
    """
    written = []
    for path in runs:
        found = of_run(path)
        if found.metrics is not None:
            place = results / KEPT / f"{found.name}.json"
            if place.exists():
                files = {f"{KEPT}/{place.name}": _bytes(place)}
                found = merged(of_files(files, str(results)).evaluations[0], found)
            written.append(place)
            write_json(place, {"run": found.run, "metrics": found.metrics})
    return written
