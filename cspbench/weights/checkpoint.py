"""Checkpoints of timm and mmpretrain (.pth or safetensors) for the `timm/*` models, by their keys; of our own modules.

mmpretrain's weights are timm's under other names, so a checkpoint's tensors are first renamed. timm computes both parts
of a stage with one convolution and joins part 1 before part 2. The layer list of CSPDarkNet-53 has a convolution for
each part and joins them in reverse, so these arrays are split and reordered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cspbench.errors import WeightsError
from cspbench.network.layers import Convolution
from cspbench.network.network import Network
from cspbench.weights import states
from cspbench.weights.arrays import Array, Weights, check, first_names
from cspbench.weights.filekind import Kind, examine
from cspbench.weights.pickles import files
from cspbench.weights.pickles.stack import kind_of
from cspbench.weights.pickles.tensors import StoredTensor
from cspbench.weights.safetensors_file import SafeTensor, of_state, said_of
from cspbench.zoo.darknet import STAGES
from cspbench.zoo.resnet import CROSS_DEPTHS

BLOCK_CONVOLUTIONS = {"timm/cspdarknet53": 2, "timm/cspresnet50": 3, "timm/cspresnext50": 3}
"""The models that can be read, and the number of convolutions in their residual blocks."""

NORMALIZED = {
    "weight": "conv.weight",
    "bias": "bn.bias",
    "scale": "bn.weight",
    "mean": "bn.running_mean",
    "variance": "bn.running_var",
}
"""timm's names for the arrays of a convolution with batch norm, within its unit."""

RENAMED = (
    (r"stem\.(?:0\.)?(conv|bn)\.", r"stem.conv1.\1."),
    (r"(stages\.\d+)\.downsample_conv\.", r"\1.conv_down."),
    (r"(stages\.\d+)\.expand_conv\.", r"\1.conv_exp."),
    (r"(stages\.\d+)\.atfer_blocks_conv\.", r"\1.conv_transition_b."),  # mmpretrain's spelling
    (r"(stages\.\d+)\.final_conv\.", r"\1.conv_transition."),
    (r"(stages\.\d+\.blocks\.\d+)\.conv(\d)\.weight$", r"\1.conv\2.conv.weight"),
    (r"(stages\.\d+\.blocks\.\d+)\.bn(\d)\.", r"\1.conv\2.bn."),
)
"""Patterns at the beginning of mmpretrain's names, and timm's names for them."""


@dataclass(frozen=True)
class Unit:
    """timm's name for a convolution with its norm that corresponds to one of ours.

    `half`: ours is only this half of its filters. `swapped`: the two halves of its input are in reverse order.
    """

    name: str
    half: int | None = None
    swapped: bool = False


def units(model: str) -> Iterator[Unit]:
    """Timm's convolutions in the order of the layer list."""
    partitioned = model == "timm/cspdarknet53"
    yield Unit("stem.conv1")
    for stage, depth in enumerate([depth for _, depth in STAGES] if partitioned else CROSS_DEPTHS):
        name = f"stages.{stage}"
        if partitioned or stage > 0:
            yield Unit(f"{name}.conv_down")
        yield from [Unit(f"{name}.conv_exp", half) for half in ((0, 1) if partitioned else (None,))]
        for block in range(depth):
            yield from (Unit(f"{name}.blocks.{block}.conv{at + 1}") for at in range(BLOCK_CONVOLUTIONS[model]))
        yield Unit(f"{name}.conv_transition_b")
        yield Unit(f"{name}.conv_transition", swapped=partitioned)
    yield Unit("head.fc")


def read(path: Path, network: Network, partial: bool = False, ema: bool | None = None) -> Weights:
    """The arrays of a checkpoint; raises `WeightsError` unless every tensor fits and none is left over.

    `ema` chooses among several sets of weights, see `states.choose`. With `partial` the classifier is left out if it
    has another number of classes or is not there.
    """
    state, said = states.choose(path, content(path), ema)
    named = tensors_of(path, state)
    if all(name.startswith("layers.") for name in named):
        weights = of_state(path, network, named)
        return replace(weights, said=said | dict(weights.said))
    if network.name not in BLOCK_CONVOLUTIONS:
        what = f"the weights of {network.name} cannot be read from a checkpoint"
        expected = f"a Darknet weight file, or {', '.join(BLOCK_CONVOLUTIONS)} as the model"
        remedy = "Download the .weights file again, or name the checkpoint's model"
        raise WeightsError("checkpoint.not-darknet", what, where=str(path), expected=expected, remedy=remedy)
    tensors = _renamed(named)
    arrays: list[dict[str, Array]] = [{} for _ in network.layers]
    used: set[str] = set()
    types: set[str] = set()
    ours = [index for index, layer in enumerate(network.layers) if isinstance(layer, Convolution)]
    layers = len(arrays)
    head = _foreign_head(tensors, network, ours[-1])
    if head and not partial:
        raise _other_head(path, network, ours[-1], head)
    if head:
        layers = ours[-1]
        used |= {name for name in tensors if name.startswith("head.")}
        said["head"] = f"{head}, left out"
    for index, unit in zip(ours, units(network.name), strict=True):
        if index >= layers:
            break
        normalized = len(network.weights(index)) > 2
        for weight in network.weights(index):
            name = f"{unit.name}.{NORMALIZED[weight.role] if normalized else weight.role}"
            arrays[index][weight.role] = _array(path, tensors, name, weight.shape, unit)
            used.add(name)
            types.add(tensors[name].dtype)
    if rest := sorted(tensors.keys() - used):
        raise _unfit(path, f"only the tensors of {network.name}", f"also {first_names(rest)}")
    check(network, arrays, str(path), layers)
    return Weights(path, tuple(arrays), layers, said=said | said_of(types))


