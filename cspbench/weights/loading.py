"""Arrays into the torch module of a network, and out of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from cspbench.errors import WeightsError
from cspbench.network.epsilon import Epsilon
from cspbench.network.modular.architecture import Architecture
from cspbench.weights.arrays import Array, Weights, check
from cspbench.weights.state_names import state_names

Module = TypeVar("Module", bound=nn.Module)
NO_EPSILON = torch.finfo(torch.float32).tiny
"""Negligible beside any variance under `OUTSIDE_1E6`, and positive, as torch requires in some versions."""


def load(module: Module, network: Architecture, weights: Weights, epsilon: Epsilon = Epsilon.INSIDE_1E5) -> Module:
    """Copy all arrays into a module of the network (`to_module(network)`, or its design's), in place; returns it.

    `epsilon` holds for all its batch norms, also after they are folded. Raises `WeightsError` for partial or unfit
    arrays.
    """
    if not weights.complete:
        what = f"the file holds only {weights.layers} of {len(weights.arrays)} layers of {network.name}"
        remedy = "Use the complete file: a partial one (*.conv.N) is a start for training"
        raise WeightsError("weights.partial", what, where=str(weights.path), remedy=remedy)
    check(network, weights.arrays, str(weights.path))
    for index, role, _, tensor in stored(module, network):
        values = torch.from_numpy(np.array(weights.arrays[index][role]))  # a copy: torch warns of read-only memory
        if role == "variance" and epsilon is Epsilon.OUTSIDE_1E6:
            values = (values.double().sqrt() + 1e-6).square()
        with torch.no_grad():
            tensor.copy_(values)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            part.eps = NO_EPSILON if epsilon is Epsilon.OUTSIDE_1E6 else float(epsilon.removeprefix("inside-"))
    return module


def extract(module: nn.Module, network: Architecture) -> tuple[dict[str, Array], ...]:
    """Copies of the arrays of a module of the network whose batch norms are not folded.

    Variances that were loaded as `OUTSIDE_1E6` are converted back, exact up to rounding; all others are exact.
    """
    parts = dict(module.named_modules())
    arrays: list[dict[str, Array]] = [{} for _ in network.layers]
    for index, role, name, tensor in stored(module, network):
        values = tensor.detach().cpu()
        if role == "variance" and parts[name.rpartition(".")[0]].eps == NO_EPSILON:
            values = (values.double().sqrt() - 1e-6).square()
        arrays[index][role] = np.array(values.float().numpy())
    return tuple(arrays)


def stored(module: nn.Module, network: Architecture) -> Iterator[tuple[int, str, str, Tensor]]:
    """Layer, role, name in the module and tensor of every stored array."""
    state = module.state_dict(keep_vars=True)
    for index in range(len(network.layers)):
        names = state_names(network, index)
        for weight in network.weights(index):
            name = names[weight.role]
            assert state[name].shape == weight.shape, name
            yield index, weight.role, name, state[name]
