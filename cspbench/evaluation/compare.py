"""Compares two runs on the same images: classifiers by McNemar's test, detectors by a paired bootstrap of AP.

So are two files of detections of other programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cspbench.classification import accuracy
from cspbench.classification.accuracy import Accuracy, Array
from cspbench.data.classes import order
from cspbench.data.coco.source import data_path
from cspbench.detection.ap import bootstrap
from cspbench.detection.ap.average_precision import AveragePrecision
from cspbench.detection.ap.bootstrap import Difference
from cspbench.errors import UsageError
from cspbench.evaluation.coco import detect
from cspbench.evaluation.detection_data import data_of, ground_truth
from cspbench.evaluation.execution import SILENT, Listener
from cspbench.evaluation.frames import as_float
from cspbench.evaluation.result_files import FileResult, no_data, open_objects, score_file
from cspbench.evaluation.score import check_one_task
from cspbench.evaluation.scoring import at_one_threshold
from cspbench.io import argument_path
from cspbench.results import protocol, runs
from cspbench.results.runs import RunDirectory
from cspbench.results.schema import ImagenetIdentity

if TYPE_CHECKING:
    from pandas import DataFrame

Runs = tuple[RunDirectory, RunDirectory]


@dataclass(frozen=True)
class ClassifierComparison:
    """Top-1 and top-5 of each run, and the agreement of their top-1 predictions.

    `right` names the run, A or B, that is right where only one is, by image key.
    """

    runs: Runs
    labels: tuple[str, str]
    top1: tuple[Accuracy, Accuracy]
    top5: tuple[Accuracy, Accuracy]
    shared: accuracy.Comparison
    right: Mapping[str, str]
    changed: int
    """Images with another top-1 class, right or wrong; an unreadable image has none."""


@dataclass(frozen=True, eq=False)
class Compared:
    """AP on both sides, and the difference of each metric with its interval."""

    labels: tuple[str, str]
    measured: tuple[AveragePrecision, AveragePrecision]
    differences: Mapping[str, Difference | None]

    def frame(self) -> DataFrame:
        """One line per metric: AP of both runs in percent, the difference, its 95 % interval and p."""
        from pandas import DataFrame

        first, second = (measured.percent() for measured in self.measured)
        return DataFrame(
            {
                "metric": name,
                "first": as_float(first[name]),
                "second": as_float(second[name]),
                "delta": difference.delta if difference else None,
                "low": difference.interval[0] if difference else None,
                "high": difference.interval[1] if difference else None,
                "p": difference.p if difference else None,
            }
            for name, difference in self.differences.items()
        )


@dataclass(frozen=True, eq=False)
class DetectorComparison(Compared):
    """Two runs, each at its NMS threshold."""

    runs: Runs
    nms: tuple[float, float]


@dataclass(frozen=True, eq=False)
class FileComparison(Compared):
    """Two files of detections."""

    files: tuple[FileResult, FileResult]


def compare(
    first: str | Path,
    second: str | Path,
    *,
    nms: float | str | None = None,
    data: str | Path | None = None,
    listener: Listener = SILENT,
) -> ClassifierComparison | DetectorComparison | FileComparison:
    """Compare two runs on the same images; a folder with one run stands for it.

    Two files of detections are compared on `data`. Raises `UsageError` for runs of different tasks or images, for a run
    and a file, and for detectors without ground truth.
    """
    paths = argument_path("first", first), argument_path("second", second)
    if any(path.is_file() for path in paths):
        return _files(paths, nms, data, listener)
    both = runs.load_one(paths[0]), runs.load_one(paths[1])
    check_one_task(both)
    if isinstance(both[0].identity, ImagenetIdentity):
        return _classifiers(both)
    return _detectors(both, nms, None if data is None else data_path(data), listener)


def _classifiers(both: Runs) -> ClassifierComparison:
    from cspbench.classification.predict import score

    scores = [score(run.shards, order(run.identity.classes)) for run in both]  # type: ignore[union-attr]
    if scores[0].keys != scores[1].keys:
        common = len(set(scores[0].keys) & set(scores[1].keys))
        raise UsageError(
            "usage.different-images",
            "the runs are not of the same images",
            where=f"{both[0].path} and {both[1].path}",
            expected=f"the same {len(scores[0].keys)} images",
            found=f"{len(scores[1].keys)}, of which {common} in both",
            remedy="Evaluate both on the same data, with the same --limit and --seed",
        )
    shared = accuracy.compare(scores[0].hits, scores[1].hits, scores[0].keys)
    hits = dict(zip(scores[0].keys, scores[0].hits.tolist(), strict=True))
    right = {key: "A" if hits[key] else "B" for key in shared.flipped}
    top1, top5 = (scores[0].top1, scores[1].top1), (scores[0].top5, scores[1].top5)
    classes = [_top_classes(run, one.predicted) for run, one in zip(both, scores, strict=True)]
    changed = int((classes[0] != classes[1]).sum())
    return ClassifierComparison(both, _labels(both), top1, top5, shared, right, changed)


def _top_classes(run: RunDirectory, predicted: Array) -> Array:
    """The ids of predicted classes, which runs may number differently; "" for an unreadable image."""
    assert isinstance(run.identity, ImagenetIdentity)
    names = np.array(list(order(run.identity.classes)))
    return np.where(predicted >= 0, names.take(predicted, mode="clip"), "")


def _detectors(both: Runs, nms: float | str | None, data: Path | None, listener: Listener) -> DetectorComparison:
    measured, thresholds = [], []
    for run in both:
        options = at_one_threshold(run, nms)
        source = data_of(run, data)
        ground_truth(source)
        _, (at,) = detect(run, source, options, listener)
        assert at.measured is not None  # there is ground truth
        measured.append(at.measured)
        thresholds.append(at.nms)
    one, other = measured
    differences = _differences(one, other, listener)
    return DetectorComparison(_labels(both), (one, other), differences, both, (thresholds[0], thresholds[1]))


def _differences(first: AveragePrecision, second: AveragePrecision, listener: Listener) -> dict[str, Difference | None]:
    with listener.progress("bootstrap", bootstrap.DRAWS) as reach:
        return bootstrap.paired(first, second, step=reach)


def _files(
    paths: tuple[Path, Path], nms: float | str | None, data: str | Path | None, listener: Listener
) -> FileComparison:
    others = [f"{path}, {'a folder' if path.exists() else 'nothing'}" for path in paths if not path.is_file()]
    if others or nms is not None:
        raise UsageError(
            "usage.compare-files",
            "a file of detections is compared with another one, as it is",
            where=str(next(path for path in paths if path.is_file())),
            expected="two files, with --data",
            found=others[0] if others else "--nms",
            remedy="Write a run's detections with `cspbench score RUN --save-json FILE`, and compare the files"
            if others
            else "Leave out --nms",
        )
    if data is None:
        raise no_data(paths[0])
    source = open_objects(data, listener=listener)
    one, other = (score_file(path, source, listener=listener) for path in paths)
    differences = _differences(one.measured, other.measured, listener)
    first, second = paths
    labels = (first.name, second.name) if first.name != second.name else (str(first), str(second))
    return FileComparison(labels, (one.measured, other.measured), differences, (one, other))


def _labels(both: Runs) -> tuple[str, str]:
    """Labels of the two runs: their models; where those are equal, preset, directory and a precision that differs."""
    models = [run.identity.model for run in both]
    if models[0] != models[1]:
        return models[0], models[1]
    precisions = [f"{run.identity.precision}, " for run in both]
    if precisions[0] == precisions[1]:
        precisions = ["", ""]
    first, second = (
        f"{run.identity.model} ({_preset(run)}, {precision}{run.path.resolve().name})"
        for run, precision in zip(both, precisions, strict=True)
    )
    return first, second


def _preset(run: RunDirectory) -> str:
    """A run's preset with its overridden fields, or a quoted detector's protocol."""
    identity = run.identity
    if isinstance(identity, ImagenetIdentity):
        return protocol.preset_text(str(identity.preset["name"]), protocol.of_classifier(identity))
    assert run.record.settings is not None
    return protocol.preset_text(run.record.settings.name, protocol.of_detector(run.record))
