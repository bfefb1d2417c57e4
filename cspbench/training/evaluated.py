"""The evaluation of trained weights, kept as `retrained`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from cspbench.errors import DatasetError, OutputError, printable
from cspbench.evaluation.coco import DetectionResult, evaluate_coco
from cspbench.evaluation.execution import Execution, Listener
from cspbench.evaluation.imagenet import ClassificationResult, evaluate_imagenet
from cspbench.io import own_folder
from cspbench.retrained.record import EVALUATIONS
from cspbench.training.modular.chosen import AnyChosen
from cspbench.training.modular.module import ModuleChosen

Result = ClassificationResult | DetectionResult


def evaluate(
    chosen: AnyChosen, data: str | Path, weights: Path, execution: Execution, allow_bad: int, listener: Listener
) -> Result | None:
    """Evaluate weights on the validation images of the data set of the training, beside its run directory's files.

    None, with a note, where the data set has no images for it, and in all processes of torchrun but the first.
    """
    store = own_folder(weights.parent, EVALUATIONS)
    measure: Callable[..., Result | None] = evaluate_coco if chosen.detects else evaluate_imagenet
    try:
        return measure(
            chosen.network,
            data,
            weights=weights,
            allow_bad=allow_bad,
            store=store,
            execution=execution,
            listener=listener,
            retrained=True,
        )
    except (DatasetError, OutputError) as error:
        early = isinstance(error, OutputError) and not isinstance(chosen, ModuleChosen)
        why = "; after few iterations: rolling variances begin at 0 and need some hundred" if early else ""
        listener.note(f"not evaluated: {printable(str(error))} [{error.code}]{why}")
        return None


def metric(chosen: AnyChosen) -> tuple[str, float]:
    """What `figure` is a number of, and by what it is multiplied for a percentage."""
    return (deciding(chosen).upper(), 1.0) if chosen.detects else ("top-1", 100.0)


def deciding(chosen: AnyChosen) -> Literal["ap", "ap50"]:
    """The key of the AP that decides which weights of a detector are the best."""
    return "ap" if isinstance(chosen, ModuleChosen) else "ap50"


def figure(result: Result, key: Literal["ap", "ap50"] = "ap50") -> float:
    """The number that decides which weights are the best: top-1, or an AP at the first threshold."""
    if isinstance(result, ClassificationResult):
        return result.metrics.top1.correct / max(1, result.metrics.top1.total)
    return float(result.metrics.thresholds[0].ap.get(key) or 0)
