"""The losses of a network: one for each layer that has one."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from cspbench.errors import DefinitionError
from cspbench.network import layers
from cspbench.network.era import Era
from cspbench.network.network import Network
from cspbench.network.recipe import CostRecipe, LayerRecipe, Recipe, SoftmaxRecipe, YoloRecipe
from cspbench.training.losses import vectors
from cspbench.training.losses.outcome import Outcome
from cspbench.training.losses.rules import RULES
from cspbench.training.losses.yolo import YoloLoss

Loss = Callable[[Tensor, Tensor, tuple[int, int]], Outcome]
"""From a layer's input, the truths or labels, and height and width of the network input."""
COSTS = {"sse": vectors.squared_error, "smooth": vectors.smooth_error}


def losses(network: Network, recipe: Recipe, era: Era = Era.HEAD, *, exact: bool = False) -> dict[int, Loss]:
    """The losses by layer, in order. Raises `DefinitionError` for a network without any, or with an unknown one."""
    found: dict[int, Loss] = {}
    for index, layer in enumerate(network.layers):
        own = recipe.layers[index]
        if isinstance(layer, layers.Detection | layers.Softmax | layers.Loss):
            loss = _loss(layer, own, era, exact)
            if loss is not None:
                found[index] = loss
            elif not (isinstance(own, SoftmaxRecipe) and own.noloss):
                raise _untrainable(network.place(index), f"[{layer.section}]")
    if not found:
        raise _untrainable(network.name, "no layer that has a loss")
    return found


def _loss(layer: layers.Layer, own: LayerRecipe, era: Era, exact: bool) -> Loss | None:
    match layer, own:
        case layers.GaussianYolo(), _:
            return None
        case layers.Yolo(), YoloRecipe():
            return YoloLoss(layer, own, RULES[era], exact=exact)
        case layers.Softmax(groups=groups, temperature=temperature), SoftmaxRecipe(noloss=False):
            return lambda raw, labels, _: vectors.cross_entropy(raw, labels, groups, temperature)
        case layers.Loss(), CostRecipe(kind_of_cost=kind, scale=scale) if kind in COSTS:
            return lambda raw, labels, _: COSTS[kind](raw, labels, scale)
    return None


def _untrainable(where: str, found: str) -> DefinitionError:
    return DefinitionError(
        "train.no-loss",
        "the network cannot be trained: its loss is unknown here",
        where=where,
        expected="[softmax], [yolo], or [cost] of type sse or smooth",
        found=found,
        remedy="Train a network that ends with one of these",
    )
