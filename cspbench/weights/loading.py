"""Arrays into the torch module of a network, and out of it."""

from __future__ import annotations

from enum import Enum

import numpy as np
import torch
from torch import Tensor, fx, nn

from cspbench.errors import WeightsError
from cspbench.network.layers import BatchNorm, Connected, Convolution, Implicit
from cspbench.network.network import Network
from cspbench.weights.arrays import Array, Weights, check

NO_EPSILON = torch.finfo(torch.float32).tiny
"""Vanishes beside any variance that `OUTSIDE_1E6` makes, and is positive, which torch may insist on."""


class Epsilon(Enum):
    """How batch normalisation keeps from dividing by zero; it shows where a variance is below about 1e-3.

    Inside the root: sqrt(var + e), Darknet since May 2019 (1e-6) and February 2020 (1e-5), Pelee's Caffe (1e-3).
    Outside: sqrt(var) + e, the original engine.
    """

    INSIDE_1E3 = "inside-1e-3"
    INSIDE_1E5 = "inside-1e-5"
    INSIDE_1E6 = "inside-1e-6"
    OUTSIDE_1E6 = "outside-1e-6"


def load(
    module: fx.GraphModule, network: Network, weights: Weights, epsilon: Epsilon = Epsilon.INSIDE_1E5
) -> fx.GraphModule:
    """Copy all arrays into a module made by `to_module(network)`, in place, under that rule of the epsilon.

    Folding the batch norm afterwards keeps the rule. Raises `WeightsError` for the weights of a partial file.
    """
    if not weights.complete:
        raise WeightsError(
            "weights.partial",
            f"only the first {weights.layers} of {len(weights.arrays)} layers are there",
            where=str(weights.path),
            expected=f"all layers of {network.name}",
            remedy="Take the complete file: a partial one (*.conv.N) is for training on",
        )
    check(network, weights.arrays, str(weights.path))
    tensors = _tensors(module)
    for index in range(len(network.layers)):
        for role, array in weights.arrays[index].items():
            path = _place(network, index, role)
            tensor = _taken(tensors, path, array.shape, network)
            values: Tensor = torch.from_numpy(np.array(array))  # a copy: torch warns of memory it must not write to
            if role == "variance" and epsilon is Epsilon.OUTSIDE_1E6:
                values = (values.double().sqrt() + 1e-6).square()
            with torch.no_grad():
                tensor.copy_(values)
    _none_left(tensors, network)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            part.eps = NO_EPSILON if epsilon is Epsilon.OUTSIDE_1E6 else float(epsilon.value.removeprefix("inside-"))
    return module


def extract(module: fx.GraphModule, network: Network) -> tuple[dict[str, Array], ...]:
    """The arrays of a module, as a copy for writing; its batch norm must not have been folded.

    Variances that were loaded as `OUTSIDE_1E6` are turned back, which is exact up to rounding; all else is exact.
    """
    tensors = _tensors(module)
    parts = dict(module.named_modules())
    arrays: list[dict[str, Array]] = [{} for _ in network.layers]
    for index in range(len(network.layers)):
        for weight in network.weights(index):
            path = _place(network, index, weight.role)
            tensor = _taken(tensors, path, weight.shape, network).detach().cpu()
            if weight.role == "variance" and parts[path.rpartition(".")[0]].eps == NO_EPSILON:
                tensor = (tensor.double().sqrt() - 1e-6).square()
            arrays[index][weight.role] = np.array(tensor.float().numpy())
    _none_left(tensors, network)
    return tuple(arrays)


def _tensors(module: fx.GraphModule) -> dict[str, Tensor]:
    return {name: value for name, value in module.state_dict(keep_vars=True).items() if "num_batches" not in name}


def _taken(tensors: dict[str, Tensor], path: str, shape: tuple[int, ...], network: Network) -> Tensor:
    tensor = tensors.pop(path, None)
    if tensor is None or tuple(tensor.shape) != tuple(shape):
        raise WeightsError(
            "weights.other-module",
            f"the module is not what to_module makes of {network.name}",
            where=path,
            expected=f"a tensor of {tuple(shape)}",
            found="none" if tensor is None else str(tuple(tensor.shape)),
            remedy="Load before the batch norm is folded",
        )
    return tensor


def _none_left(tensors: dict[str, Tensor], network: Network) -> None:
    if tensors:
        raise WeightsError(
            "weights.other-module",
            f"the module has more than {network.name} stores",
            found=", ".join(tensors),
            remedy="Load into the module of the same network, before the batch norm is folded",
        )


_NORM = {"bias": "bn.bias", "scale": "bn.weight", "mean": "bn.running_mean", "variance": "bn.running_var"}


def _place(network: Network, index: int, role: str) -> str:
    """The name in the module's state dict of an array of layer `index`."""
    layer = network.layers[index]
    match layer:
        case Convolution():
            owner = "conv"
        case Connected():
            owner = "linear"
        case BatchNorm():
            return f"layers.{index}.{_NORM[role]}"
        case Implicit():
            return f"layers.{index}.vector.weight"
        case _:  # a weighted shortcut
            return f"layers.{index}.sum.weight"
    if role == "weight" or not layer.batch_normalize:
        return f"layers.{index}.{owner}.{role}"
    return f"layers.{index}.{_NORM[role]}"
