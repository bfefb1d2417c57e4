"""Named countings of parameters and operations, and the check that two independent counters agree.

The ledger applies formulas to the layer list, or to the parts of a module; fvcore traces the torch module. `count`
returns numbers only if both agree on every operation of every layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from cspbench.errors import CountingError, UsageError
from cspbench.network.layers import Activation, AvgPool, Connected, Convolution, Local, Shape, Shortcut
from cspbench.network.modular.architecture import Architecture, Step
from cspbench.network.modular.network import ModuleNetwork
from cspbench.network.modular.part import Part
from cspbench.network.network import Network
from cspbench.network.operations import NAMES, Operations

if TYPE_CHECKING:
    from torch import nn

    from cspbench.network.fvcore_counter import Traces


@dataclass(frozen=True)
class Counting:
    """A rule that sums a network's operations to one integer, in `unit`s.

    `rule` is a weight for each kind of operation, or a function of the layers and their operations.
    """

    unit: str
    rule: Mapping[str, int | Fraction] | Callable[[Architecture, Sequence[Operations]], int]

    def total(self, network: Architecture, operations: Sequence[Operations]) -> int:
        """The total of a network, from the operations of its layers."""
        if callable(self.rule):
            return self.rule(network, operations)
        total: Fraction | int = sum(
            weight * getattr(layer, kind) for layer in operations for kind, weight in self.rule.items()
        )
        return round(total)


def classifier(network: Architecture) -> int | None:
    """Index of the layer that scores the classes: the last one with weights if it reads a 1x1 map, else None."""
    for index in range(len(network.layers) - 1, -1, -1):
        if _scores(network.layers[index]):
            return index if network.inputs(index)[0][1:] == (1, 1) and not network.detects else None
    return None


def _scores(layer: Step) -> bool:
    if isinstance(layer, Part):
        return layer.section in ("convolution", "linear")
    return isinstance(layer, Convolution | Connected)


def _activation(layer: Step) -> str:
    activated = Activation | Connected | Convolution | Local | Part | Shortcut
    return layer.activation if isinstance(layer, activated) else "linear"


def _leaky(network: Architecture, operations: Sequence[Operations]) -> int:
    """Elements that pass through an activation with a slope on its negative side."""
    return sum(
        counts.activation
        for layer, counts in zip(network.layers, operations, strict=True)
        if _activation(layer) in ("leaky", "relie", "revleaky")
    )


def _thop(network: Architecture, operations: Sequence[Operations]) -> int:
    head = classifier(network)
    body = [layer for index, layer in enumerate(operations) if index != head]
    return _leaky(network, operations) + sum(
        layer.conv + layer.global_pool_input + layer.global_pool_output for layer in body
    )


def _thop_2021(network: Architecture, operations: Sequence[Operations]) -> int:
    total = sum(layer.conv + layer.linear + 2 * layer.batch_norm for layer in operations)
    return 2 * (total + _leaky(network, operations))


def _mmcv(network: Architecture, operations: Sequence[Operations]) -> int:
    head = classifier(network)
    return sum(
        layer.conv + 2 * layer.batch_norm + layer.activation + layer.pool_input + layer.global_pool_input
        for index, layer in enumerate(operations)
        if index != head
    )


def _elastic(network: Architecture, operations: Sequence[Operations]) -> int:
    # their hooks see modules only, and in their code the ReLU before the global pooling is a function
    pooled = {source for layer in network.layers if isinstance(layer, AvgPool) for source in layer.sources}
    functions = {index for index in pooled if isinstance(network.layers[index], Activation)}
    total = sum(
        layer.conv
        + layer.linear
        + 2 * layer.batch_norm
        + layer.pool_input
        + (0 if index in functions else layer.activation)
        for index, layer in enumerate(operations)
    )
    return 2 * total


_XNOR = Fraction(1, 16) - 2
"""Darknet divides the operations of xnor convolutions by 32."""
COUNTINGS = {
    # 2 per multiply-add of convolution and connected layers; a 32nd of that for xnor convolutions, here and below
    "conv": Counting("operation", {"conv": 2, "xnor": _XNOR, "linear": 2}),
    # 2 per convolution multiply-add, 1 per tap of a pooling window: Darknet's BFLOPS of 2019, as in the README
    "conv+maxpool": Counting("operation", {"conv": 2, "xnor": _XNOR, "pool_taps": 1}),
    # also 1 per added shortcut element: Darknet's BFLOPS since January 2020
    "conv+maxpool+shortcut": Counting("operation", {"conv": 2, "xnor": _XNOR, "pool_taps": 1, "shortcut": 1}),
    # multiply-adds of convolution and connected layers
    "mac": Counting("multiply-add", {"conv": 1, "linear": 1}),
    # fvcore's total: multiply-adds, 2 per batch-norm element, 1 per element read by global pooling and by upsampling
    "fvcore": Counting(
        "flop", {"conv": 1, "blur": 1, "linear": 1, "batch_norm": 2, "global_pool_input": 1, "upsample": 1}
    ),
    # thop on timm's modules: convolution multiply-adds, 1 per LeakyReLU element, C(hw + 1) for global pooling; without
    # the classifier and without batch norm fused with its activation
    "thop": Counting("operation", _thop),
    # twice what thop of mid-2021 counts, but for biases: 1 per multiply-add and LeakyReLU element, 2 per batch-norm
    # element; YOLOX prints it. With biases its YOLOX-l is 155.65086 G, and 155.6 only if that is rounded twice
    "thop-2021": Counting("flop", _thop_2021),
    # mmcv's get_model_complexity_info: convolution multiply-adds, 2 per batch-norm element, 1 per element that
    # activations and pools read; without the classifier
    "mmcv": Counting("flop", _mmcv),
    # 2 per multiply-add of convolution and connected layers, 2 per batch-norm element, 1 per pooling input element: the
    # DenseNets of the SparseNet paper
    "sparsenet": Counting(
        "operation", {"conv": 2, "linear": 2, "batch_norm": 2, "pool_input": 1, "global_pool_input": 1}
    ),
    # twice the ELASTIC authors' counter: 1 per multiply-add, activation and element read by a pooling window, 2 per
    # batch-norm element; without global pooling and the activation before it
    "elastic": Counting("operation", _elastic),
}
"""Countings of operations by name."""

PARAMETER_COUNTINGS = ("weights", "learnable", "stored")
"""Countings of parameters.

