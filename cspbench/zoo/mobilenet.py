"""MobileNet-v2, and MobileNet-v2 made cross stage partial.

Sources: MobileNetV2 (arXiv 1801.04381), CSPNet (arXiv 1911.11929) and the cfg files of
WongKinYiu/CrossStagePartialNetworks, which these networks equal layer by layer. The files use ReLU where the paper uses
ReLU6, and keep a 1x1 in the first block, whose expansion of 1 needs none.
"""

from __future__ import annotations

from typing import Protocol

from cspbench.network.builder import Builder
from cspbench.network.network import Network
from cspbench.zoo.classifier import classifier
from cspbench.zoo.model import register

Runs = tuple[tuple[int, int], ...]
"""Filters and number of blocks, for each run of equally wide blocks in a stage."""

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

The last halving but one stands before the blocks of 96, where the paper has it before those of 64: the published files'
oddity.
"""


class Stage(Protocol):
    """A kind of stage."""

    def __call__(self, b: Builder, width: int, runs: Runs, *, stride: int, expansion: int) -> int:
        """Append a stage after blocks of `width` filters; returns the filters of its own last blocks."""
        ...


def depthwise(b: Builder, groups: int, stride: int = 1, *, multiplier: int = 1) -> int:
    """A 3x3 with `multiplier` filters for each of `groups` equal parts of the channels, commonly one channel each."""
    return b.conv(groups * multiplier, 3, stride=stride, groups=groups, activation="relu")


def inverted_residual(
    b: Builder, width: int, filters: int, *, stride: int = 1, expansion: int = 6, multiplier: int = 1
) -> int:
    """MobileNet-v2's block: from `width` channels wide, through a depthwise 3x3, to `filters` with no activation.

    A `multiplier` of 2 leaves half of the expansion to the depthwise convolution. The block is added to its entry
    wherever the two have the same shape.
    """
    entry = b.last
    expanded = width * expansion // multiplier
    b.conv(expanded, activation="relu")
    depthwise(b, expanded, stride, multiplier=multiplier)
    b.conv(filters, activation="linear")
    return b.shortcut(entry) if stride == 1 and filters == width else b.last


def stage(b: Builder, width: int, runs: Runs, *, stride: int, expansion: int, multiplier: int = 1) -> int:
    """A stage of MobileNet-v2: its first block takes the stride."""
    for filters, depth in runs:
        for _ in range(depth):
            inverted_residual(b, width, filters, stride=stride, expansion=expansion, multiplier=multiplier)
            width, stride = filters, 1
    return width


def csp_stage(b: Builder, width: int, runs: Runs, *, stride: int, expansion: int) -> int:
    """The same stage, cross stage partial: its first 1x1 feeds two parts, and only part 2 passes the blocks.

    Every 1x1 widens by half of the expansion only. In part 2 the depthwise convolutions, two filters to a channel, do
    the other half; part 1 is one depthwise convolution with the stage's stride. There is no transition: the next
    stage's first 1x1 reads part 2 and part 1 side by side.
    """
    (filters, depth), *others = runs
    if expansion == 1:
        # Nothing is widened, so the entry itself feeds both parts; in part 1 every two channels share one filter.
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


def mobilenet_v2_trunk(b: Builder, *, last: int, stage: Stage = stage) -> int:
    """Append MobileNet-v2 without its classifier, in stages of either kind; `last` is the width of the final 1x1."""
    b.conv(STEM, 3, stride=2, activation="relu")
    width = STEM
    for stride, expansion, runs in STAGES:
        width = stage(b, width, runs, stride=stride, expansion=expansion)
    return b.conv(last, activation="relu")


@register("mobilenet-v2")
def mobilenet_v2() -> Network:
    """MobileNet-v2 (mobilenet-v2.cfg)."""
    b = Builder("mobilenet-v2", (3, 224, 224))
    mobilenet_v2_trunk(b, last=1280)
    classifier(b)
    return b.network()


@register("csmobilenet-v2")
def csmobilenet_v2() -> Network:
    """CSPMobileNet-v2 (csmobilenet-v2.cfg): MobileNet-v2 with cross stage partial stages and half of the final 1x1."""
    b = Builder("csmobilenet-v2", (3, 224, 224))
    mobilenet_v2_trunk(b, last=640, stage=csp_stage)
    classifier(b)
    return b.network()
