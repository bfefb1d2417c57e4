"""The values from which a training begins (spec training a.8)."""

from __future__ import annotations

import torch
from torch import fx, nn

from cspbench.models.initialisation import initialise
from cspbench.network.modules import Vector
from cspbench.network.network import Network
from cspbench.network.recipe import ImplicitRecipe, Recipe


@torch.no_grad()
def start(module: fx.GraphModule, network: Network, recipe: Recipe) -> None:
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
