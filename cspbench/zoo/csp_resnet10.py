"""CSPResNet-10.

Sources: CSPNet (arXiv 1911.11929). No file was published; of 660,960 designs in the authors' style, without exceptions
for a first or last stage, only this one has both published totals.
"""

from __future__ import annotations

from cspbench.network.builder import Builder
from cspbench.zoo.classifier import classifier
from cspbench.zoo.model import register
from cspbench.zoo.resnet import basic, stem

PARTIALS = (64, 64, 128, 256)
"""Filters of each part: half of the stage's, but all in the first stage, as in the authors' other files."""


def cross_stage(b: Builder, filters: int, *, stride: int) -> int:
    """A cross stage partial stage of one basic block; each part halves the map separately.

    Without a bottleneck, part 2 narrows in the first 3x3 of the block.
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
def csresnet10(b: Builder) -> None:
    """CSPResNet-10."""
    stem(b, "leaky")
    for index, filters in enumerate(PARTIALS):
        cross_stage(b, filters, stride=2 if index else 1)
    classifier(b)