def _foreign_head(tensors: Mapping[str, Any], network: Network, index: int) -> str | None:
    """What stands in the place of the network's classifier, None if it is one of as many classes."""
    (classes,) = (weight.shape[0] for weight in network.weights(index) if weight.role == "bias")
    bias, weight = (tensors.get(f"head.fc.{role}") for role in ("bias", "weight"))
    parts = {name.partition(".")[0] for name in tensors}
    if "stages" in parts and "head" not in parts:
        return "no classifier"
    shape = tuple(getattr(bias, "shape", ()))
    if len(shape) != 1 or shape[0] == classes or weight is None or tuple(weight.shape)[:1] != shape:
        return None  # as it should be, or wrong in another way, which will be said
    return f"a classifier of {shape[0]} classes"


def _other_head(path: Path, network: Network, index: int, found: str) -> WeightsError:
    (classes,) = (weight.shape[0] for weight in network.weights(index) if weight.role == "bias")
    return WeightsError(
        "checkpoint.other-classes",
        f"the checkpoint's head is not that of {network.name}",
        where=str(path),
        expected=f"a classifier of {classes} classes",
        found=found,
        remedy="Use a checkpoint with these classes; `cspbench weights verify --partial` checks the layers before it",
    )


def _array(path: Path, tensors: Mapping[str, Any], name: str, shape: tuple[int, ...], unit: Unit) -> Array:
    theirs = shape if unit.half is None else (2 * shape[0], *shape[1:])
    if name not in tensors:
        raise _unfit(path, f"a tensor {name} of {theirs}", f"only {first_names(sorted(tensors))}")
    value = tensors[name]
    linear = name == "head.fc.weight" and tuple(value.shape) == shape[:2]  # the same numbers as a 1x1 convolution
    if tuple(value.shape) != theirs and not linear:
        raise _unfit(path, f"{name} of {theirs}", str(tuple(value.shape)))
    array = value.numbers()
    if array is None:
        raise _unfit(path, f"{name} as floating-point numbers", value.dtype)
    if unit.half is not None:
        array = array[unit.half * shape[0] : (unit.half + 1) * shape[0]]
    if unit.swapped and array.ndim == 4:
        array = np.concatenate(np.split(array, 2, axis=1)[::-1], axis=1)
    return np.ascontiguousarray(array.reshape(shape))


def _renamed(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """The tensors under timm's names."""
    renamed = {}
    for name, value in tensors.items():
        for theirs, timms in RENAMED:
            name = re.sub(f"^{theirs}", timms, name)
        renamed[name] = value
    return renamed


def content(path: Path) -> Mapping[str, Any]:
    """What a file holds by name: tensors, or sets of them beside other values."""
    kind = examine(path).kind
    if kind is Kind.SAFETENSORS:
        return SafeTensor.all_of(path)
    loaded = files.load(path, kind)
    if not isinstance(loaded, dict):
        raise _unfit(path, EXPECTED, kind_of(loaded))
    return loaded


def tensors_of(path: Path, state: states.State) -> Mapping[str, Any]:
    """The tensors of a set of weights; `WeightsError` if it has anything else, or nothing."""
    others = [
        f"{name}, {kind_of(value)}"
        for name, value in state.tensors.items()
        if not isinstance(value, StoredTensor | SafeTensor)
    ]
    if others or not state.tensors:
        raise _unfit(path, EXPECTED, first_names(others) or "nothing")
    return state.tensors


EXPECTED = f"tensors by name, at the top or under {', '.join(states.KEYS)}"


def _unfit(path: Path, expected: str, found: str) -> WeightsError:
    what, remedy = "the checkpoint does not fit", f"Name its model with --model: {', '.join(BLOCK_CONVOLUTIONS)}"
    return WeightsError(
        "checkpoint.other-tensors", what, where=str(path), expected=expected, found=found, remedy=remedy
    )
