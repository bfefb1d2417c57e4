"""The catalogue's models as torch modules, and their names."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from cspbench.evaluation.subject import subject_of, weight_file
from cspbench.inference.description import describe
from cspbench.network.network import Network
from cspbench.zoo.registry import MODELS, matching, model

if TYPE_CHECKING:
    from torch import nn


def list_models(pattern: str | Sequence[str] = "*", *, task: str | None = None) -> list[str]:
    """Names of the catalogue's models that match a pattern (*, ?, [..]); `task` "imagenet" or "coco" for one kind."""
    patterns = [pattern] if isinstance(pattern, str) else list(pattern)
    names = [name for name in MODELS if any(fnmatchcase(name, pattern) for pattern in patterns)]
    if task is None:
        return names
    return [entry.name for entry in matching(names) if bool(entry.build().detections) == (task == "coco")]


def create_model(
    name: str | Network, weights: str | Path | None = None, *, epsilon: str = "inside-1e-5", ema: bool | None = None
) -> nn.Module:
    """The module of a catalogue's model, or of a network, with `description`, in evaluation mode.

    Its weights come from the file, else from $CSPBENCH_WEIGHTS or the bundled sample, else they are random, as torch
    initialises them. `epsilon` is the rule for batch norm; `ema` is that of `evaluate_imagenet`. Raises `UsageError`
    for an unknown name, `WeightsError` for a file that does not fit.
    """
    from cspbench.network.module import to_module

    network = model(name).build() if isinstance(name, str) else name
    network.check_evaluable()
    file = weight_file(network, weights)
    if file is not None:
        module = subject_of(network, file, ema=ema).build(epsilon)
    else:
        module = to_module(network)
        _initialise(module)
    module.description = describe(network)  # type: ignore[assignment]
    return module


def _initialise(module: nn.Module) -> None:
    """Initialise the arrays that `to_module` leaves uninitialised."""
    from torch import nn

    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.Conv2d.reset_parameters(layer)
        elif isinstance(layer, nn.Linear):
            nn.Linear.reset_parameters(layer)
