"""PeleeNet, and SparsePeleeNet, whose layers read fewer of the earlier ones.

Sources: Pelee (arXiv 1804.06882, Robert-JunWang/PeleeNet); SparseNet (arXiv 1801.05895) for the sparse form. In the
Darknet versions behind the tables, batch normalisation and activation follow each convolution, and the pools between
the stages are max pools (Darknet had only [maxpool] at the time, and its operations are in the published counts).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from cspbench.network.builder import Builder
from cspbench.zoo.classifier import classifier
from cspbench.zoo.efficientnet import squeeze_excite
from cspbench.zoo.model import register

GROWTH = 32
"""Channels that a dense layer adds."""

STEM = 32


class Stage(NamedTuple):
    """A dense block: number of layers, and width of the first 1x1 in each of their branches."""

    depth: int
    bottleneck: int


STAGES = (Stage(3, 16), Stage(4, 32), Stage(8, 64), Stage(6, 64))

Fetch = Callable[[Sequence[int]], Sequence[int]]
"""Selects the inputs of a dense block's next layer from the outputs so far, the block's input first."""


DenseLayer = Callable[..., int]
"""Appends a layer of a dense block, as `two_way` does; returns its last layer, which has only the new channels."""


def everything(outputs: Sequence[int]) -> Sequence[int]:
    """DenseNet's inputs: all outputs."""
    return outputs


def exponential(outputs: Sequence[int]) -> Sequence[int]:
    """SparseNet's inputs: the outputs 1, 2, 4, 8, ... back, oldest first."""
    back = [2**power for power in range(len(outputs).bit_length())]
    return [outputs[-step] for step in reversed(back) if step <= len(outputs)]


def stem(b: Builder, *, activation: str, pooled: int | None = None) -> int:
    """Pelee's stem, to 64 channels at stride 4: a max pool, and a narrow 1x1 with a strided 3x3, concatenated.

    `pooled` adds a 1x1 of so many filters after the pool.
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
    """Pelee's dense layer: half of the growth from two consecutive 3x3, half from one, each after a bottleneck 1x1.

    `branches` are the numbers of 3x3 per branch in the order of the channels: the deeper branch first, as in Figure 7
    of the CSPNet paper.
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
    """`two_way` with squeeze and excitation of its 32 channels, squeezed to half.

    The placement in the published networks is unknown: of 225 placements and ratios, 18 match both published totals,
    and this is the simplest.
    """
    two_way(b, bottleneck, activation=activation)
    return squeeze_excite(b, GROWTH, GROWTH // 2)


def dense_block(
    b: Builder, depth: int, bottleneck: int, *, activation: str, layer: DenseLayer = two_way, fetch: Fetch = everything
) -> int:
    """`depth` dense layers, whose inputs `fetch` selects; returns the concatenation of input and all outputs."""
    outputs = [b.last]
    for _ in range(depth):
        inputs = fetch(outputs)
        if tuple(inputs) != (b.last,):
            b.route(*inputs)
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
    """Append PeleeNet without its classifier; returns the transitions with strides 8, 16 and 32, before their pools.

    `pool` halves the map between stages.
    """
    stem(b, activation=activation)
    b.conv(STEM, activation=activation)
    width, ends = STEM, []
    for index, (depth, bottleneck) in enumerate(STAGES):
        if index:
            pool(b, 2)
        dense_block(b, depth, bottleneck, activation=activation, layer=layer, fetch=fetch)
        width += depth * GROWTH
        ends.append(b.conv(width, activation=activation))
    return ends[1], ends[2], ends[3]


@register("peleenet", 224)
@register("peleenet-swish", 224, activation="swish")
@register("peleenet-mish", 224, activation="mish")
@register("peleenet-swish-se", 224, activation="swish", layer=two_way_se)
@register("sparsepeleenet", 224, fetch=exponential)
def peleenet(b: Builder, *, activation: str = "leaky", layer: DenseLayer = two_way, fetch: Fetch = everything) -> None:
    """PeleeNet; -se has squeeze and excitation in every dense layer.

    In sparsepeleenet the dense layers read only the outputs 1, 2, 4, 8, ... back; transitions read all outputs.
    """
    pelee_trunk(b, activation=activation, layer=layer, fetch=fetch)
    classifier(b)
