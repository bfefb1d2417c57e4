"""The values from which a training begins (spec training a.8, e.2)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from cspbench.errors import WeightsError
from cspbench.models.initialisation import initialise
from cspbench.models.sources import Source, opened
from cspbench.network.modular.architecture import Architecture
from cspbench.network.modules import Vector
from cspbench.network.network import Network
from cspbench.network.recipe import ImplicitRecipe, Recipe
from cspbench.retrained.record import Start
from cspbench.weights.arrays import digest
from cspbench.weights.loading import stored
from cspbench.weights.opening import open_weights
from cspbench.zoo import registry


@torch.no_grad()
def start(module: nn.Module, network: Network, recipe: Recipe) -> None:
    """Draw every array as Darknet does, in place, with torch's global generator.

    Rolling means and variances are 0, so that a network needs some hundred iterations before it can be evaluated.
    """
    initialise(module)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d) and part.running_var is not None:
            part.running_var.zero_()
    for index in range(len(network.layers)):
        own = recipe.layers[index]
        if isinstance(own, ImplicitRecipe):
            vector = module.get_submodule(f"layers.{index}.vector")
            assert isinstance(vector, Vector)
            vector.weight.uniform_(own.mean - own.std, own.mean + own.std)


def from_file(path: Path, network: Network, original: Network, clear: bool) -> tuple[Source, Start]:
    """The arrays of a weight file, of the first layers (*.conv.N) or all, or all but the head of another data set.

    Images seen are those of the file's header, unless `clear`, and 0 with another head. Raises `WeightsError`.
    """
    if network == original:
        try:
            weights = open_weights(path, network)
        except WeightsError as error:
            try:
                weights = open_weights(path, network, partial=True)
            except WeightsError:
                raise error from None
        missing = tuple(index for index in range(weights.layers, len(network.layers)) if network.weights(index))
        source = Source(weights, missing)
    else:
        source = opened(path, network, original, registry.entry_of(original), None)
    given = sum(1 for index in range(len(network.layers)) if network.weights(index)) - len(source.missing)
    header = source.weights.header
    seen = 0 if clear or header is None or source.missing else header.seen
    return source, Start(f"file:{digest(path)}", given, seen)


@torch.no_grad()
def load(module: nn.Module, network: Architecture, source: Source) -> None:
    """Copy a file's arrays into a module that `start` has drawn, but for the layers that it lacks."""
    for index, role, _, tensor in stored(module, network):
        if index not in source.missing:
            tensor.copy_(torch.from_numpy(np.array(source.weights.arrays[index][role])))
