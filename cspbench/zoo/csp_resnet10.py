"""CSPResNet-10.

Sources: CSPNet (arXiv 1911.11929). No file was published; of 660,960 designs in the authors' habits, without exceptions
for a first or last stage, this is the only one that carries both published totals.
"""

from __future__ import annotations

from cspbench.network.builder import Builder
from cspbench.network.network import Network
from cspbench.zoo.classifier import classifier
from cspbench.zoo.model import register
from cspbench.zoo.resnet import basic, stem

PARTIALS = (64, 64, 128, 256)
"""Filters of each part: half the stage's, save that the first stage is not halved, as in the authors' other files."""


def cross_stage(b: Builder, filters: int, *, stride: int) -> int:
    """ResNet-10's stage of one basic block, cross stage partial; both parts halve the map for themselves.

    There is no bottleneck to save, so part 2 narrows in the block's first 3x3.
    """
    entry = b.last
    part1 = b.conv(filters)
    if stride > 1:
        part1 = b.maxpool(stride)
    b.route(entry)
    basic(b, filters, stride=stride)
    part2 = b.conv(filters)
    b.route(part2, part1)
    return b.conv(2 * filters)


@register("csresnet10")
def csresnet10() -> Network:
    """CSPResNet-10."""
    b = Builder("csresnet10")
    stem(b, "leaky")
    for at, filters in enumerate(PARTIALS):
        cross_stage(b, filters, stride=2 if at else 1)
    classifier(b)
    return b.network()
