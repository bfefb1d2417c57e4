"""PeleeNet, and SparsePeleeNet, which reads fewer of its earlier layers.

Sources: Pelee (arXiv 1804.06882, Robert-JunWang/PeleeNet); SparseNet (arXiv 1801.05895) for the sparse form. In the
Darknet spelling of their reporters every convolution is followed by its batch normalisation and its activation, and the
pools between the stages are by maximum (only [maxpool] was there when the numbers were published, and it is counted).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from cspbench.network.builder import Builder
from cspbench.network.network import Network
from cspbench.zoo.classifier import classifier
from cspbench.zoo.efficientnet import squeeze_excite
from cspbench.zoo.model import register

GROWTH = 32
"""Channels that a dense layer adds."""

STEM = 32


class Stage(NamedTuple):
    """A dense block: its layers, and the width of the 1x1 that opens each of their branches."""

    depth: int
    bottleneck: int


STAGES = (Stage(3, 16), Stage(4, 32), Stage(8, 64), Stage(6, 64))

Fetch = Callable[[Sequence[int]], Sequence[int]]
"""Which of a dense block's outputs so far, the block's input first, its next layer reads."""


class DenseLayer(Protocol):
    """A layer of a dense block, between one concatenation and the next."""

    def __call__(self, b: Builder, bottleneck: int, *, activation: str) -> int:
        """Append it; returns its last layer, the block's new channels alone."""


def everything(outputs: Sequence[int]) -> Sequence[int]:
    """DenseNet's choice: all that was computed."""
    return outputs


def exponential(outputs: Sequence[int]) -> Sequence[int]:
    """SparseNet's choice: the outputs 1, 2, 4, 8, ... back, oldest first."""
    back = [2**power for power in range(len(outputs).bit_length())]
    return [outputs[-step] for step in reversed(back) if step <= len(outputs)]


def stem(b: Builder, *, activation: str, pooled: int | None = None) -> int:
    """Pelee's stem, to 64 channels at stride 4: a max pool beside a strided 3x3 over a narrow 1x1, concatenated.

    `pooled` puts a 1x1 of so many filters behind the pool.
    """
    entry = b.conv(STEM, 3, stride=2, activation=activation)
    pool = b.maxpool(2)
    if pooled is not None:
        pool = b.conv(pooled, activation=activation)
    b.route(entry)
    b.conv(STEM // 2, activation=activation)
    strided = b.conv(STEM, 3, stride=2, activation=activation)
    return b.route(pool, strided)


def two_way(
    b: Builder, bottleneck: int, *, activation: str, growth: int = GROWTH, branches: Sequence[int] = (2, 1)
) -> int:
    """Pelee's dense layer: half of the growth from two 3x3 in a row, half from one; each branch opens narrow.

    `branches` are the 3x3 of each in the order of the channels: as Figure 7 of the CSPNet paper draws its own network,
    the deeper one comes first.
    """
    entry = b.last
    ends: list[int] = []
    for depth in branches:
        if ends:
            b.route(entry)
        b.conv(bottleneck, activation=activation)
        for _ in range(depth):
            b.conv(growth // 2, 3, activation=activation)
        ends.append(b.last)
    return b.route(*ends)


def two_way_se(b: Builder, bottleneck: int, *, activation: str) -> int:
    """The same with squeeze and excitation over its 32 channels, squeezed to half.

    Where the rows with SE have theirs is not known: of 225 placements and ratios tried 18 carry both published
    totals, and this is the plainest of them.
    """
    two_way(b, bottleneck, activation=activation)
    return squeeze_excite(b, GROWTH, GROWTH // 2)


def dense_block(
    b: Builder,
    depth: int,
    bottleneck: int,
    *,
    activation: str,
    layer: DenseLayer = two_way,
    fetch: Fetch = everything,
) -> int:
    """`depth` dense layers, each reading what `fetch` chooses; all of their outputs and the input, concatenated."""
    outputs = [b.last]
    for _ in range(depth):
        chosen = fetch(outputs)
        if tuple(chosen) != (b.last,):
            b.route(*chosen)
        outputs.append(layer(b, bottleneck, activation=activation))
    return b.route(*outputs)


def pelee_trunk(
    b: Builder,
    *,
    activation: str = "leaky",
    layer: DenseLayer = two_way,
    fetch: Fetch = everything,
    pool: Callable[[Builder, int], int] = Builder.maxpool,
) -> tuple[int, int, int]:
    """Append PeleeNet without its classifier; the transitions with strides 8, 16 and 32, before their pools.

    `pool` halves a map between two stages.
    """
    stem(b, activation=activation)
    b.conv(STEM, activation=activation)
    width, ends = STEM, []
    for at, (depth, bottleneck) in enumerate(STAGES):
        if at:
            pool(b, 2)
        dense_block(b, depth, bottleneck, activation=activation, layer=layer, fetch=fetch)
        width += depth * GROWTH
        ends.append(b.conv(width, activation=activation))
    return ends[1], ends[2], ends[3]


def _network(name: str, *, activation: str, layer: DenseLayer = two_way, fetch: Fetch = everything) -> Network:
    b = Builder(name, (3, 224, 224))
    pelee_trunk(b, activation=activation, layer=layer, fetch=fetch)
    classifier(b)
    return b.network()


@register("peleenet")
@register("peleenet-swish", "swish", "peleenet-swish")
@register("peleenet-mish", "mish", "peleenet-mish")
def peleenet(activation: str = "leaky", name: str = "peleenet") -> Network:
    """PeleeNet."""
    return _network(name, activation=activation)


@register("peleenet-swish-se")
def peleenet_swish_se() -> Network:
    """PeleeNet with swish and squeeze and excitation in every dense layer."""
    return _network("peleenet-swish-se", activation="swish", layer=two_way_se)


@register("sparsepeleenet")
def sparsepeleenet() -> Network:
    """PeleeNet whose dense layers read only the outputs 1, 2, 4, 8, ... back; the transitions still read all."""
    return _network("sparsepeleenet", activation="leaky", fetch=exponential)
