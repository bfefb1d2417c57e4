"""Output of the commands that score detectors: tables, the best and the worst classes, files of detections."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cspbench.cli.choices import Format
from cspbench.cli.evaluation.darknet_map import print_maps
from cspbench.cli.evaluation.results import leave, name_bad
from cspbench.cli.terminal.printing import Style, print_blocks, print_json
from cspbench.cli.terminal.progress import listener as terminal

if TYPE_CHECKING:
    from cspbench.data.coco.annotations import GroundTruth
    from cspbench.evaluation.coco import DetectionResult
    from cspbench.evaluation.result_files import FileResult
    from cspbench.evaluation.runner import ScoredRun
    from cspbench.report.tables.detection import Scored

ENDS = 10
"""How many of the best and of the worst classes a terminal shows."""


def finish_detectors(
    results: Sequence[ScoredRun], without: Sequence[str], style: Style, allow_bad: int, failed: int = 0
) -> None:
    """Print results and the models without weights, and raise `typer.Exit` as `leave` says."""
    from cspbench.report.tables.detection import as_json, described, of_evaluation

    stored = [result.stored for result in results]
    objects = list(map(_objects_of, results))
    if style.form is Format.JSON:
        print_json([as_json(*each) for each in zip(stored, objects, strict=True)])
    else:
        lines = [line for each in zip(stored, objects, strict=True) for line in of_evaluation(*each)]
        _print_detections(lines, list(map(described, stored)), without, style)
        print_maps(results, style)
    for result in results:
        name_bad(result.metrics.bad, {}, "has no detections")
    leave(results, allow_bad, failed)


def _print_detections(
    lines: Sequence[Scored], descriptions: Sequence[str], without: Sequence[str], style: Style
) -> None:
    """On a terminal claims are shorter, and only the best and the worst classes of each model are shown."""
    from cspbench.report.tables.detection import blocks, text

    if style.form in (Format.CSV, Format.LATEX):
        typer.echo(text(lines, descriptions, without, style.form.value), nl=False)
        return
    print_blocks(blocks(lines, descriptions, without, ENDS if style.form is Format.RICH else None), style)


def _objects_of(result: ScoredRun) -> dict[str, int] | None:
    """The number of objects that AP counts, by class; None without the annotations."""
    from cspbench.evaluation.coco import DetectionResult

    return _counted(result.source.ground_truth) if isinstance(result, DetectionResult) else None


def _counted(truth: GroundTruth | None) -> dict[str, int] | None:
    return None if truth is None else truth.objects_by_class()


def write_classes(results: Sequence[DetectionResult], out: Path | None) -> None:
    """Write every class of the results to per-class.csv in the folder `out`, unless it is None."""
    from cspbench.io import write_text
    from cspbench.report.tables.detection import class_csv, of_evaluation

    if out is not None:
        file = out / "per-class.csv"
        write_text(
            file, class_csv([line for each in results for line in of_evaluation(each.stored, _objects_of(each))])
        )
        terminal().note(f"wrote {file}")


def write_json(result: DetectionResult, file: Path | None) -> None:
    """Write a result's detections at its first NMS threshold as Darknet's JSON, unless `file` is None."""
    if file is not None:
        from cspbench.detection.result_file import write

        write(result.at[0].detections, file, result.source.annotations)
        terminal().note(f"wrote {file}, NMS {result.at[0].nms:g}")


def print_files(results: Sequence[FileResult], style: Style) -> None:
    """Print the metrics of files of detections, which no claim is about."""
    from cspbench.report.tables.detection import Scored

    if style.form is Format.JSON:
        print_json(list(map(_file_json, results)))
        return
    lines = [
        Scored(
            model=result.file.name,
            definition="file",
            nms=None,
            kind=None,
            ap=result.threshold.ap,
            intervals=result.threshold.intervals,
            per_class=result.threshold.per_class,
            images=len(result.source),
            split=result.source.split,
            size=None,
            preset=None,
            objects=_counted(result.source.ground_truth),
        )
        for result in results
    ]
    _print_detections(lines, [], [], style)


def _file_json(result: FileResult) -> dict[str, Any]:
    """The result in the form of a run's; what a file does not tell is null."""
    from cspbench.report.tables.detection import threshold_json

    name, data = result.file.name, result.source.as_json()
    unknown = {"nms": None, "kind": None, "asked": None}
    return {
        "file": str(result.file),
        "identity": {"task": "coco", "model": name, "sha256": result.sha256, "data": data},
        "images": len(result.source),
        "bad": [],
        "thresholds": [{**threshold_json(result.threshold), **unknown, "claims": []}],
    }
