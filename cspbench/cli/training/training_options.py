"""The options of `cspbench train` alone."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from cspbench.cli.choices import Era, Gradients
from cspbench.errors import UsageError, brief

WeightsOption = Annotated[
    Path | None, typer.Option("--weights", metavar="FILE", help="Begin from these weights, also partial ones.")
]
BackboneOption = Annotated[
    Path | None,
    typer.Option("--backbone", metavar="FILE", help="Begin a YOLOX with the backbone of a CSPDarknet classifier."),
]
FreezeBackboneOption = Annotated[
    str,
    typer.Option(
        "--freeze-backbone", metavar="EPOCHS|all", help="Leave the backbone as it is in the first epochs, or in all."
    ),
]
FreezeOption = Annotated[int, typer.Option("--freeze", min=0, metavar="N", help="Do not change the first N layers.")]
ClearOption = Annotated[
    bool, typer.Option("--clear", help="Start the schedule at iteration 0, whatever the weights have seen.")
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Another value of a cfg's key; repeatable.")
]
SubdivisionsOption = Annotated[
    str | None,
    typer.Option(
        "--subdivisions", metavar="N|auto", help="Mini-batches of an iteration; auto: as many as the memory needs."
    ),
]
IterationsOption = Annotated[
    int | None, typer.Option("--iterations", min=1, metavar="N", help="Iterations, not max_batches.")
]
EpochsOption = Annotated[
    float | None, typer.Option("--epochs", min=1e-6, metavar="N", help="The same in images of the data set.")
]
EvalEveryOption = Annotated[
    int, typer.Option("--eval-every", min=0, metavar="N", help="Evaluate every N iterations, and keep the best.")
]
SaveEveryOption = Annotated[
    int, typer.Option("--save-every", min=1, metavar="N", help="Iterations between two checkpoints.")
]
EraOption = Annotated[
    Era | None,
    typer.Option("--era", help="The version of the original; by default that of the row or the weights."),
]
GradientsOption = Annotated[
    Gradients, typer.Option("--gradients", help="Darknet's own, or the exact ones of the loss.")
]
PreviewOption = Annotated[
    Path | None, typer.Option("--preview", metavar="DIR", help="Write 16 pictures as they are trained on, and end.")
]
TensorboardOption = Annotated[
    bool, typer.Option("--tensorboard", help="Also write the log for TensorBoard, into tensorboard/ of the run.")
]


def epochs_of(text: str) -> float:
    """Of --freeze-backbone: inf for all. Raises `UsageError`."""
    try:
        epochs = math.inf if text == "all" else float(text)
    except ValueError:
        epochs = math.nan
    if not epochs >= 0 or (math.isinf(epochs) and text != "all"):
        raise UsageError(
            "usage.out-of-range",
            "no such number of epochs",
            where="--freeze-backbone",
            expected="a number of 0 or more, or all",
            found=brief(text, 80),
            remedy="Correct --freeze-backbone",
        )
    return epochs
