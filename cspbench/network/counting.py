"""Named countings of parameters and operations, and the check that two independent counters agree.

The ledger counts the layer list by formula; fvcore counts the torch module by tracing it. `count` returns numbers
only when both agree on every operation of every layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cspbench.errors import CountingError, UsageError
from cspbench.network.layers import Activation, AvgPool, Connected, Convolution, Layer, Shortcut
from cspbench.network.network import Network
from cspbench.network.operations import NAMES, Operations

if TYPE_CHECKING:
    from cspbench.network.fvcore_counter import Known


@dataclass(frozen=True)
class Counting:
    """A rule that turns a network's operations into one integer. `unit` is what one of them is."""

    name: str
    unit: str
    meaning: str
    total: Callable[[Network, Sequence[Operations]], int]


def _weighed(**weights: int) -> Callable[[Network, Sequence[Operations]], int]:
    def total(network: Network, operations: Sequence[Operations]) -> int:
        return sum(weight * getattr(each, name) for each in operations for name, weight in weights.items())

    return total


def classifier(network: Network) -> int | None:
    """The layer that scores the classes: the last one with weights, if it reads a 1x1 map; None for a detector."""
    for index in range(len(network.layers) - 1, -1, -1):
        if isinstance(network.layers[index], Convolution | Connected):
            return index if network.inputs(index)[0][1:] == (1, 1) and not network.detections else None
    return None


def _activation(layer: Layer) -> str:
    return layer.activation if isinstance(layer, Activation | Connected | Convolution | Shortcut) else "linear"


def _thop(network: Network, operations: Sequence[Operations]) -> int:
    head = classifier(network)
    body = [each for index, each in enumerate(operations) if index != head]
    leaky = sum(
        each.activation
        for layer, each in zip(network.layers, operations, strict=True)
        if _activation(layer) in ("leaky", "relie")
    )
    return leaky + sum(each.conv + each.global_pool_input + each.global_pool_output for each in body)


def _mmcv(network: Network, operations: Sequence[Operations]) -> int:
    head = classifier(network)
    return sum(
        each.conv + 2 * each.batch_norm + each.activation + each.pool_input + each.global_pool_input
        for index, each in enumerate(operations)
        if index != head
    )


def _elastic(network: Network, operations: Sequence[Operations]) -> int:
    # their hooks see modules, and the ReLU ahead of the global pooling is a function there
    pooled = {source for layer in network.layers if isinstance(layer, AvgPool) for source in layer.sources}
    functions = {index for index in pooled if isinstance(network.layers[index], Activation)}
    single = sum(
        each.conv + each.linear + 2 * each.batch_norm + each.pool_input + (0 if index in functions else each.activation)
        for index, each in enumerate(operations)
    )
    return 2 * single


COUNTINGS: dict[str, Counting] = {
    counting.name: counting
    for counting in (
        Counting(
            "conv", "operation", "2 per multiply-add of convolution and connected layers", _weighed(conv=2, linear=2)
        ),
        Counting(
            "conv+maxpool",
            "operation",
            "2 per convolution multiply-add, 1 per tap of a pooling window: Darknet's BFLOPS of 2019, the README's",
            _weighed(conv=2, pool_taps=1),
        ),
        Counting(
            "conv+maxpool+shortcut",
            "operation",
            "the same and 1 per added shortcut element: Darknet's BFLOPS since January 2020",
            _weighed(conv=2, pool_taps=1, shortcut=1),
        ),
        Counting(
            "mac", "multiply-add", "multiply-adds of convolution and connected layers", _weighed(conv=1, linear=1)
        ),
        Counting(
            "fvcore",
            "flop",
            "fvcore's total: multiply-adds, 2 per batch-norm element, 1 per global pooling input and per element "
            "that an upsampling reads",
            _weighed(conv=1, blur=1, linear=1, batch_norm=2, global_pool_input=1, upsample=1),
        ),
        Counting(
            "thop",
            "operation",
            "thop on timm's modules: convolution multiply-adds, 1 per LeakyReLU element, C(hw + 1) for the global "
            "pooling; neither the classifier nor the batch norm fused with its activation",
            _thop,
        ),
        Counting(
            "mmcv",
            "flop",
            "mmcv's get_model_complexity_info: convolution multiply-adds, 2 per batch-norm element, 1 per activation "
            "and pooling input element; not the classifier",
            _mmcv,
        ),
        Counting(
            "sparsenet",
            "operation",
            "2 per multiply-add of convolution and connected layers, 2 per batch-norm element, 1 per pooling input "
            "element: the DenseNets of the SparseNet paper",
            _weighed(conv=2, linear=2, batch_norm=2, pool_input=1, global_pool_input=1),
        ),
        Counting(
            "elastic",
            "operation",
            "twice the ELASTIC authors' counter: a multiply-add, an activation and an element read by a pooling "
            "window as 1, a batch-norm element as 2; not the global pooling and the activation ahead of it",
            _elastic,
        ),
    )
}
"""Every counting of operations by name (docs: which published number used which)."""

