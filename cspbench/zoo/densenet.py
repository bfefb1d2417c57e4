"""Darknet's DenseNet-201.

Sources: DenseNet (arXiv 1608.06993) and the cfg files of WongKinYiu/CrossStagePartialNetworks, to which these networks
are equal layer by layer. Darknet's DenseNet differs from the paper's: batch normalisation and a leaky ReLU follow each
convolution instead of preceding it, and the pools between the blocks are max pools.
"""

from __future__ import annotations

from cspbench.network.builder import Builder
from cspbench.network.layers import Loss
from cspbench.zoo.classifier import classifier
from cspbench.zoo.model import register

GROWTH = 32
"""Channels that a dense layer adds."""

BLOCKS = (6, 12, 48, 32)
"""Dense layers in each of DenseNet-201's four blocks, at strides 4 to 32."""

TRANSITIONS = (128, 256, 512)
"""Filters of the transitions between the blocks.

The first two halve their channels, as in the paper; the third reduces 1792 to 512 instead of 896, a peculiarity of the
published files (512 is half of the 1024 channels of DenseNet-121's third block).
"""


def dense_block(b: Builder, depth: int) -> None:
    """`depth` dense layers: a 1x1 to four times the growth and a 3x3 to the growth, concatenated before their input."""
    for _ in range(depth):
        entry = b.last
        b.conv(4 * GROWTH)
        new = b.conv(GROWTH, 3)
        b.route(new, entry)


@register("icfg-densenet201-leaky")
def densenet201(b: Builder) -> None:
    """DenseNet-201 of the activation comparison (icfg/densenet201-leaky.cfg), which classifies every pixel."""
    b.conv(64, 7, stride=2)
    b.maxpool(2)
    *between, last = BLOCKS
    for depth, filters in zip(between, TRANSITIONS, strict=True):
        dense_block(b, depth)
        b.conv(filters)
        b.maxpool(2)
    dense_block(b, last)
    classifier(b, pool_first=False)


@register("densenet201")
def densenet201_cost(b: Builder) -> None:
    """DenseNet-201 (densenet201.cfg), with the final [cost] layer of Darknet's files of the time."""
    densenet201(b)
    b.add(Loss(sources=(b.last,)))
