"""Output of evaluated classifiers: results on stdout, warnings on stderr, and the exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

from cspbench.cli.options import Format
from cspbench.cli.printing import print_json
from cspbench.errors import printable

if TYPE_CHECKING:
    from cspbench.evaluation.execution import Listener
    from cspbench.evaluation.imagenet import ClassificationResult

SHOWN = 20
"""How many unreadable images of a model are named."""


def finish(
    results: Sequence[ClassificationResult],
    without: Sequence[str],
    form: Format,
    allow_bad: int,
    listener: Listener,
    failed: int = 0,
) -> None:
    """Print results and the models without weights, and raise `typer.Exit` unless the exit code is 0.

    The code is `failed` of models that could not be evaluated if not 0, else 3 if a class order is swapped, 4 if images
    could not be read, 1 if an accuracy is off.
    """
    from cspbench.report import judged_evaluations
    from cspbench.report.classification_table import as_json, text, without_json

    stored = [result.stored for result in results]
    if form is Format.JSON:
        print_json([*map(as_json, stored), *map(without_json, without)])
    else:
        typer.echo(text(stored, without, form.value), nl=False)
    for result in results:
        order = result.metrics.class_order
        if order.verdict in ("swapped", "chance"):
            listener.note(f"{result.run.identity.model}: {order.words}")
        name_bad(result.metrics.bad, result.faults, "counts as wrong", listener)
    code = failed
    if not code and any(result.metrics.class_order.verdict == "swapped" for result in results):
        code = 3
    if not code and any(len(result.metrics.bad) > allow_bad for result in results):
        code = 4
    if not code and any(judged_evaluations.failed(judged_evaluations.judged(evaluation)) for evaluation in stored):
        code = 1
    if code:
        raise typer.Exit(code)


def name_bad(keys: Sequence[str], faults: Mapping[str, str], fate: str, listener: Listener) -> None:
    """Name the first unreadable images, with the reason where it is known."""
    for key in keys[:SHOWN]:
        why = f" ({faults[key]})" if key in faults else ""
        listener.note(f"could not be read and {fate}: {printable(key)}{why}")
    if len(keys) > SHOWN:
        listener.note(f"and {len(keys) - SHOWN} more images; --format json names them all")
