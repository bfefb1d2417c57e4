"""How a training is run, and what it gives."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cspbench.errors import UsageError
from cspbench.evaluation.execution import Execution
from cspbench.retrained.record import Training
from cspbench.training.evaluated import Result
from cspbench.training.loop import Standing
from cspbench.training.modular.chosen import AnyChosen

Evaluate = Callable[[AnyChosen, Path], Result | None]
"""Evaluates a weight file; None in all processes but the first, and for data without images for it."""


@dataclass(frozen=True)
class Options:
    """How a training is run, beside its recipe and data."""

    weights: Path | None = None
    backbone: Path | None = None
    """Of a classifier, with which a YOLOX begins."""
    freeze_backbone: float = 0.0
    """Epochs at the beginning in which the backbone stays as it is; inf for all."""
    clear: bool = False
    """Start the schedule at iteration 0, whatever the weight file has seen."""
    exact: bool = False
    """Gradients by autograd in place of Darknet's."""
    seed: int = 0
    iterations: int | None = None
    epochs: float | None = None
    every: int = 100
    """Iterations between two checkpoints."""
    eval_every: int = 0
    """Iterations between two evaluations; 0: none but that of the final weights."""
    tensorboard: bool = False
    fit: bool = False
    """Raise subdivisions to what the device's memory has room for (`--subdivisions auto`)."""
    allow_bad: int = 0
    execution: Execution = field(default_factory=Execution)

    def __post_init__(self) -> None:
        """Raise `UsageError` for a number that cannot be one of them, or for two ends."""
        least = {"seed": 0, "iterations": 1, "every": 1, "eval_every": 0, "allow_bad": 0, "freeze_backbone": 0}
        values = {name: getattr(self, name) for name in least}
        wrong = [name for name, value in values.items() if value is not None and not value >= least[name]]
        wrong += [] if self.epochs is None or 0 < self.epochs < math.inf else ["epochs"]
        for name in wrong:
            raise UsageError(
                "usage.out-of-range",
                f"{name} is out of range",
                expected=f"at least {least[name]}" if name in least else "more than 0",
                found=str(getattr(self, name)),
                remedy=f"Correct {name}",
            )
        for one, other in (("iterations", "epochs"), ("backbone", "weights")):
            if getattr(self, one) is not None and getattr(self, other) is not None:
                raise UsageError(
                    "usage.not-together", f"{one} does not go with {other}", remedy="Leave one of them out"
                )
        if self.freeze_backbone and self.backbone is None and self.weights is None:
            raise UsageError(
                "usage.nothing-to-freeze",
                "a drawn backbone would stay as it is",
                expected="a file with which the backbone begins",
                found=f"freeze_backbone={self.freeze_backbone:g} alone",
                remedy="Name the file with --backbone or --weights",
            )


@dataclass(frozen=True)
class Trained:
    """A finished training: its network, the final weight file, the last standing, if this session had any, and the
    evaluation of the final weights, if there was one.
    """

    chosen: AnyChosen
    weights: Path
    record: Training
    standing: Standing | None
    result: Result | None
