"""Computes a run's metrics again from its predictions, and imports the test server's answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cspbench.data.coco.source import data_path
from cspbench.detection.ap.average_precision import DEFAULT_ENGINE
from cspbench.errors import UsageError
from cspbench.evaluation import coco, imagenet, server
from cspbench.evaluation.coco import DetectionResult
from cspbench.evaluation.darknet_map import MapOptions
from cspbench.evaluation.detection_data import categories, data_of, names_of, read_class_names
from cspbench.evaluation.execution import SILENT, Execution, Listener
from cspbench.evaluation.imagenet import ClassificationResult
from cspbench.evaluation.runner import ScoredRun, store_metrics
from cspbench.evaluation.scoring import Thresholds, rescoring_options
from cspbench.io import argument_path
from cspbench.results import runs
from cspbench.results.runs import RunDirectory
from cspbench.results.schema import CocoIdentity, ImagenetIdentity


def score(
    run: str | Path | RunDirectory,
    *,
    data: str | Path | None = None,
    nms: Thresholds | None = None,
    nms_kind: str | None = None,
    engine: str = DEFAULT_ENGINE,
    bootstrap: bool | None = None,
    per_class: bool = False,
    names: str | Path | None = None,
    darknet_map: MapOptions | None = None,
    execution: Execution | None = None,
    listener: Listener = SILENT,
) -> ClassificationResult | DetectionResult:
    """Compute a complete run's metrics again from its predictions, and store them in the run where possible.

    A folder with one run stands for it. A detector's run is scored at `nms`, by default at the thresholds of its
    earlier scores; `data` is the path of its data set, by default the recorded one; `names` is a file with the names of
    its classes. Raises `UsageError` for detector options with a classifier's run.
    """
    run = run if isinstance(run, RunDirectory) else runs.load_one(argument_path("run", run))
    execution = execution or Execution()
    if isinstance(run.identity, ImagenetIdentity):
        if any((data, nms, nms_kind, bootstrap, per_class, names, darknet_map)) or engine != DEFAULT_ENGINE:
            raise detector_options()
        metrics = imagenet.score_classifier(run)
        run = store_metrics(run, metrics, execution, listener)
        return ClassificationResult(run, metrics, {})
    about: dict[str, Any] = {"bootstrap": bootstrap, "per_class": per_class, "darknet_map": darknet_map}
    options = rescoring_options(run, nms, nms_kind, engine=engine, **about)
    identity, known = run.identity, names_of(run)
    assert isinstance(identity, CocoIdentity)
    if names is not None:
        known = read_class_names(names, identity.last.classes)
        run = runs.record_names(run, known.texts)
    source = data_of(run, None if data is None else data_path(data), listener)
    ids = categories(source, identity.last.classes, known, identity.user_file, listener)
    return coco.score_detector(run, source, options, execution, listener, ids)


def check_one_task(directories: Sequence[RunDirectory]) -> None:
    """Raise `UsageError` for a mixture of classifiers' and detectors' runs."""
    tasks = sorted({"imagenet" if isinstance(run.identity, ImagenetIdentity) else "coco" for run in directories})
    if len(tasks) > 1:
        raise UsageError(
            "usage.different-tasks", "runs of different tasks", found=", ".join(tasks), remedy="Name runs of one task"
        )


def detector_options() -> UsageError:
    """The error for detector options with a classifier's run."""
    return UsageError(
        "usage.detector-options", "options of detectors do not go with classifiers", remedy="Leave them out"
    )


def import_server_answer(
    run: RunDirectory,
    file: Path,
    *,
    nms: Thresholds | None = None,
    nms_kind: str | None = None,
    execution: Execution | None = None,
    listener: Listener = SILENT,
) -> ScoredRun:
    """Store COCO's server's answer for the zip of one threshold in a run on a test split."""
    if isinstance(run.identity, ImagenetIdentity):
        raise detector_options()
    metrics = server.import_answer(run, rescoring_options(run, nms, nms_kind), argument_path("file", file))
    return ScoredRun(store_metrics(run, metrics, execution or Execution(), listener), metrics)
