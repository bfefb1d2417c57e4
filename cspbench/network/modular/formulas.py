"""The parts of a module and their operations, by a formula for each kind of module over a forward pass of shapes.

The pass runs on torch's meta device, which computes the shapes of results and nothing else. fvcore has no part in it:
`trace` counts the same module with fvcore, and `cspbench.network.counting.count` compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from cspbench.errors import CountingError, DefinitionError
from cspbench.network.layers import Shape, Weight
from cspbench.network.modular.network import ModuleNetwork
from cspbench.network.modular.one_buffer import on_one_buffer
from cspbench.network.modular.part import Part
from cspbench.network.modular.sum import Sum
from cspbench.network.operations import NAMES, Operations

Formula = Callable[[Any, tuple[Shape, ...], Shape], Operations]
"""The operations of a module, from the shapes of its inputs and its output."""
ROLES = {"weight": "scale", "bias": "bias", "running_mean": "mean", "running_var": "variance"}
"""Roles of a batch norm's arrays; those of other modules are their names."""


@dataclass(frozen=True)
class Kind:
    """A kind of module: the name of its section, its formula, the name of the activation that it is."""

    section: str
    formula: Formula
    activation: str = "linear"


def _convolution(module: nn.Conv2d, inputs: tuple[Shape, ...], output: Shape) -> Operations:
    height, width = module.kernel_size
    return Operations(conv=prod(output) * (module.in_channels // module.groups) * height * width)


def _max_pool(module: nn.MaxPool2d, inputs: tuple[Shape, ...], output: Shape) -> Operations:
    assert isinstance(module.kernel_size, int)
    return Operations(pool_taps=prod(output) * module.kernel_size**2, pool_input=prod(inputs[0]))


def _global_pool(module: nn.AdaptiveAvgPool2d, inputs: tuple[Shape, ...], output: Shape) -> Operations:
    return Operations(global_pool_input=prod(inputs[0]), global_pool_output=prod(output))


def _linear(module: nn.Linear, inputs: tuple[Shape, ...], output: Shape) -> Operations:
    return Operations(linear=module.in_features * module.out_features)


def _sum(module: nn.Module, inputs: tuple[Shape, ...], output: Shape) -> Operations:
    return Operations(shortcut=(len(inputs) - 1) * prod(output))


def _per_output(name: str) -> Formula:
    return lambda module, inputs, output: Operations(**{name: prod(output)})


KINDS: Mapping[type[nn.Module], Kind] = {
    nn.Conv2d: Kind("convolution", _convolution),
    nn.Linear: Kind("linear", _linear),
    nn.BatchNorm2d: Kind("batchnorm", _per_output("batch_norm")),
    nn.SiLU: Kind("activation", _per_output("activation"), "swish"),
    nn.LeakyReLU: Kind("activation", _per_output("activation"), "leaky"),
    nn.MaxPool2d: Kind("maxpool", _max_pool),
    nn.AdaptiveAvgPool2d: Kind("avgpool", _global_pool),
    nn.Upsample: Kind("upsample", _per_output("upsample")),
    Sum: Kind("sum", _sum),
}
"""By exact class: a subclass may compute something else."""


def parts_of(network: ModuleNetwork) -> tuple[Part, ...]:
    """The parts in the order in which they are computed.

    Raises `CountingError` for a kind of module without a formula, `DefinitionError` for shapes that do not fit.
    """
    with torch.device("meta"):
        module = network.design.module().eval()
    on_one_buffer(module)
    parts: dict[str, Part] = {}

    def record(path: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def hook(leaf: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            part = _part(network.name, path, leaf, tuple(map(_shape, inputs)), _shape(output))
            parts[path] = _again(parts[path], part) if path in parts else part

        return hook

    for path, leaf in module.named_modules():
        if next(leaf.children(), None) is None:
            leaf.register_forward_hook(record(path))
    try:
        with torch.no_grad():
            # no image, on the CPU: on "meta" torch joins maps in Python, for which it imports its compiler
            module(torch.empty(0, *network.input))
    except RuntimeError as error:
        raise DefinitionError(
            "network.module-shapes",
            "the module cannot compute an input of this size",
            where=network.name,
            found=str(error).splitlines()[0],
            remedy="Correct the input's channels, height and width",
        ) from error
    stored = sum(array.numel() for array in [*module.parameters(), *module.buffers()] if array.is_floating_point())
    known = sum(weight.size for part in parts.values() for weight in part.weights)
    if stored != known:
        raise CountingError(
            "count.outside-parts",
            "some arrays of the module belong to no counted part",
            where=network.name,
            expected=f"{stored} numbers",
            found=f"{known}",
            remedy="This is a bug in cspbench; please report it",
        )
    return tuple(parts.values())


def _part(network: str, path: str, leaf: nn.Module, inputs: tuple[Shape, ...], output: Shape) -> Part:
    kind = KINDS.get(type(leaf))
    if kind is None:
        raise CountingError(
            "count.unknown-module",
            "no formula counts this kind of module",
            where=f"{network}, {path}",
            expected=", ".join(each.__name__ for each in KINDS),
            found=type(leaf).__name__,
            remedy="Add its formula to cspbench.network.modular.formulas",
        )
    arrays = {name: array for name, array in leaf.state_dict().items() if array.is_floating_point()}
    roles = ROLES if kind.section == "batchnorm" else {}
    return Part(
        path,
        kind.section,
        _settings(leaf),
        inputs,
        output,
        tuple(Weight(roles.get(name, name), tuple(array.shape)) for name, array in arrays.items()),
        tuple(arrays),
        kind.formula(leaf, inputs, output),
        kind.activation,
    )


def _settings(leaf: nn.Module) -> str:
    match leaf:
        case nn.Conv2d():
            groups = f" groups={leaf.groups}" if leaf.groups > 1 else ""
            bias = "" if leaf.bias is None else " bias"
            return f"{leaf.out_channels} {leaf.kernel_size[0]}x{leaf.kernel_size[1]}/{leaf.stride[0]}{groups}{bias}"
        case nn.Linear():
            return f"{leaf.out_features}"
        case nn.MaxPool2d():
            return f"{leaf.kernel_size}x{leaf.kernel_size}/{leaf.stride}"
        case nn.Upsample():
            return f"x{leaf.scale_factor:g}"
    return KINDS[type(leaf)].activation.replace("linear", "")


def _again(first: Part, second: Part) -> Part:
    total = {name: getattr(first.operations, name) + getattr(second.operations, name) for name in NAMES}
    return replace(second, operations=Operations(**total))


def _shape(value: Tensor) -> Shape:
    """The shape of a map without the batch; a vector is (n, 1, 1)."""
    channels, height, width = (*value.shape[1:], 1, 1)[:3]
    return channels, height, width
