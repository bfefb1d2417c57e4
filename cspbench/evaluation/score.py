"""A run's metrics computed again from its predictions, whatever its task, and the test server's answer for one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cspbench.data.coco import data_path
from cspbench.detection.ap.average_precision import DEFAULT_ENGINE
from cspbench.errors import UsageError
from cspbench.evaluation import coco, imagenet, server
from cspbench.evaluation.coco import DetectionResult
from cspbench.evaluation.execution import SILENT, Execution, Listener
from cspbench.evaluation.imagenet import ClassificationResult
from cspbench.evaluation.scoring import earlier
from cspbench.results import runs
from cspbench.results.runs import RunDirectory
from cspbench.results.schema import ImagenetIdentity
from cspbench.results.store import StoredEvaluation

Thresholds = float | Sequence[float] | str


def score(
    run: str | Path | RunDirectory,
    *,
    data: str | Path | None = None,
    nms: Thresholds | None = None,
    nms_kind: str | None = None,
    engine: str = DEFAULT_ENGINE,
    bootstrap: bool | None = None,
    per_class: bool = False,
    execution: Execution | None = None,
    listener: Listener = SILENT,
) -> ClassificationResult | DetectionResult:
    """Compute a complete run's metrics again from its predictions, and keep them beside these where possible.

    A folder with one run stands for it. A detector's run is scored at the thresholds given, or at each one that it was
    scored at before; its data set is looked for where it was, or at `data`. Raises `UsageError` where options of
    detectors are given for a classifier's.
    """
    opened = run if isinstance(run, RunDirectory) else runs.load_one(Path(run))
    execution = execution or Execution()
    if isinstance(opened.identity, ImagenetIdentity):
        given = (data, nms, nms_kind, bootstrap, per_class)
        if any(given) or engine != DEFAULT_ENGINE:
            raise detector_options()
        metrics = imagenet.score_classifier(opened)
        imagenet.keep(opened, metrics, execution, listener)
        return ClassificationResult(opened, metrics, {})
    options = earlier(opened, _text(nms), nms_kind, engine, bootstrap, per_class)
    return coco.score_run(opened, None if data is None else data_path(data), options, execution, listener)


def check_one_task(opened: Sequence[RunDirectory]) -> None:
    """Raise `UsageError` for runs of classifiers and of detectors together."""
    tasks = sorted({"imagenet" if isinstance(run.identity, ImagenetIdentity) else "coco" for run in opened})
    if len(tasks) > 1:
        raise UsageError(
            "usage.different-tasks",
            "runs of different tasks",
            expected="runs of one task",
            found=", ".join(tasks),
            remedy="Score them apart",
        )


def detector_options() -> UsageError:
    """The error for a classifier's run that is to be scored as a detector's."""
    return UsageError(
        "usage.detector-options",
        "options of detectors do not go with classifiers",
        expected="RUN, --allow-bad and --format alone",
        remedy="Leave out the others",
    )


def import_server_answer(
    run: RunDirectory,
    file: Path,
    *,
    nms: str | None = None,
    nms_kind: str | None = None,
    execution: Execution | None = None,
    listener: Listener = SILENT,
) -> StoredEvaluation:
    """A run on a test split with what COCO's server said of its zip at one threshold, which is kept."""
    if isinstance(run.identity, ImagenetIdentity):
        raise detector_options()
    metrics = server.import_answer(run, earlier(run, nms, nms_kind), file)
    coco.keep(run, metrics, execution or Execution(), listener)
    return StoredEvaluation(run.path.resolve().name, str(run.path), run.record, metrics)


def _text(nms: Any) -> str | None:
    if nms is None or isinstance(nms, str):
        return nms
    return ",".join(map(str, [nms] if isinstance(nms, int | float) else nms))
