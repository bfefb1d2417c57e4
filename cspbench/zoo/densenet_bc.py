"""DenseNets that normalise and activate before they convolve: DenseNet-264-32, and the ELASTIC ones.

Sources: DenseNet (arXiv 1608.06993) and SparseNet (1801.05895) for the first, ELASTIC (1812.05262, allenai/elastic) for
DenseNet-201+Elastic; CSPDenseNet-201+Elastic was never described and is a stand-in. They were published as torch and
TensorFlow networks: convolutions have no bias and no batch normalisation, since every later layer normalises the whole
concatenation again.
"""

from __future__ import annotations

from collections.abc import Callable

from cspbench.network.builder import Builder
from cspbench.zoo.classifier import logits
from cspbench.zoo.model import register
from cspbench.zoo.partial import GAMMA, sliced_parts

GROWTH = 32
STEM = 64


DenseLayer = Callable[..., int]
"""Appends a layer of a dense block, with `low` also its path at half resolution, if any; returns the new channels."""


def normalised(b: Builder) -> int:
    """Batch normalisation and ReLU, before a convolution."""
    b.batchnorm()
    return b.activation("relu")


def bare(b: Builder, filters: int, size: int = 1) -> int:
    """A convolution without bias, batch normalisation and activation."""
    return b.conv(filters, size, activation="linear", batch_normalize=False, bias=False)


def plain_layer(b: Builder, *, low: bool = False) -> int:
    """DenseNet-BC's layer: a 1x1 to four times the growth and a 3x3 to the growth, each on a normalised map."""
    normalised(b)
    b.conv(4 * GROWTH, activation="relu")  # its batch norm and ReLU are those before the 3x3
    return bare(b, GROWTH, 3)


def elastic_layer(b: Builder, *, low: bool) -> int:
    """ELASTIC's layer: two half-wide layers on one normalised map, the second at half resolution; returns their sum."""
    entry = normalised(b)
    b.conv(2 * GROWTH, activation="relu")
    full = bare(b, GROWTH, 3)
    b.route(entry)
    if low:
        b.local_avgpool(2)
    b.conv(2 * GROWTH, activation="relu")
    bare(b, GROWTH, 3)
    if low:
        b.upsample(bilinear=True)
    return b.shortcut(full)


def dense_block(b: Builder, depth: int, layer: DenseLayer, *, low: bool) -> int:
    """`depth` layers, each reading the block's input and all earlier layers."""
    for _ in range(depth):
        entry = b.last
        b.route(entry, layer(b, low=low))
    return b.last


def stem(b: Builder) -> int:
    """A 7x7/2 convolution and an overlapping max pool, to stride 4."""
    b.conv(STEM, 7, stride=2, activation="relu")
    return b.maxpool(3, 2)


def transition(b: Builder, filters: int) -> int:
    """A 1x1 on a normalised map."""
    normalised(b)
    return bare(b, filters)


ELASTIC_DEPTHS = (10, 20, 40, 30)
"""Dense layers of the ELASTIC authors' DenseNet-201."""


# DenseNet-264 with a fourth block of 32 layers instead of 48
@register("densenet264-32", 224, (6, 12, 64, 32), plain_layer)
# densenet201_elastic of allenai/elastic
@register("densenet201-plus-elastic", 224, ELASTIC_DEPTHS, elastic_layer)
def densenet(b: Builder, depths: tuple[int, ...], layer: DenseLayer) -> None:
    """DenseNet-BC: transitions halve the channels; layers of the last block have no path at half resolution."""
    stem(b)
    width = STEM
    for index, depth in enumerate(depths):
        if index:
            width //= 2
            transition(b, width)
            b.local_avgpool(2)
        dense_block(b, depth, layer, low=index < len(depths) - 1)
        width += depth * GROWTH
    normalised(b)
    logits(b)


def csp_stage(b: Builder, width: int, depth: int, *, gamma: float = GAMMA, last: bool) -> int:
    """A stage over `width` channels with a dense block on part 2; returns the number of its output channels.

    "Fusion last": after the pool, the only transition reduces the block's output so that both parts together have half
    of their channels, and part 1 is concatenated unchanged. The `last` stage has no pool and no path at half
    resolution, and does not halve the channels.
    """
    part1 = round(gamma * width)
    bypass, _ = sliced_parts(b, gamma)
    block = dense_block(b, depth, elastic_layer, low=not last)
    gathered = width - part1 + depth * GROWTH
    fused = gathered if last else (part1 + gathered) // 2
    if not last:
        b.route(bypass)
        bypass = b.local_avgpool(2)
        b.route(block)
        b.local_avgpool(2)
    b.route(bypass, transition(b, fused))
    return part1 + fused


@register("cspdensenet201-plus-elastic", 224)
def cspdensenet201_plus_elastic(b: Builder, *, gamma: float = GAMMA) -> None:
    """A stand-in for CSPDenseNet-201+Elastic: the same layers on part of each stage's channels, with fusion last."""
    stem(b)
    width = STEM
    for index, depth in enumerate(ELASTIC_DEPTHS):
        width = csp_stage(b, width, depth, gamma=gamma, last=index == len(ELASTIC_DEPTHS) - 1)
    normalised(b)
    logits(b)
