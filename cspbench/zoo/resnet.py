"""ResNet and ResNeXt on ImageNet, and their cross stage partial forms.

Sources: ResNet (arXiv 1512.03385), ResNeXt (1611.05431), CSPNet (1911.11929), each as in the Darknet cfg file that
gives the network its name, if there is one.

Darknet's shortcut adds the channels and pixels that fit, so its files have no projections: where a stage widens or
halves the map, the identity contributes its first channels at every other pixel. The ResNet-152 quoted from another
paper has projections, and therefore another name than the file.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from cspbench.network.builder import Builder
from cspbench.network.layers import Loss
from cspbench.zoo.classifier import classifier, logits
from cspbench.zoo.model import register

CARDINALITY = 32
WIDTHS = (64, 128, 256, 512)
"""Stage widths of ResNet; bottleneck stages are EXPANSION times as wide."""
EXPANSION = 4
DEPTHS = (3, 4, 6, 3)
PARTS = 2
"""Parts of a cross stage: part 1, half of the filters, bypasses the blocks; part 2 is the other half."""
CROSS_DEPTHS = (3, 3, 5, 2)
"""Blocks per cross stage; from the second on, the downsampling convolution replaces the first block of DEPTHS."""

Block = Callable[..., int]
"""Appends a residual block with the given output filters, some also with `stride=2`; returns its last layer."""


def stem(b: Builder, activation: str, *, pool: int = 2) -> int:
    """A 7x7/2 convolution and a max pool, to stride 4."""
    b.conv(WIDTHS[0], 7, stride=2, activation=activation)
    return b.maxpool(pool, 2)


def basic(b: Builder, filters: int, *, stride: int = 1, activation: str = "leaky") -> int:
    """Two 3x3 convolutions plus the identity, and an activation."""
    identity = b.last
    b.conv(filters, 3, stride=stride, activation=activation)
    b.conv(filters, 3, activation="linear")
    return b.shortcut(identity, activation=activation)


def bottleneck(
    b: Builder, filters: int, *, expansion: int, stride: int = 1, groups: int = 1, activation: str = "leaky"
) -> int:
    """1x1, 3x3 of filters / expansion, 1x1, plus the identity, and an activation."""
    identity = b.last
    squeeze(b, filters, filters // expansion, stride=stride, groups=groups, activation=activation)
    return b.shortcut(identity, activation=activation)


def squeeze(b: Builder, filters: int, width: int, *, stride: int = 1, groups: int, activation: str) -> int:
    """The three convolutions of a bottleneck: 1x1 and 3x3 to `width`, linear 1x1 to `filters`."""
    b.conv(width, activation=activation)
    b.conv(width, 3, stride=stride, groups=groups, activation=activation)
    return b.conv(filters, activation="linear")


def projected(b: Builder, filters: int, *, stride: int = 1, activation: str = "relu") -> int:
    """The first bottleneck of a stage in the paper's ResNet, with a linear 1x1 in place of the identity.

    The first 1x1 has the stride, as in the paper; in later implementations the 3x3 has it.
    """
    entry, width = b.last, filters // EXPANSION
    b.conv(width, stride=stride, activation=activation)
    b.conv(width, 3, activation=activation)
    residual = b.conv(filters, activation="linear")
    b.route(entry)
    b.conv(filters, stride=stride, activation="linear")
    return b.shortcut(residual, activation=activation)


def cross_stage(
    b: Builder,
    block: Block,
    filters: int,
    *,
    depth: int,
    part2: int,
    transition: int,
    part_activation: str,
    activation: str,
) -> int:
    """A cross stage partial stage: part 1 bypasses the blocks, part 2 passes through them, then both are merged.

    Both parts are 1x1 convolutions of the stage's input with `part_activation`, part 1 to `filters` channels, part 2 to
    `part2`. Part 2 ends in a 1x1; the transition after the concatenation has `transition` filters.
    """
    entry = b.last
    part1 = b.conv(filters, activation=part_activation)
    b.route(entry)
    b.conv(part2, activation=part_activation)
    for _ in range(depth):
        block(b, filters)
    b.conv(filters, activation=activation)
    b.route(b.last, part1)
    return b.conv(transition, activation=activation)


def residual_trunk(
    b: Builder,
    block: Block,
    activation: str,
    *,
    depths: tuple[int, ...] = DEPTHS,
    expansion: int = EXPANSION,
    opening: Block | None = None,
    pool: int = 2,
) -> int:
    """Append a stem and four residual stages of `block`; `opening` replaces the first, which halves the later maps."""
    stem(b, activation, pool=pool)
    for stage, (width, depth) in enumerate(zip(WIDTHS, depths, strict=True)):
        stride = 2 if stage > 0 else 1
        (opening or block)(b, expansion * width, stride=stride)
        for _ in range(1, depth):
            block(b, expansion * width)
    return b.last


def cross_trunk(
    b: Builder,
    block: Block,
    activation: str,
    *,
    transition_ratio: int,
    groups: int = 1,
    first_part2: int = WIDTHS[0],
    depths: tuple[int, ...] = CROSS_DEPTHS,
) -> tuple[int, int, int]:
    """Append a stem and four cross stages; returns the last layers of the stages with strides 8, 16 and 32.

    Each part has half of the filters of the residual stage; transitions have `transition_ratio` times those of a part.
    Between stages a 3x3/2 convolution in `groups`, as wide as its input, halves the map. `first_part2` is the input
    width of part 2 in the first stage: in most published files that of the stem, half of the first block's filters.
    """
    stem(b, activation)
    ends = []
    for stage, (width, depth) in enumerate(zip(WIDTHS, depths, strict=True)):
        filters = EXPANSION * width // PARTS
        if stage > 0:
            b.conv(transition_ratio * filters // 2, 3, stride=2, groups=groups, activation=activation)
        ends.append(
            cross_stage(
                b,
                block,
                filters,
                depth=depth,
                part2=filters if stage > 0 else first_part2,
                transition=transition_ratio * filters,
                # As in the published files, only the two middle stages have linear parts.
                part_activation="linear" if stage in (1, 2) else activation,
                activation=activation,
            )
        )
    return ends[1], ends[2], ends[3]


@register("resnet10")
def resnet10(b: Builder) -> None:
    """ResNet-10 (resnet10.cfg): one basic block per stage."""
    residual_trunk(b, basic, "leaky", depths=(1, 1, 1, 1), expansion=1)
    classifier(b)


@register("resnet50", pool_first=False)
@register("icfg-resnet50-leaky")
@register("icfg-resnet50-relu", activation="relu")
@register("icfg-resnet50-mish", activation="mish")
@register("icfg-resnet50-swish", activation="swish")
@register("resnext50", expansion=2, groups=CARDINALITY)
def resnet50(
    b: Builder, *, activation: str = "leaky", expansion: int = EXPANSION, groups: int = 1, pool_first: bool = True
) -> None:
    """ResNet-50 and ResNeXt-50 32x4d, with 3x3 convolutions twice as wide in 32 groups, as in the files of their names.

    resnet50.cfg classifies every pixel and then averages.
    """
    block = partial(bottleneck, expansion=expansion, groups=groups, activation=activation)
    residual_trunk(b, block, activation)
    classifier(b, pool_first=pool_first)


DEPTHS_152 = (3, 8, 36, 3)


@register("resnet152")
def resnet152(b: Builder) -> None:
    """ResNet-152 (resnet152.cfg), with the older classifier and the file's final [cost] layer."""
    residual_trunk(b, partial(bottleneck, expansion=EXPANSION), "leaky", depths=DEPTHS_152)
    classifier(b, pool_first=False)
    b.add(Loss(sources=(b.last,)))


