"""The elastic forms of CSPResNet-50 and CSPResNeXt-50: blocks that work at two resolutions.

Sources: ELASTIC (arXiv 1812.05262), as in the Darknet cfg file that gives each network its name; "-Elastic" is the
CSPNet authors' own split form, "+Elastic" that of ELASTIC, of which no file is known. The input must be a multiple of
64, so that upsampling restores the size of every pooled path.
"""

from __future__ import annotations

from functools import partial

from cspbench.network.builder import Builder
from cspbench.zoo.classifier import classifier
from cspbench.zoo.model import register
from cspbench.zoo.resnet import (
    CARDINALITY,
    CROSS_DEPTHS,
    EXPANSION,
    PARTS,
    WIDTHS,
    Block,
    bottleneck,
    cross_trunk,
    squeeze,
)

FIRST_PART2 = 128
"""Input width of part 2 in the first stage: the full width, not that of the stem."""


def elastic_bottleneck(b: Builder, filters: int, *, expansion: int, groups: int = 1, activation: str = "leaky") -> int:
    """A bottleneck split in two: half of the channels at full, half at half resolution, concatenated.

    Each path reads its own half of the input (in ELASTIC each reads all of it) and has half of the groups.
    """
    identity = b.last
    half, groups = filters // 2, max(1, groups // 2)
    b.route(identity, groups=2, group_id=0)
    full = squeeze(b, half, half // expansion, groups=groups, activation=activation)
    b.route(identity, groups=2, group_id=1)
    b.maxpool(2)
    squeeze(b, half, half // expansion, groups=groups, activation=activation)
    low = b.upsample()
    b.route(full, low)
    return b.shortcut(identity, activation=activation)


@register("csresnet50-elastic")
def csresnet50_elastic(b: Builder) -> None:
    """CSPResNet-50-Elastic (csresnet50-elastic.cfg).

    As published, the paths have no bottleneck (expansion 1 instead of 2), hence more weights than CSPResNet-50.
    """
    cross_trunk(b, partial(elastic_bottleneck, expansion=1), "leaky", transition_ratio=1, first_part2=FIRST_PART2)
    classifier(b)


PLUS_DEPTHS = (6, 8, 5, 3)
"""Blocks per stage of ELASTIC's ResNeXt-50."""


def plus_elastic_bottleneck(b: Builder, filters: int) -> int:
    """A bottleneck with two paths, at full and half resolution, which read all channels and give half of them each.

    As in ELASTIC, blocks of the last stage have one path.
    """
    if filters == EXPANSION * WIDTHS[-1] // PARTS:
        return bottleneck(b, filters, expansion=1, groups=CARDINALITY)
    identity = b.last
    half, groups = filters // 2, CARDINALITY // 2
    full = squeeze(b, half, half, groups=groups, activation="leaky")
    b.route(identity)
    b.local_avgpool(2)
    squeeze(b, half, half, groups=groups, activation="leaky")
    low = b.upsample()
    b.route(full, low)
    return b.shortcut(identity, activation="leaky")


@register("csresnext50-elastic", 256, partial(elastic_bottleneck, expansion=1, groups=CARDINALITY))
@register("csresnext50-plus-elastic", 256, plus_elastic_bottleneck, depths=PLUS_DEPTHS)
def csresnext50_elastic(b: Builder, block: Block, *, depths: tuple[int, ...] = CROSS_DEPTHS) -> None:
    """CSPResNeXt-50-Elastic (csresnext50-elastic.cfg): CSPResNeXt-50 with elastic blocks.

    The second is a stand-in for CSPResNeXt-50+Elastic, with ELASTIC's blocks and block counts.
    """
    cross_trunk(b, block, "leaky", transition_ratio=2, groups=CARDINALITY, first_part2=FIRST_PART2, depths=depths)
    classifier(b)