`weights` are the kernels of convolution and connected layers, without bias and batch norm (the README's #Parameter);
`learnable` are all trained numbers: also biases, batch-norm scales, shortcut factors; `stored` are all numbers in the
weight file: also batch-norm statistics.
"""


def counting(name: str) -> Counting:
    """A counting of operations by name; raises `UsageError` if it is unknown."""
    if name not in COUNTINGS:
        raise UsageError(
            "usage.unknown-counting",
            f"unknown counting {name!r}",
            expected=f"one of {', '.join(COUNTINGS)}",
            remedy="Choose one with --counting",
        )
    return COUNTINGS[name]


def parameters(network: Architecture, rule: str) -> int:
    """The number of parameters under `rule` (`weights`, `learnable`, `stored`), from the layer list."""
    arrays = [array for index in range(len(network.layers)) for array in network.weights(index)]
    if rule == "weights":
        return sum(array.size for array in arrays if array.role == "weight")
    if rule == "learnable":
        return sum(array.size for array in arrays if array.role not in ("mean", "variance"))
    return sum(array.size for array in arrays)


@dataclass(frozen=True)
class Count:
    """Operations and parameters of a network."""

    network: Architecture
    operations: tuple[Operations, ...]
    """Per layer, for one image of the network's input size."""
    parameters: dict[str, int]
    """By counting of parameters."""

    def total(self, name: str) -> int:
        """Operations or parameters under a counting, as an exact integer."""
        if name in self.parameters:
            return self.parameters[name]
        return counting(name).total(self.network, self.operations)


@dataclass(frozen=True)
class ModuleCount:
    """Operations and parameters of a module, by fvcore and torch alone: there are no layers to apply formulas to."""

    operations: Operations
    """Those that fvcore knows, for one image of the described input."""
    fvcore: int
    """fvcore's own total."""
    parameters: dict[str, int]
    """By counting: `learnable` (all), `stored` (with batch-norm statistics), and `weights` (kernels of convolutions and
    linear modules) if torch's own modules hold all parameters."""

    def total(self, name: str) -> int:
        """Operations or parameters under a counting; raises `UsageError` for one that needs a network's layers."""
        if name == "fvcore":
            return self.fvcore
        if name in self.parameters:
            return self.parameters[name]
        rule = None if name in PARAMETER_COUNTINGS else counting(name).rule
        if rule is None or callable(rule):
            raise UsageError(
                "usage.counting-of-layers",
                f"the counting {name} is not defined for this module",
                expected="a Network, whose layers the counting distinguishes",
                found="a module, which does not list its layers",
                remedy="Use another counting, such as learnable, mac or fvcore",
            )
        total: Fraction | int = sum(weight * getattr(self.operations, kind) for kind, weight in rule.items())
        return round(total)


def ledger(network: Architecture) -> Count:
    """The count by formula; does not import torch."""
    return Count(network, network.operations, {rule: parameters(network, rule) for rule in PARAMETER_COUNTINGS})


def count(network: Architecture, traces: Traces | None = None) -> Count:
    """Count a network with the ledger and with fvcore; raises `CountingError` at the first disagreement.

    `traces` caches fvcore's counts of layers between calls.
    """
    counts = ledger(network)
    if isinstance(network, Network):
        from cspbench.network.fvcore_counter import trace

        traced = trace(network, traces)
    else:
        from cspbench.network.modular.trace import trace_parts

        assert isinstance(network, ModuleNetwork)
        traced = trace_parts(network)
    for index, (formula, measured) in enumerate(zip(counts.operations, traced, strict=True)):
        _agree(f"{network.place(index)}, output", network.shape(index), measured.output)
        for name in NAMES:
            _agree(f"{network.place(index)}, {name}", getattr(formula, name), getattr(measured.operations, name))
    _agree(f"{network.name}, fvcore's total", counts.total("fvcore"), sum(layer.fvcore for layer in traced))
    for rule, total in counts.parameters.items():
        measured_total = sum(layer.parameters.get(rule, 0) for layer in traced)
        _agree(f"{network.name}, parameters ({rule})", total, measured_total)
    return counts


def count_module(module: nn.Module, shape: Shape) -> ModuleCount:
    """Count a module on an input of `shape`; the module's own errors are raised as they are."""
    from cspbench.network.fvcore_counter import knows_kernels, parameters_of, trace_module

    operations, fvcore = trace_module(module, shape)
    parameters = parameters_of(module)
    if not knows_kernels(module):
        del parameters["weights"]
    return ModuleCount(operations, fvcore, parameters)


def _agree(where: str, formula: object, measured: object) -> None:
    if formula != measured:
        raise CountingError(
            "count.disagree",
            "the ledger and fvcore disagree",
            where=where,
            expected=f"{formula} by the ledger",
            found=f"{measured} by fvcore",
            remedy="This is a bug in cspbench; please report it",
        )


def stored_bytes(network: Network) -> int:
    """Size of the network's Darknet weight file in bytes, with the current 20-byte header."""
    return 20 + 4 * parameters(network, "stored")
