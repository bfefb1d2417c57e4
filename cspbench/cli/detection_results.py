"""Output of evaluated detectors and scored files of detections: stdout, warnings on stderr, and the exit code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cspbench.cli.classification_results import name_bad
from cspbench.cli.options import Format
from cspbench.cli.printing import print_json

if TYPE_CHECKING:
    from cspbench.evaluation.coco import DetectionResult
    from cspbench.evaluation.execution import Listener
    from cspbench.evaluation.result_files import FileResult
    from cspbench.report.detection_table import Scored
    from cspbench.results.schema import Threshold
    from cspbench.results.store import StoredEvaluation


def finish(
    evaluations: Sequence[StoredEvaluation],
    without: Sequence[str],
    form: Format,
    allow_bad: int,
    listener: Listener,
    failed: int = 0,
) -> None:
    """Print evaluations and the models without weights, and raise `typer.Exit` unless the exit code is 0.

    The code is `failed` of models that could not be evaluated if not 0, else 4 if images could not be read or the
    server has not answered, 1 if an AP is off.
    """
    from cspbench.report import judged_evaluations
    from cspbench.report.detection_table import as_json, described, of_evaluation, text

    if form is Format.JSON:
        print_json(list(map(as_json, evaluations)))
    else:
        lines = [line for evaluation in evaluations for line in of_evaluation(evaluation)]
        typer.echo(text(lines, list(map(described, evaluations)), without, form.value), nl=False)
    unreadable = [list(evaluation.metrics.bad) if evaluation.metrics else [] for evaluation in evaluations]
    for bad in unreadable:
        name_bad(bad, {}, "has no detections", listener)
    code = failed
    if not code and (any(len(bad) > allow_bad for bad in unreadable) or any(map(_awaits_server, evaluations))):
        code = 4
    if not code and any(judged_evaluations.failed(judged_evaluations.judged(evaluation)) for evaluation in evaluations):
        code = 1
    if code:
        raise typer.Exit(code)


def _awaits_server(evaluation: StoredEvaluation) -> bool:
    from cspbench.results.schema import DetectionMetrics

    metrics = evaluation.metrics
    return isinstance(metrics, DetectionMetrics) and metrics.awaits_server


def write_json(result: DetectionResult, file: Path | None, listener: Listener) -> None:
    """Write a result's detections at its first NMS threshold as Darknet's JSON, unless `file` is None."""
    if file is not None:
        from cspbench.detection.result_file import write

        write(result.at[0].detections, file)
        listener.note(f"wrote {file}, NMS {result.at[0].nms:g}")


def print_files(results: Sequence[FileResult], form: Format, per_class: bool) -> None:
    """Print the metrics of files of detections, which no claim is about."""
    from cspbench.report.detection_table import text

    if form is Format.JSON:
        print_json([_file_json(result, per_class) for result in results])
    else:
        typer.echo(text([_line(result, per_class) for result in results], [], [], form.value), nl=False)


def _line(result: FileResult, per_class: bool) -> Scored:
    from cspbench.report.detection_table import Scored

    return Scored(
        model=result.file.name,
        definition="file",
        nms="-",
        ap=result.measured.percent(),
        intervals=result.intervals,
        per_class=result.measured.per_class() if per_class else None,
        images=len(result.source),
        split=result.source.split,
        size="",
        preset="-",
    )


def _file_json(result: FileResult, per_class: bool) -> dict[str, Any]:
    """The result in the form of a run's; what a file does not tell is null."""
    from cspbench.report.detection_table import threshold_json

    threshold = threshold_json(_threshold(result, per_class))
    return {
        "file": str(result.file),
        "identity": {
            "task": "coco",
            "model": result.file.name,
            "sha256": result.sha256,
            "data": result.source.as_json(),
        },
        "images": len(result.source),
        "bad": [],
        "thresholds": [{**threshold, "nms": None, "kind": None, "asked": None, "claims": []}],
    }


def _threshold(result: FileResult, per_class: bool) -> Threshold:
    from cspbench.results import sessions
    from cspbench.results.schema import Threshold

    return Threshold(
        nms=0.0,
        kind="",
        asked="",
        scoring=sessions.scoring(),
        engine=result.measured.engine,
        ap=result.measured.percent(),
        intervals=result.intervals,
        per_class=result.measured.per_class() if per_class else None,
        detections=result.detections,
    )
