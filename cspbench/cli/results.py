"""Output of the evaluating commands: results on stdout, warnings on stderr, and the exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cspbench.cli.choices import Format
from cspbench.cli.maps import print_maps
from cspbench.cli.printing import print_json
from cspbench.cli.progress import listener as terminal
from cspbench.errors import printable

if TYPE_CHECKING:
    from cspbench.evaluation.coco import DetectionResult
    from cspbench.evaluation.imagenet import ClassificationResult
    from cspbench.evaluation.result_files import FileResult
    from cspbench.evaluation.runner import ScoredRun

SHOWN = 20
"""How many unreadable images of a model are named."""


def finish_classifiers(
    results: Sequence[ClassificationResult], without: Sequence[str], form: Format, allow_bad: int, failed: int = 0
) -> None:
    """Print results and the models without weights, and raise `typer.Exit` as `_leave` says."""
    from cspbench.report.classification_table import as_json, text, without_json

    stored = [result.stored for result in results]
    if form is Format.JSON:
        print_json([*map(as_json, stored), *map(without_json, without)])
    else:
        typer.echo(text(stored, without, form.value), nl=False)
    for result in results:
        order = result.metrics.class_order
        if order.verdict in ("swapped", "chance"):
            terminal().note(f"{result.run.identity.model}: {order.words}")
        name_bad(result.metrics.bad, result.faults, "counts as wrong")
    _leave(results, allow_bad, failed)


def finish_detectors(
    results: Sequence[ScoredRun], without: Sequence[str], form: Format, allow_bad: int, failed: int = 0
) -> None:
    """The same for detectors."""
    from cspbench.report.detection_table import as_json, described, of_evaluation, text

    stored = [result.stored for result in results]
    if form is Format.JSON:
        print_json(list(map(as_json, stored)))
    else:
        lines = [line for evaluation in stored for line in of_evaluation(evaluation)]
        typer.echo(text(lines, list(map(described, stored)), without, form.value), nl=False)
        print_maps(results, form)
    for result in results:
        name_bad(result.metrics.bad, {}, "has no detections")
    _leave(results, allow_bad, failed)


def _leave(results: Sequence[ScoredRun], allow_bad: int, failed: int) -> None:
    """Raise `typer.Exit` unless the exit code is 0.

    The code is `failed` of models that could not be evaluated if not 0, else 3 if a class order is swapped, 4 if images
    could not be read or the server has not answered, 1 if a number is off.
    """
    from cspbench.report.judged_evaluations import failed as off
    from cspbench.report.judged_evaluations import judged
    from cspbench.results.schema import ClassificationMetrics, DetectionMetrics

    metrics = [result.metrics for result in results]
    code = failed
    if not code and any(isinstance(m, ClassificationMetrics) and m.class_order.verdict == "swapped" for m in metrics):
        code = 3
    if not code and any(
        len(m.bad) > allow_bad or (isinstance(m, DetectionMetrics) and m.awaits_server) for m in metrics
    ):
        code = 4
    if not code and any(off(judged(result.stored)) for result in results):
        code = 1
    if code:
        raise typer.Exit(code)


def name_bad(keys: Sequence[str], faults: Mapping[str, str], fate: str) -> None:
    """Name the first unreadable images, with the reason where it is known."""
    for key in keys[:SHOWN]:
        why = f" ({faults[key]})" if key in faults else ""
        terminal().note(f"could not be read and {fate}: {printable(key)}{why}")
    if len(keys) > SHOWN:
        terminal().note(f"and {len(keys) - SHOWN} more images; --format json names them all")


def write_json(result: DetectionResult, file: Path | None) -> None:
    """Write a result's detections at its first NMS threshold as Darknet's JSON, unless `file` is None."""
    if file is not None:
        from cspbench.detection.result_file import write

        write(result.at[0].detections, file, result.source.annotations)
        terminal().note(f"wrote {file}, NMS {result.at[0].nms:g}")


def print_files(results: Sequence[FileResult], form: Format) -> None:
    """Print the metrics of files of detections, which no claim is about."""
    from cspbench.report.detection_table import Scored, text

    if form is Format.JSON:
        print_json(list(map(_file_json, results)))
        return
    lines = [
        Scored(
            model=result.file.name,
            definition="file",
            nms="-",
            ap=result.threshold.ap,
            intervals=result.threshold.intervals,
            per_class=result.threshold.per_class,
            images=len(result.source),
            split=result.source.split,
            size="",
            preset="-",
        )
        for result in results
    ]
    typer.echo(text(lines, [], [], form.value), nl=False)


def _file_json(result: FileResult) -> dict[str, Any]:
    """The result in the form of a run's; what a file does not tell is null."""
    from cspbench.report.detection_table import threshold_json

    name, data = result.file.name, result.source.as_json()
    unknown = {"nms": None, "kind": None, "asked": None}
    return {
        "file": str(result.file),
        "identity": {"task": "coco", "model": name, "sha256": result.sha256, "data": data},
        "images": len(result.source),
        "bad": [],
        "thresholds": [{**threshold_json(result.threshold), **unknown, "claims": []}],
    }
