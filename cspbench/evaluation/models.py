"""Models of the catalogue as modules, and their names."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from cspbench.inference.description import describe
from cspbench.network.network import Network
from cspbench.zoo.registry import MODELS, matching, model

if TYPE_CHECKING:
    from torch import nn


def list_models(pattern: str | Sequence[str] = "*", *, task: str | None = None) -> list[str]:
    """Names of the catalogue's models that match a pattern (*, ?, [..]); `task` "imagenet" or "coco" for one kind."""
    patterns = [pattern] if isinstance(pattern, str) else list(pattern)
    names = [name for name in MODELS if any(fnmatchcase(name, each) for each in patterns)]
    if task is None:
        return names
    return [each.name for each in matching(names) if bool(each.build().detections) == (task == "coco")]


def create_model(name: str | Network, weights: str | Path | None = None, *, epsilon: str = "inside-1e-5") -> nn.Module:
    """The module of a catalogue's model, or of a network, with `description`, in evaluation mode.

    With the weights of a file, else with those in $CSPBENCH_WEIGHTS or of the bundled sample, else initialised at
    random as torch does. `epsilon` is the rule of batch norm's. Raises `UsageError` for an unknown name,
    `WeightsError` for a file that does not fit.
    """
    from cspbench.network.epsilon import Epsilon
    from cspbench.network.module import to_module
    from cspbench.weights.catalogue import find
    from cspbench.weights.loading import load
    from cspbench.weights.opening import open_weights

    network = model(name).build() if isinstance(name, str) else name
    file = Path(weights) if weights is not None else None
    if file is None and network.name in MODELS and not network.places:
        file = find(MODELS[network.name])
    module = to_module(network)
    if file is not None:
        module = load(module, network, open_weights(file, network), Epsilon(epsilon))
    else:
        _initialise(module)
    module.description = describe(network)  # type: ignore[assignment]
    return module


def _initialise(module: nn.Module) -> None:
    """Draw the arrays that `to_module` leaves as memory has them."""
    from torch import nn

    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.Conv2d.reset_parameters(part)
        elif isinstance(part, nn.Linear):
            nn.Linear.reset_parameters(part)
