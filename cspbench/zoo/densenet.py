"""Darknet's DenseNet-201.

Sources: DenseNet (arXiv 1608.06993) and the cfg files of WongKinYiu/CrossStagePartialNetworks, to which these networks
are equal layer by layer. Darknet's DenseNet differs from the paper's: batch normalisation and a leaky ReLU follow each
convolution instead of preceding it, and the pools between the blocks are max pools.
"""

from __future__ import annotations

from cspbench.network.builder import Builder
from cspbench.network.layers import Loss
from cspbench.zoo.model import register

BLOCKS = (6, 12, 48, 32)
"""Dense layers in each of DenseNet-201's four blocks, at strides 4 to 32."""

TRANSITIONS = (128, 256, 512)
"""Filters of the transitions between the blocks.

The first two halve their channels, as in the paper; the third reduces 1792 to 512 instead of 896, a peculiarity of the
published files (512 is half of the 1024 channels of DenseNet-121's third block).
"""


def dense_layer(b: Builder, growth: int, activation: str) -> int:
    """A 1x1 to four times the growth and a 3x3 to the growth, concatenated before the layer's input."""
    entry = b.last
    b.conv(4 * growth, activation=activation)
    new = b.conv(growth, 3, activation=activation)
    return b.route(new, entry)


def dense_block(b: Builder, depth: int, *, growth: int = 32, activation: str = "leaky") -> int:
    """`depth` dense layers, which add `depth * growth` channels."""
    for _ in range(depth):
        dense_layer(b, growth, activation)
    return b.last


def transition(b: Builder, filters: int, *, activation: str = "leaky") -> int:
    """A 1x1 that narrows the output of a dense block, and a max pool that halves the map."""
    b.conv(filters, activation=activation)
    return b.maxpool(2)


def densenet201_trunk(b: Builder, *, activation: str = "leaky") -> int:
    """Append DenseNet-201 without its classifier."""
    b.conv(64, 7, stride=2, activation=activation)
    b.maxpool(2)
    *between, last = BLOCKS
    for depth, filters in zip(between, TRANSITIONS, strict=True):
        dense_block(b, depth, activation=activation)
        transition(b, filters, activation=activation)
    return dense_block(b, last, activation=activation)


def dense_classifier(b: Builder, classes: int = 1000) -> int:
    """Append Darknet's older ImageNet head: a 1x1 with bias on every pixel, and then the mean."""
    b.conv(classes, activation="linear", batch_normalize=False)
    b.avgpool()
    return b.softmax()


@register("densenet201")
def densenet201(b: Builder) -> None:
    """DenseNet-201 (densenet201.cfg), with the final [cost] layer of Darknet's files of the time."""
    densenet201_trunk(b)
    b.add(Loss(sources=(dense_classifier(b),)))


@register("icfg-densenet201-leaky")
def icfg_densenet201_leaky(b: Builder) -> None:
    """DenseNet-201 of the activation comparison (icfg/densenet201-leaky.cfg): the same without [cost]."""
    densenet201_trunk(b)
    dense_classifier(b)
