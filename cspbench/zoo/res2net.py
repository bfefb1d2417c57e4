"""Res2NetLite-72.

Sources: Res2Net (arXiv 1904.01169) and res2netlite72.cfg of WongKinYiu/CrossStagePartialNetworks, to which this network
is equal layer by layer. The Lite design has no stage at stride 4, and halves maps in a plain bottleneck without a
shortcut.
"""

from __future__ import annotations

from cspbench.network.builder import Builder
from cspbench.zoo.classifier import classifier
from cspbench.zoo.model import register

STAGES = ((72, 3), (144, 7), (288, 3))
"""Width of a slice and number of Res2Net blocks in each stage, at strides 8 to 32."""

SCALE = 4
"""Slices per block."""

CARDINALITY = 2
"""Groups per 3x3."""


def res2net_block(b: Builder, width: int, *, scale: int, cardinality: int) -> int:
    """A bottleneck with a 3x3 for each of `scale` slices of `width` channels.

    The first slice is unchanged; from the third on, the output of the previous slice is added before the 3x3.
    """
    entry = b.last
    features = b.conv(scale * width)
    slices = [b.route(features, groups=scale, group_id=0)]
    for index in range(1, scale):
        b.route(features, groups=scale, group_id=index)
        if index > 1:
            b.shortcut(slices[-1])
        slices.append(b.conv(width, 3, groups=cardinality))
    b.route(*slices)
    b.conv(scale * width)
    return b.shortcut(entry)


def downsample(b: Builder, width: int, *, scale: int, cardinality: int) -> int:
    """A bottleneck of stride 2 to `scale * width` filters, without a shortcut."""
    b.conv(width)
    b.conv(width, 3, stride=2, groups=cardinality)
    return b.conv(scale * width)


def res2netlite72_trunk(b: Builder, *, scale: int = SCALE, cardinality: int = CARDINALITY) -> tuple[int, int, int]:
    """Append Res2NetLite-72 without its classifier; returns the last layers of its stages, at strides 8, 16 and 32."""
    b.conv(32, 3, stride=2)
    b.maxpool(3, 2)
    ends = []
    for width, depth in STAGES:
        downsample(b, width, scale=scale, cardinality=cardinality)
        for _ in range(depth):
            res2net_block(b, width, scale=scale, cardinality=cardinality)
        ends.append(b.last)
    return ends[0], ends[1], ends[2]


@register("res2netlite72", 224)
def res2netlite72(b: Builder, *, scale: int = SCALE, cardinality: int = CARDINALITY) -> None:
    """Res2NetLite-72 (res2netlite72.cfg), with 72 channels per slice in the first stage."""
    res2netlite72_trunk(b, scale=scale, cardinality=cardinality)
    classifier(b)
