"""DenseNet-201 as Darknet has it.

Sources: DenseNet (arXiv 1608.06993) and the cfg files of WongKinYiu/CrossStagePartialNetworks, which these networks
equal layer by layer. Darknet's DenseNet is not the paper's: every convolution is followed by its batch normalisation
and a leaky ReLU instead of preceded by them, and all pooling between the blocks is by maximum.
"""

from __future__ import annotations

from cspbench.network.builder import Builder
from cspbench.network.layers import Loss
from cspbench.network.network import Network
from cspbench.zoo.model import register

BLOCKS = (6, 12, 48, 32)
"""Dense layers in each of DenseNet-201's four blocks, at strides 4 to 32."""

TRANSITIONS = (128, 256, 512)
"""Filters of the transitions between the blocks.

The first two halve their channels, as the paper does; the third takes 1792 to 512, not 896: the published files' oddity
(512 halves the 1024 channels of DenseNet-121's third block).
"""


def dense_layer(b: Builder, growth: int, activation: str) -> int:
    """A 1x1 to four times the growth and a 3x3 to the growth, put before all that the layer read."""
    entry = b.last
    b.conv(4 * growth, activation=activation)
    new = b.conv(growth, 3, activation=activation)
    return b.route(new, entry)


def dense_block(b: Builder, depth: int, *, growth: int = 32, activation: str = "leaky") -> int:
    """`depth` dense layers: the channels grow by `depth * growth`."""
    for _ in range(depth):
        dense_layer(b, growth, activation)
    return b.last


def transition(b: Builder, filters: int, *, activation: str = "leaky") -> int:
    """A 1x1 that narrows what a dense block has gathered, then a map of half the size."""
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
    """Append Darknet's older ImageNet head: a 1x1 with bias at every place of the map, and only then their mean."""
    b.conv(classes, activation="linear", batch_normalize=False)
    b.avgpool()
    return b.softmax()


@register("densenet201")
def densenet201() -> Network:
    """DenseNet-201 (densenet201.cfg), with the [cost] layer that Darknet's files ended in at the time."""
    b = Builder("densenet201", (3, 256, 256))
    densenet201_trunk(b)
    b.add(Loss(sources=(dense_classifier(b),)))
    return b.network()


@register("icfg-densenet201-leaky")
def icfg_densenet201_leaky() -> Network:
    """The activation comparison's DenseNet-201 with leaky ReLU (icfg/densenet201-leaky.cfg): no [cost], else equal."""
    b = Builder("icfg-densenet201-leaky", (3, 256, 256))
    densenet201_trunk(b)
    dense_classifier(b)
    return b.network()