@register("resnet152-v1", 224)
def resnet152_v1(b: Builder) -> None:
    """The paper's ResNet-152: ReLU, projections, an overlapping max pool, and strides in the first 1x1."""
    block = partial(bottleneck, expansion=EXPANSION, activation="relu")
    residual_trunk(b, block, "relu", depths=DEPTHS_152, opening=projected, pool=3)
    logits(b)


def csresnet50_trunk(b: Builder, activation: str = "leaky") -> tuple[int, int, int]:
    """Append CSPResNet-50 without its classifier: 3x3 widths of ResNet-50 in stages with half of its output width."""
    return cross_trunk(b, partial(bottleneck, expansion=2, activation=activation), activation, transition_ratio=1)


def csresnext50_trunk(b: Builder, activation: str = "leaky") -> tuple[int, int, int]:
    """Append CSPResNeXt-50 without its classifier: 3x3 and stage widths of ResNeXt-50, blocks of constant width."""
    block = partial(bottleneck, expansion=1, groups=CARDINALITY, activation=activation)
    return cross_trunk(b, block, activation, transition_ratio=2, groups=CARDINALITY)


@register("csresnet50")
@register("csresnet50-gamma")
@register("csresnet50-omega", activation="mish")
def csresnet50(b: Builder, activation: str = "leaky") -> None:
    """CSPResNet-50 (csresnet50.cfg); -gamma has the same layers and other training, -omega has mish."""
    csresnet50_trunk(b, activation)
    classifier(b)


@register("csresnext50")
@register("csresnext50-gamma")
@register("csresnext50-omega", activation="mish")
@register("csresnext50-mish", activation="mish")
@register("csresnext50-swish", activation="swish")
def csresnext50(b: Builder, activation: str = "leaky") -> None:
    """CSPResNeXt-50 (csresnext50.cfg); -gamma has the same layers and other training, -omega has mish."""
    csresnext50_trunk(b, activation)
    classifier(b)


CROSS_WIDTHS_10 = (64, 64, 128, 256)
"""Filters of each part: half of the stage's, but all in the first stage, as in the authors' other files."""


@register("csresnet10")
def csresnet10(b: Builder) -> None:
    """CSPResNet-10: cross stages of one basic block, whose parts halve the map separately.

    No file was published; of 660,960 designs in the authors' style, without exceptions for a first or last stage, only
    this one has both published totals. Without a bottleneck, part 2 narrows in the first 3x3 of the block.
    """
    stem(b, "leaky")
    for index, filters in enumerate(CROSS_WIDTHS_10):
        entry = b.last
        part1 = b.conv(filters)
        if index:
            part1 = b.maxpool(2)
        b.route(entry)
        basic(b, filters, stride=2 if index else 1)
        part2 = b.conv(filters)
        b.route(part2, part1)
        b.conv(2 * filters)
    classifier(b)
