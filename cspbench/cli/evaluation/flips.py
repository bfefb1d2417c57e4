"""What a lower precision changes: a model evaluated in fp32 and in that precision, and the two runs compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from cspbench.cli.choices import Format
from cspbench.cli.evaluation.compare import print_comparison
from cspbench.cli.evaluation.results import name_bad
from cspbench.cli.terminal.progress import listener as terminal
from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.evaluation.execution import Execution
    from cspbench.evaluation.runner import ScoredRun


def check_flips(precision: str, thresholds: Sequence[float] = (0.45,)) -> None:
    """Raise `UsageError` unless --flips has something to compare with fp32, at one NMS threshold."""
    from cspbench.evaluation.scoring import one_threshold

    if precision == "fp32":
        raise UsageError(
            "usage.flips-of-fp32",
            "--flips compares another precision with fp32",
            expected="--precision bf16 or fp16",
            found="fp32",
            remedy="Give --precision bf16 --flips",
        )
    one_threshold(thresholds)


def show_flips(
    evaluations: Sequence[Callable[..., ScoredRun | None]],
    how: Execution,
    form: Format,
    allow_bad: int,
    nms: str | None = None,
) -> None:
    """Evaluate each in fp32 and as `how` says, and print the comparison; both runs are stored.

    An evaluation takes `execution`.
    Raises `typer.Exit` with code 4 if images could not be read.
    """
    from cspbench.evaluation.compare import compare

    worst = 0
    for evaluate in evaluations:
        first, second = evaluate(execution=replace(how, precision="fp32")), evaluate(execution=how)
        if first is None or second is None:
            continue  # this process only helped another
        print_comparison(compare(first.run.path, second.run.path, nms=nms, listener=terminal()), form)
        bad = first.metrics.bad
        name_bad(bad, {}, "counts as wrong in both")
        worst = max(worst, len(bad))
    if worst > allow_bad:
        raise typer.Exit(4)
