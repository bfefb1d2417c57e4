"""Output of the evaluation that ends a training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cspbench.cli.terminal.printing import Style

if TYPE_CHECKING:
    from cspbench.training.evaluated import Result


def print_evaluation(result: Result, style: Style, allow_bad: int) -> None:
    """Print the result as the evaluating commands do, and raise `typer.Exit` as they do."""
    from cspbench.cli.evaluation.detector_results import finish_detectors
    from cspbench.cli.evaluation.results import finish_classifiers
    from cspbench.evaluation.coco import DetectionResult

    if isinstance(result, DetectionResult):
        finish_detectors([result], (), style, allow_bad)
    else:
        finish_classifiers([result], (), style, allow_bad)
