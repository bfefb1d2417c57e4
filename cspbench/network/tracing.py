"""fvcore's count of a network's torch module, operation by operation.

The trace runs on a batch of zero images: torch then checks every shape but multiplies nothing, so that counting a
608x608 detector takes a tenth of a second and almost no memory. Before fvcore reads a shape, its batch becomes 1.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch
from fvcore.nn import FlopCountAnalysis
from fvcore.nn.flop_count import _DEFAULT_SUPPORTED_OPS
from fvcore.nn.jit_handles import get_shape

from cspbench.network.module import to_module
from cspbench.network.network import Network
from cspbench.network.operations import NAMES, Operations

Values = Sequence[Any]
Handle = Callable[[Values, Values], Counter[str]]

FVCORE = "fvcore"
"""The key of fvcore's own total, by its own handles."""


def _one_image(values: Values) -> None:
    for value in values:
        sizes = get_shape(value)
        if sizes and sizes[0] == 0:
            value.setType(value.type().with_sizes([1, *sizes[1:]]))


def _elements(value: Any) -> int:
    return prod(get_shape(value) or [])


def _is_tensor(value: Any) -> bool:
    return bool(value.isCompleteTensor())


def _integers(value: Any) -> list[int]:
    return [item.toIValue() for item in value.node().inputs()]


def _convolution(inputs: Values, outputs: Values) -> Counter[str]:
    kernel = get_shape(inputs[1])
    return Counter(conv=_elements(outputs[0]) * prod(kernel[1:]))


def _padding(inputs: Values, outputs: Values) -> Counter[str]:
    return Counter(padding=_elements(outputs[0]) - _elements(inputs[0]))


def _linear(inputs: Values, outputs: Values) -> Counter[str]:
    return Counter(linear=_elements(outputs[0]) * get_shape(inputs[0])[-1])


def _window(inputs: Values, outputs: Values) -> Counter[str]:
    written = _elements(outputs[0])
    return Counter(pool_taps=written * prod(_integers(inputs[1])), pool_input=_elements(inputs[0]), pool_output=written)


def _depth(inputs: Values, outputs: Values) -> Counter[str]:
    read = _elements(inputs[0])
    return Counter(pool_taps=read, pool_input=read, pool_output=_elements(outputs[0]))


def _global(inputs: Values, outputs: Values) -> Counter[str]:
    return Counter(global_pool_input=_elements(inputs[0]), global_pool_output=_elements(outputs[0]))


def _addition(inputs: Values, outputs: Values) -> Counter[str]:
    # adding a constant is part of an activation, adding a map is a shortcut
    return Counter(shortcut=_elements(outputs[0])) if _is_tensor(inputs[1]) else Counter()


def _weighted(inputs: Values, outputs: Values) -> Counter[str]:
    return Counter(shortcut=2 * _elements(outputs[0]))


def _per_output(name: str) -> Handle:
    return lambda inputs, outputs: Counter({name: _elements(outputs[0])})


_HANDLES: dict[str, Handle] = {
    "aten::_convolution": _convolution,
    "aten::linear": _linear,
    "aten::addmm": _linear,
    "aten::max_pool2d": _window,
    "aten::avg_pool2d": _window,
    "aten::amax": _depth,
    "aten::adaptive_avg_pool2d": _global,
    "aten::add": _addition,
    "aten::addcmul": _weighted,
    "aten::pad": _padding,
    "aten::batch_norm": _per_output("batch_norm"),
    "aten::upsample_nearest2d": _per_output("upsample"),
}
for _name in ("leaky_relu", "relu", "hardtanh", "relu6", "sigmoid", "silu", "mish", "tanh", "exp"):
    _HANDLES[f"aten::{_name}"] = _HANDLES[f"aten::{_name}_"] = _per_output("activation")


def _both(ours: Handle | None, default: Any) -> Handle:
    """One handle that counts single operations beside what fvcore itself counts for the call."""

    def handle(inputs: Values, outputs: Values) -> Counter[str]:
        _one_image([*inputs, *outputs])
        counts = ours(inputs, outputs) if ours else Counter[str]()
        if default is not None:
            theirs = default(inputs, outputs)
            counts[FVCORE] = int(sum(theirs.values()) if isinstance(theirs, Counter) else theirs)
        return counts

    return handle


def _layer(by_module: dict[str, Counter[str]], path: str) -> Operations:
    nothing: Counter[str] = Counter()
    counts = Counter(by_module.get(path, nothing))
    blur = by_module.get(f"{path}.blur", nothing)["conv"]
    counts.update(conv=-blur, blur=blur)
    # a border laid around the map so that windows may hang over it is not read from the map
    counts["pool_input"] -= by_module.get(f"{path}.pool", nothing)["padding"]
    return Operations(**{name: counts[name] for name in NAMES})


def trace(network: Network) -> tuple[tuple[Operations, ...], int, dict[str, int]]:
    """Trace the network's module: operations of every layer, fvcore's own total, parameters by array role.

    The roles are those the module has itself: `weight` for convolution and linear kernels, `learnable` for all.
    """
    module = to_module(network)
    with torch.no_grad():
        analysis = FlopCountAnalysis(module, torch.empty(0, *network.input))
        analysis.uncalled_modules_warnings(False).unsupported_ops_warnings(False).tracer_warnings("none")
        for name in {*_HANDLES, *_DEFAULT_SUPPORTED_OPS}:
            analysis.set_op_handle(name, _both(_HANDLES.get(name), _DEFAULT_SUPPORTED_OPS.get(name)))
        by_module = analysis.by_module_and_operator()
    layers = tuple(_layer(by_module, f"layers.{index}") for index in range(len(network.layers)))
    kernels = sum(value.numel() for value in module.parameters() if value.dim() > 1)
    parameters = {"weights": kernels, "learnable": sum(value.numel() for value in module.parameters())}
    return layers, by_module[""][FVCORE], parameters


logging.getLogger("fvcore.nn.jit_analysis").setLevel(logging.ERROR)
