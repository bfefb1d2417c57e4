"""Output of the evaluating commands: classifiers' results on stdout, warnings on stderr, and the exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

from cspbench.cli.choices import Format
from cspbench.cli.terminal.printing import Style, print_blocks, print_json
from cspbench.cli.terminal.progress import listener as terminal
from cspbench.errors import printable

if TYPE_CHECKING:
    from cspbench.evaluation.imagenet import ClassificationResult
    from cspbench.evaluation.runner import ScoredRun

SHOWN = 20
"""How many unreadable images of a model are named."""


def finish_classifiers(
    results: Sequence[ClassificationResult], without: Sequence[str], style: Style, allow_bad: int, failed: int = 0
) -> None:
    """Print results and the models without weights, and raise `typer.Exit` as `leave` says."""
    from cspbench.report.tables.classification import as_json, blocks, text, without_json

    stored = [result.stored for result in results]
    if style.form is Format.JSON:
        print_json([*map(as_json, stored), *map(without_json, without)])
    elif style.form in (Format.CSV, Format.LATEX):
        typer.echo(text(stored, without, style.form.value), nl=False)
    else:
        print_blocks(blocks(stored, without), style)
    for result in results:
        order = result.metrics.class_order
        if order.verdict in ("swapped", "chance"):
            terminal().note(f"{result.run.identity.model}: {order.words}")
        name_bad(result.metrics.bad, result.faults, "counts as wrong")
    leave(results, allow_bad, failed)


def leave(results: Sequence[ScoredRun], allow_bad: int, failed: int) -> None:
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
