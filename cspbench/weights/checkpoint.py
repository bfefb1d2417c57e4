"""Checkpoints of timm and mmpretrain (.pth or safetensors) for the `timm/*` models, by their keys.

mmpretrain's weights are timm's under other names, so a checkpoint's tensors are first renamed. timm computes both parts
of a stage with one convolution and joins part 1 before part 2. The layer list of CSPDarkNet-53 has a convolution for
each part and joins them in reverse, so these arrays are split and reordered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cspbench.errors import WeightsError
from cspbench.network.layers import Convolution
from cspbench.network.network import Network
from cspbench.weights import pickled
from cspbench.weights.arrays import Array, Weights, check, first_names
from cspbench.weights.filekind import Kind, examine
from cspbench.zoo.darknet import STAGES
from cspbench.zoo.resnet import CROSS_DEPTHS

NESTED = ("state_dict_ema", "model_ema", "state_dict", "model")
"""Keys of the arrays in checkpoints of training scripts, in timm's order; averaged ones before the last step's."""

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
    (r"module\.", ""),  # from DataParallel
    (r"backbone\.", ""),
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


def read(path: Path, network: Network) -> Weights:
    """The arrays of a checkpoint; raises `WeightsError` unless every tensor fits and none is left over."""
    if network.name not in BLOCK_CONVOLUTIONS:
        what = f"the weights of {network.name} cannot be read from a checkpoint"
        expected = f"a Darknet weight file, or {', '.join(BLOCK_CONVOLUTIONS)} as the model"
        remedy = "Download the .weights file again, or name the checkpoint's model"
        raise WeightsError("checkpoint.not-darknet", what, where=str(path), expected=expected, remedy=remedy)
    tensors = _renamed(_tensors(path))
    arrays: list[dict[str, Array]] = [{} for _ in network.layers]
    used: set[str] = set()
    ours = [index for index, layer in enumerate(network.layers) if isinstance(layer, Convolution)]
    for index, unit in zip(ours, units(network.name), strict=True):
        normalized = len(network.weights(index)) > 2
        for weight in network.weights(index):
            name = f"{unit.name}.{NORMALIZED[weight.role] if normalized else weight.role}"
            arrays[index][weight.role] = _array(path, tensors, name, weight.shape, unit)
            used.add(name)
    if rest := sorted(tensors.keys() - used):
        raise _unfit(path, f"only the tensors of {network.name}", f"also {first_names(rest)}")
    check(network, arrays, str(path))
    return Weights(path, tuple(arrays), len(arrays))


def _array(path: Path, tensors: Mapping[str, Any], name: str, shape: tuple[int, ...], unit: Unit) -> Array:
    theirs = shape if unit.half is None else (2 * shape[0], *shape[1:])
    if name not in tensors:
        raise _unfit(path, f"a tensor {name} of {theirs}", f"only {first_names(sorted(tensors))}")
    value = tensors[name]
    linear = name == "head.fc.weight" and tuple(value.shape) == shape[:2]  # the same numbers as a 1x1 convolution
    if tuple(value.shape) != theirs and not linear:
        raise _unfit(path, f"{name} of {theirs}", str(tuple(value.shape)))
    array = pickled.numbers(value)
    if array is None:
        raise _unfit(path, f"{name} as dense floating-point numbers", f"{value.dtype}, {value.layout}, {value.device}")
    if unit.half is not None:
        array = array[unit.half * shape[0] : (unit.half + 1) * shape[0]]
    if unit.swapped and array.ndim == 4:
        array = np.concatenate(np.split(array, 2, axis=1)[::-1], axis=1)
    return np.ascontiguousarray(array.reshape(shape))


def _renamed(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """The tensors under timm's names, without batch counters."""
    renamed = {}
    for name, value in tensors.items():
        if name.endswith("num_batches_tracked"):
            continue
        for theirs, timms in RENAMED:
            name = re.sub(f"^{theirs}", timms, name)
        renamed[name] = value
    return renamed


def _tensors(path: Path) -> dict[str, Any]:
    kind = examine(path).kind
    if kind is Kind.SAFETENSORS:
        from cspbench.weights.safetensors_file import opened

        with opened(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no iterator)
    from torch import Tensor

    state = pickled.load(path, kind)
    for key in NESTED:
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
            break
    expected = f"tensors by name, at the top or under {', '.join(NESTED)}"
    if not isinstance(state, dict):
        raise _unfit(path, expected, f"a {type(state).__name__}")
    others = [str(name) for name, value in state.items() if not isinstance(value, Tensor)]
    if others or not state:
        raise _unfit(path, expected, first_names(others) or "nothing")
    return {str(name): value for name, value in state.items()}


def _unfit(path: Path, expected: str, found: str) -> WeightsError:
    what, remedy = "the checkpoint does not fit", f"Name its model with --model: {', '.join(BLOCK_CONVOLUTIONS)}"
    return WeightsError(
        "checkpoint.other-tensors", what, where=str(path), expected=expected, found=found, remedy=remedy
    )
