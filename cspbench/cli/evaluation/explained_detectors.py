"""`eval-coco --explain`: what each part of a detector's protocol moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from cspbench.cli.choices import Format
from cspbench.cli.evaluation.results import name_bad
from cspbench.cli.terminal.printing import Style, print_blocks, print_json, print_table
from cspbench.errors import UsageError, printable

if TYPE_CHECKING:
    from cspbench.evaluation.explain_coco import Explained


def check_explain(of_runs: Mapping[str, object], thresholds: Sequence[float]) -> None:
    """Raise `UsageError` for options of a stored run that have values, several thresholds or processes."""
    from cspbench.evaluation.scoring import one_threshold
    from cspbench.inference.distributed import rank

    options, processes = [option for option, value in of_runs.items() if value], rank()[1]
    if options or processes > 1:
        raise UsageError(
            "usage.explain-alone",
            "--explain has no run" if options else "--explain runs in one process",
            expected="options of the protocol and of the execution" if options else "no torchrun",
            found=" ".join(options) or f"{processes} processes",
            remedy="Leave them out, or evaluate without --explain" if options else "Start it without torchrun",
        )
    one_threshold(thresholds)


def finish_explained(results: Sequence[Explained], style: Style, allow_bad: int, failed: int) -> None:
    """Print the changes of each model, and raise `typer.Exit` for unreadable images or models left out."""
    from cspbench.report.formats import Block, Paragraph
    from cspbench.report.tables.detector_parts import explanation

    if style.form is Format.JSON:
        print_json([asdict(result) for result in results])
    elif style.form is Format.CSV:
        print_table([line for result in results for line in _lines(result)], style.form)
    else:
        blocks: list[Block] = []
        for result in results:
            size = "×".join(map(str, result.size))
            blocks.append(Paragraph(f"# {printable(result.model)}, {size}, {result.images} images", "heading"))
            blocks += explanation(result.changes)
        print_blocks(blocks, style)
    for result in results:
        name_bad(result.bad, {}, "has no detections")
    if failed or any(len(result.bad) > allow_bad for result in results):
        raise typer.Exit(failed or 4)


def _lines(result: Explained) -> list[dict[str, Any]]:
    about = {"model": result.model, "size": "x".join(map(str, result.size)), "images": result.images}
    lines = []
    for change in result.changes:
        line = asdict(change)
        low, high = line.pop("interval") or (None, None)
        lines.append({**about, **line, "low": low, "high": high})
    return lines
