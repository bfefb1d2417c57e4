"""Evaluated detectors and scored files of detections on stdout, unreadable images on stderr, and the exit code."""

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
    """Print evaluations and the models that lack weights, and leave with the exit code, if that is not 0.

    `failed` where that is one: of what could not be evaluated. 4 where images could not be read or the server has not
    answered, 1 where an AP is off.
    """
    from cspbench.report import judged_evaluations
    from cspbench.report.detection_table import as_json, described, of_evaluation, text

    if form is Format.JSON:
        print_json(list(map(as_json, evaluations)))
    else:
        lines = [line for each in evaluations for line in of_evaluation(each)]
        typer.echo(text(lines, list(map(described, evaluations)), without, form.value), nl=False)
    unread = [list(each.metrics.bad) if each.metrics else [] for each in evaluations]
    for bad in unread:
        name_bad(bad, {}, "has no detections", listener)
    code = failed
    if not code and (any(len(bad) > allow_bad for bad in unread) or any(map(_awaits_server, evaluations))):
        code = 4
    if not code and any(judged_evaluations.failed(judged_evaluations.judged(each)) for each in evaluations):
        code = 1
    if code:
        raise typer.Exit(code)


def _awaits_server(evaluation: StoredEvaluation) -> bool:
    from cspbench.results.schema import DetectionMetrics

    metrics = evaluation.metrics
    return isinstance(metrics, DetectionMetrics) and metrics.awaits_server


def write_json(result: DetectionResult, file: Path | None, listener: Listener) -> None:
    """Write a result's detections as Darknet's JSON, where that was asked for; of several thresholds the first."""
    if file is not None:
        from cspbench.detection.detections import write

        write(result.at[0].detections, file)
        listener.note(f"wrote {file}, NMS {result.at[0].nms:g}")


def print_files(results: Sequence[FileResult], form: Format, per_class: bool) -> None:
    """Print what files of detections measure; nothing is claimed of them."""
    from cspbench.report.detection_table import text

    if form is Format.JSON:
        print_json([_file_json(each, per_class) for each in results])
    else:
        typer.echo(text([_line(each, per_class) for each in results], [], [], form.value), nl=False)


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
    """In the form of a run's: what a file does not say is null."""
    from cspbench.report.detection_table import threshold_json

    at = threshold_json(_threshold(result, per_class))
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
        "thresholds": [{**at, "nms": None, "kind": None, "asked": None, "claims": []}],
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