PARAMETER_COUNTINGS: dict[str, str] = {
    "weights": "kernels of convolution and connected layers: no bias, no batch norm (the README's #Parameter)",
    "learnable": "everything training changes: kernels, biases, batch-norm scales, shortcut factors",
    "stored": "every number in the weight file: learnable and the batch-norm statistics",
}


def counting(name: str) -> Counting:
    """The counting of that name; raises `UsageError` for another."""
    if name not in COUNTINGS:
        raise UsageError(
            "usage.unknown-counting",
            f"unknown counting {name!r}",
            expected=f"one of {', '.join(COUNTINGS)}",
            remedy="Choose one with --counting",
        )
    return COUNTINGS[name]


def parameters(network: Network, rule: str) -> int:
    """The number of parameters under `weights`, `learnable` or `stored`, from the layer list alone."""
    arrays = [array for index in range(len(network.layers)) for array in network.weights(index)]
    if rule == "weights":
        return sum(array.size for array in arrays if array.role == "weight")
    if rule == "learnable":
        return sum(array.size for array in arrays if array.role not in ("mean", "variance"))
    return sum(array.size for array in arrays)


@dataclass(frozen=True)
class Count:
    """What a network was measured to have, by both counters alike."""

    network: Network
    operations: tuple[Operations, ...]
    """Of each layer, on one image of the network's input size."""
    parameters: dict[str, int]
    """By parameter counting."""

    def total(self, name: str) -> int:
        """Operations under a counting, as an exact integer."""
        return counting(name).total(self.network, self.operations)


def ledger(network: Network) -> Count:
    """The analytic count alone; no torch."""
    return Count(network, network.operations, {rule: parameters(network, rule) for rule in PARAMETER_COUNTINGS})


def count(network: Network, known: Known | None = None) -> Count:
    """Count a network twice, by ledger and by fvcore; raises `CountingError` at the first disagreement.

    `known` carries what fvcore counted in layers of other networks from one call to the next.
    """
    from cspbench.network.fvcore_counter import trace

    mine = ledger(network)
    traced, fvcore_total, traced_parameters = trace(network, known)
    for index, (formula, measured) in enumerate(zip(mine.operations, traced, strict=True)):
        for name in NAMES:
            _agree(f"{network.place(index)}, {name}", getattr(formula, name), getattr(measured, name))
    _agree(f"{network.name}, fvcore's total", mine.total("fvcore"), fvcore_total)
    for rule, found in traced_parameters.items():
        _agree(f"{network.name}, parameters ({rule})", mine.parameters[rule], found)
    return mine


def _agree(where: str, formula: int, measured: int) -> None:
    if formula != measured:
        raise CountingError(
            "count.disagree",
            "the analytic ledger and fvcore disagree",
            where=where,
            expected=f"{formula} by the ledger",
            found=f"{measured} by fvcore",
            remedy="One of the two counters is wrong: this is a defect of cspbench, please report it",
        )


def stored_bytes(network: Network) -> int:
    """Size of the network's Darknet weight file with today's 20-byte header, in bytes."""
    return 20 + 4 * parameters(network, "stored")
