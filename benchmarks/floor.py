"""How fast a forward could be here: a network's operations and bytes over what this machine reaches at best."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from operator import mul

import torch

from benchmarks.measuring import faster, in_turns, judged, medians, table
from cspbench.inference.engine import prepare
from cspbench.network.layers import Convolution, Shape
from cspbench.network.module import to_module
from cspbench.network.network import Network

FLOAT = 4
"""Bytes."""
RATE = 0.9
"""Of the rate of the convolutions alone, at least, of the whole evaluation."""


def multiplying(size: int, repeats: int) -> float:
    """Operations per second (2 per multiply-add) of the best of some products of two (size, size) matrices."""
    one, other = torch.rand(size, size), torch.rand(size, size)
    out = torch.empty(size, size)
    seconds = in_turns({"product": lambda: torch.mm(one, other, out=out)}, repeats + 1)["product"][1:]
    return 2 * size**3 / min(seconds)


def copying(megabytes: int, repeats: int) -> float:
    """Bytes per second, read and written, of the best of some copies of an array that no cache holds."""
    source = torch.rand(megabytes * 10**6 // FLOAT)
    target = torch.empty_like(source)
    seconds = in_turns({"copy": lambda: target.copy_(source)}, repeats + 1)["copy"][1:]
    return 2 * FLOAT * source.numel() / min(seconds)


@dataclass(frozen=True)
class Alone:
    """A convolution, as it was measured without the others."""

    layer: Convolution
    shape: Shape
    """What it reads."""
    times: int
    """How often the network has it."""
    operations: int
    seconds: float
    """Of an image."""

    @property
    def rate(self) -> float:
        """Operations per second."""
        return self.operations / self.seconds

    def __str__(self) -> str:
        return (
            f"{self.layer.size}x{self.layer.size} to {self.layer.filters} filters on {'x'.join(map(str, self.shape))}"
        )


@dataclass(frozen=True)
class Turn:
    """What was measured one after the other, in seconds an image."""

    whole: float
    """The evaluation, end to end."""
    forward: float
    """The network in it."""
    alone: Sequence[float]
    """Each of `convolutions` by itself."""


def convolutions(network: Network) -> dict[tuple[Convolution, Shape], int]:
    """Every different convolution, by what it reads, and how often the network has it."""
    found: dict[tuple[Convolution, Shape], int] = {}
    for index, layer in enumerate(network.layers):
        if isinstance(layer, Convolution):
            key = (replace(layer, sources=(-1,)), network.inputs(index)[0])
            found[key] = found.get(key, 0) + 1
    return found


def alone(network: Network, batch: int, repeats: int) -> list[float]:
    """Seconds an image of each of `convolutions`, measured one after the other as it runs in the network."""
    return [_alone(layer, shape, batch, repeats) for layer, shape in convolutions(network)]


def _alone(layer: Convolution, shape: Shape, batch: int, repeats: int) -> float:
    """One convolution with its batch norm folded and its activation fused."""
    network = Network("alone", shape, (layer,))
    module = to_module(network)
    for parameter in module.parameters():
        torch.nn.init.constant_(parameter, 0.01)
    engine = prepare(module, torch.device("cpu"))
    pixels = torch.rand(batch, *shape).contiguous(memory_format=torch.channels_last)
    return medians({"alone": lambda: engine(pixels)}, repeats)["alone"] / batch


def moved(network: Network, batch: int) -> int:
    """Bytes that a forward moves at least: every output written once and read once, every weight read once a batch."""
    maps = sum(prod(network.shape(index)) for index in range(len(network.layers)))
    weights = sum(weight.size for index in range(len(network.layers)) for weight in network.weights(index))
    return FLOAT * (2 * batch * maps + weights)


def collected(network: Network, turns: Sequence[Sequence[float]]) -> list[Alone]:
    """The convolutions of a network with the medians of what `alone` measured in every turn."""
    return [
        Alone(layer, shape, times, 2 * Network("alone", shape, (layer,)).operations[0].conv, statistics.median(seconds))
        for ((layer, shape), times), *seconds in zip(convolutions(network).items(), *turns, strict=True)
    ]


def floor(network: Network, batch: int, turns: Sequence[Turn], prepare_seconds: float, quick: bool) -> str:
    """The arithmetic, in words and a table.

    `prepare_seconds` is the processor's time to decode and prepare an image. The rate of the evaluation to its
    convolutions is the median of the turns', so that a machine that gets slower meanwhile slows both.
    """
    whole, forward = statistics.median(turn.whole for turn in turns), statistics.median(turn.forward for turn in turns)
    repeats = 1 if quick else 5
    peak = multiplying(256 if quick else 2048, repeats)
    bandwidth = copying(8 if quick else 512, repeats)
    operations = 2 * sum(each.conv + each.linear for each in network.operations)
    parts = collected(network, [turn.alone for turn in turns])
    sums = [sum(map(mul, convolutions(network).values(), turn.alone)) for turn in turns]
    together = statistics.median(sums)
    largest = max(parts, key=lambda each: each.operations)
    bytes_moved = moved(network, batch) / batch
    arithmetic, memory = operations / peak, bytes_moved / bandwidth
    rows = (
        ("operations at the rate of a matrix product", arithmetic),
        ("bytes at the rate of a copy", memory),
        ("its convolutions, one by one", together),
        ("the forward, measured", forward),
        ("the evaluation, end to end", whole),
        ("decoding and preparing, on one core", prepare_seconds),
    )
    times = table(
        ("of an image", "ms", "share of the forward"),
        [[words, f"{1000 * seconds:.1f}", f"{seconds / forward:.2f}"] for words, seconds in rows],
    )
    words = (
        f"An image takes {operations / 1e9:.2f} billion operations (2 a multiply-add) in {len(network.layers)} layers "
        f"and moves at least {bytes_moved / 1e6:.0f} MB (each map written and read once, the weights once a batch of "
        f"{batch}). With {torch.get_num_threads()} threads this machine reaches {peak / 1e9:.0f} GFLOP/s in fp32 in a "
        f"matrix product, {largest.rate / 1e9:.0f} in the convolution with the most operations ({largest}), "
        f"{statistics.median(each.rate for each in parts) / 1e9:.0f} in the median one, and copies "
        f"{bandwidth / 1e9:.1f} GB/s. The forward runs at {operations / forward / 1e9:.0f} GFLOP/s, "
        f"{100 * arithmetic / forward:.0f} % of the product's."
    )
    rates = [one / turn.whole for one, turn in zip(sums, turns, strict=True)]
    rate = faster("cspbench to its own convolutions", statistics.median(rates))
    target = judged(f"at least {100 * RATE:g} %", rate >= RATE)
    words += (
        f" The evaluation has {100 * rate:.1f} % of the rate of its convolutions alone ({target}), the median of "
        f"{', '.join(f'{100 * one:.1f}' for one in rates)} %, each of an evaluation and convolutions measured in turns."
    )
    return f"{words}\n\n{times}\n\n{bound(arithmetic, memory, together, forward, prepare_seconds)}"


def bound(arithmetic: float, memory: float, together: float, forward: float, prepared: float) -> str:
    """What holds the evaluation up, and what could still be had; seconds an image."""
    if prepared > forward:
        by = "decoding on one core; more processes (-j) help until the forward takes longer"
    else:
        by = f"{'arithmetic' if arithmetic > memory else 'memory'}, in the forward"
    best = max(1.0, forward / max(arithmetic, memory))
    rest = forward - together
    beside = (
        f"what the forward does beside its convolutions (joins, shortcuts, pools) is {100 * rest / forward:.0f} % of "
        f"it: without faster convolutions it cannot become more than {forward / together:.2f} times as fast"
        if rest > 0
        else "its convolutions alone take as long as the forward, so that only faster ones could make it faster"
    )
    return (
        f"The evaluation is bound by {by}. At the rate of the matrix product and of the copy a forward with these "
        f"operations would be {best:.2f} times as fast: that is the floor of convolutions that multiply directly, "
        f"whose operations are counted here (Winograd's need fewer). As it is, {beside}."
    )
