"""MobileNet-v2 and CSPMobileNet-v2.

Sources: MobileNetV2 (arXiv 1801.04381), CSPNet (arXiv 1911.11929) and the cfg files of
WongKinYiu/CrossStagePartialNetworks, to which these networks are equal layer by layer. Unlike the paper, the files use
ReLU instead of ReLU6, and keep a 1x1 in the first block, whose expansion is 1.
"""

from __future__ import annotations

from collections.abc import Callable

from cspbench.network.builder import Builder
from cspbench.zoo.classifier import classifier
from cspbench.zoo.model import register

Runs = tuple[tuple[int, int], ...]
"""Filters and number of blocks of each run of equally wide blocks in a stage."""

STEM = 32
"""Filters of the first convolution."""

STAGES: tuple[tuple[int, int, Runs], ...] = (
    (1, 1, ((16, 1),)),
    (2, 6, ((24, 2),)),
    (2, 6, ((32, 3), (64, 4))),
    (2, 6, ((96, 3),)),
    (2, 6, ((160, 3), (320, 1))),
)
"""Stride, expansion and runs of each stage.

The second to last stride of 2 is at the blocks of 96 filters, but in the paper at those of 64: a peculiarity of the
published files.
"""


Stage = Callable[..., int]
"""`stage` or `csp_stage`."""


def depthwise(b: Builder, groups: int, stride: int = 1, *, multiplier: int = 1) -> int:
    """A 3x3 in `groups` groups, usually of one channel, with `multiplier` filters per group."""
    return b.conv(groups * multiplier, 3, stride=stride, groups=groups, activation="relu")


def inverted_residual(
    b: Builder, width: int, filters: int, *, stride: int = 1, expansion: int = 6, multiplier: int = 1
) -> int:
    """MobileNet-v2's block: expansion of `width` channels, a depthwise 3x3, and a linear projection to `filters`.

    With a `multiplier` of 2, half of the expansion happens in the depthwise convolution. The block is added to its
    entry if their shapes are equal.
    """
    entry = b.last
    expanded = width * expansion // multiplier
    b.conv(expanded, activation="relu")
    depthwise(b, expanded, stride, multiplier=multiplier)
    b.conv(filters, activation="linear")
    return b.shortcut(entry) if stride == 1 and filters == width else b.last


def stage(b: Builder, width: int, runs: Runs, *, stride: int, expansion: int, multiplier: int = 1) -> int:
    """A stage of MobileNet-v2; its first block has the stride."""
    for filters, depth in runs:
        for _ in range(depth):
            inverted_residual(b, width, filters, stride=stride, expansion=expansion, multiplier=multiplier)
            width, stride = filters, 1
    return width


def csp_stage(b: Builder, width: int, runs: Runs, *, stride: int, expansion: int) -> int:
    """The cross stage partial form of `stage`: its first 1x1 feeds two parts, and only part 2 passes the blocks.

    Every 1x1 has half of the expansion; in part 2, depthwise convolutions with two filters per channel have the other
    half, and part 1 is a single depthwise convolution with the stage's stride. There is no transition: the first 1x1 of
    the next stage reads the concatenation of part 2 and part 1.
    """
    (filters, depth), *others = runs
    if expansion == 1:
        # Without expansion the entry itself feeds both parts; in part 1 every two channels share a filter.
        entry = b.last
        part1 = depthwise(b, filters)
        b.route(entry)
        stage(b, width, runs, stride=stride, expansion=expansion)
    else:
        half = width * expansion // 2
        expanded = b.conv(half, activation="relu")
        part1 = depthwise(b, half, stride)
        b.route(expanded)
        depthwise(b, half, stride, multiplier=2)
        b.conv(filters, activation="linear")
        stage(b, filters, ((filters, depth - 1), *others), stride=1, expansion=expansion, multiplier=2)
    b.route(b.last, part1)
    return runs[-1][0]


@register("mobilenet-v2", 224, last=1280)
@register("csmobilenet-v2", 224, last=640, stage=csp_stage)
def mobilenet_v2(b: Builder, *, last: int, stage: Stage = stage) -> None:
    """MobileNet-v2, or with cross stage partial stages and half the `last` filters CSPMobileNet-v2."""
    b.conv(STEM, 3, stride=2, activation="relu")
    width = STEM
    for stride, expansion, runs in STAGES:
        width = stage(b, width, runs, stride=stride, expansion=expansion)
    b.conv(last, activation="relu")
    classifier(b)
