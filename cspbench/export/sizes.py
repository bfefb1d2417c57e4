"""Which other input sizes a network's module accepts as it stands."""

from __future__ import annotations

from itertools import product

from cspbench.errors import DefinitionError
from cspbench.network import layers
from cspbench.network.modules import WindowPool
from cspbench.network.network import Network

STEPS = (1, 2, 4, 8, 16, 32, 64, 128)
FIXED = (
    layers.Connected,
    layers.Local,
    layers.Resize,
    layers.Crop,
    layers.Proposals,
    layers.RoiAlign,
)
"""Layers whose module is made for one size."""


def step(network: Network) -> int | None:
    """Pixels by multiples of which height and width may differ; None where the size is part of the module.

    At any multiple of the step the module of this size computes what the module of that size does, and every box layer
    has the stride that it has here.
    """
    if any(isinstance(layer, FIXED) or (isinstance(layer, layers.Reorg) and layer.reverse) for layer in network.layers):
        return None
    height, width = network.input[1:]
    for pixels in STEPS:
        if height % pixels or width % pixels:
            return None
        # two more sizes show every parity: where the step is too small an odd map comes up at once
        if all(
            _alike(network, height + pixels * down, width + pixels * across)
            for down, across in product((0, 1, 2), repeat=2)
        ):
            return pixels
    return None


def _alike(network: Network, height: int, width: int) -> bool:
    try:
        other = network.resized(height, width)
    except DefinitionError:
        return False
    for index, layer in enumerate(network.layers):
        shapes, others = network.inputs(index), other.inputs(index)
        if isinstance(layer, layers.MaxPool | layers.LocalAvgPool):
            if isinstance(layer, layers.LocalAvgPool) or _border(layer, shapes) != _border(layer, others):
                return False
        elif isinstance(layer, layers.Shortcut):
            if any(shape[1:] != each[0][1:] for each in (shapes, others) for shape in each):
                return False
        elif isinstance(layer, layers.Detection) and strides(network, index) != strides(other, index):
            return False
    return True


def _border(layer: layers.MaxPool, shapes: list[layers.Shape]) -> tuple[bool, list[int]]:
    pool = WindowPool(layer, shapes[0][1:], layer.pooled(shapes)[1:])
    return pool.symmetric, [] if pool.symmetric else pool.border


def strides(network: Network, index: int) -> tuple[float, float]:
    """Pixels of the input per cell of layer `index`, down and across."""
    height, width = network.shape(index)[1:]
    return network.input[1] / height, network.input[2] / width
