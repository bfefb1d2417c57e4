"""How fast a forward could be here: a network's operations and bytes over what this machine reaches at best."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, replace
from math import prod

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


def convolutions(network: Network) -> dict[tuple[Convolution, Shape], int]:
    """Every different convolution, by what it reads, and how often the network has it."""
    found: dict[tuple[Convolution, Shape], int] = {}
    for index, layer in enumerate(network.layers):
        if isinstance(layer, Convolution):
            key = (replace(layer, sources=(-1,)), network.inputs(index)[0])
            found[key] = found.get(key, 0) + 1
    return found


def alone(layer: Convolution, shape: Shape, times: int, batch: int, repeats: int) -> Alone:
    """Measure one convolution as it runs in a network: its batch norm folded, its activation fused."""
    network = Network("alone", shape, (layer,))
    module = to_module(network)
    for parameter in module.parameters():
        torch.nn.init.constant_(parameter, 0.01)
    engine = prepare(module, torch.device("cpu"))
    pixels = torch.rand(batch, *shape).contiguous(memory_format=torch.channels_last)
    seconds = medians({"alone": lambda: engine(pixels)}, repeats)["alone"]
    return Alone(layer, shape, times, 2 * network.operations[0].conv, seconds / batch)


def moved(network: Network, batch: int) -> int:
    """Bytes that a forward moves at least: every output written once and read once, every weight read once a batch."""
    maps = sum(prod(network.shape(index)) for index in range(len(network.layers)))
    weights = sum(weight.size for index in range(len(network.layers)) for weight in network.weights(index))
    return FLOAT * (2 * batch * maps + weights)


def floor(network: Network, batch: int, whole: float, forward: float, prepare_seconds: float, quick: bool) -> str:
    """The arithmetic, in words and a table.

    `whole` and `forward` are what was measured of the evaluation and of the network in it, `prepare_seconds` the
    processor's time to decode and prepare, all in seconds an image.
    """
    repeats = 1 if quick else 5
    peak = multiplying(256 if quick else 2048, repeats)
    bandwidth = copying(8 if quick else 512, repeats)
    operations = 2 * sum(each.conv + each.linear for each in network.operations)
    found = [alone(*key, times, batch, repeats) for key, times in convolutions(network).items()]
    together = sum(each.times * each.seconds for each in found)
    largest = max(found, key=lambda each: each.operations)
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
        f"{statistics.median(each.rate for each in found) / 1e9:.0f} in the median one, and copies "
        f"{bandwidth / 1e9:.1f} GB/s. The forward runs at {operations / forward / 1e9:.0f} GFLOP/s, "
        f"{100 * arithmetic / forward:.0f} % of the product's."
    )
    rate = faster("cspbench to its own convolutions", together / whole)
    target = judged(f"at least {100 * RATE:g} %", rate >= RATE)
    words += f" The evaluation has {100 * rate:.1f} % of the rate of its convolutions alone ({target})."
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
