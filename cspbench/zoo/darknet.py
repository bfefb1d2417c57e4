"""Darknet Reference, DarkNet-53, and its cross stage partial forms: CSPDarkNet-53 and CSPDarkNet-53-Elastic.

Sources: the Darknet Reference model (pjreddie.com/darknet/imagenet), DarkNet-53 (YOLOv3, arXiv 1804.02767), CSPNet
(arXiv 1911.11929), ELASTIC (arXiv 1812.05262), and the cfg files of WongKinYiu/CrossStagePartialNetworks, to which
these networks are equal layer by layer.
"""

from __future__ import annotations

from collections.abc import Callable

from cspbench.network.builder import Builder
from cspbench.zoo.classifier import classifier
from cspbench.zoo.model import register

Block = Callable[[Builder, int, int, str], object]
"""Appends one residual block to a builder, given filters, bottleneck filters and activation."""

STAGES = ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4))
"""Filters and residual blocks of DarkNet-53's five stages, at strides 2 to 32."""

PARTIALS = (64, 64, 128, 256, 512)
"""Filters of each part of CSPDarkNet-53's stages: half of the stage's, but all in the first stage, as published."""


def residual(b: Builder, filters: int, bottleneck: int, activation: str) -> int:
    """DarkNet-53's block: a 1x1 to the bottleneck, a 3x3 back, and the addition, without activation."""
    entry = b.last
    b.conv(bottleneck, activation=activation)
    b.conv(filters, 3, activation=activation)
    return b.shortcut(entry)


def elastic_residual(b: Builder, filters: int, bottleneck: int, activation: str) -> int:
    """The "-Elastic" block: half of the channels at full resolution, the other half at half resolution.

    Neither half has a bottleneck, so `bottleneck` is not used.
    """
    entry, half = b.last, filters // 2
    b.route(entry, groups=2, group_id=0)
    b.conv(half, activation=activation)
    fine = b.conv(half, 3, activation=activation)
    b.route(entry, groups=2, group_id=1)
    b.maxpool(2)
    b.conv(half, activation=activation)
    b.conv(half, 3, activation=activation)
    coarse = b.upsample()
    b.route(fine, coarse)
    return b.shortcut(entry)


def stage(b: Builder, filters: int, depth: int) -> int:
    """A stage of DarkNet-53: a 3x3 that halves the map, then `depth` residual blocks with half-width bottlenecks."""
    b.conv(filters, 3, stride=2)
    for _ in range(depth):
        residual(b, filters, filters // 2, "leaky")
    return b.last


def csp_stage(
    b: Builder, filters: int, depth: int, *, partial: int, activation: str = "leaky", block: Block = residual
) -> int:
    """The cross stage partial form of `stage`: only `partial` channels pass through the blocks (CSPNet, section 3).

    Part 1 bypasses the blocks; instead of a slice, each part has a 1x1 on the halved map. A 1x1 transition follows the
    blocks and another the concatenation. The bottlenecks keep their width.
    """
    entry = b.conv(filters, 3, stride=2, activation=activation)
    part1 = b.conv(partial, activation=activation)
    b.route(entry)
    b.conv(partial, activation=activation)
    for _ in range(depth):
        block(b, partial, filters // 2, activation)
    part2 = b.conv(partial, activation=activation)
    b.route(part2, part1)
    return b.conv(filters, activation=activation)


def darknet53_trunk(b: Builder) -> tuple[int, int, int]:
    """Append DarkNet-53 without its classifier; returns the last layers of the stages with strides 8, 16 and 32."""
    b.conv(32, 3)
    *_, c3, c4, c5 = [stage(b, filters, depth) for filters, depth in STAGES]
    return c3, c4, c5


def csdarknet53_trunk(b: Builder, activation: str = "leaky", *, block: Block = residual) -> tuple[int, int, int]:
    """Append CSPDarkNet-53 without its classifier; returns the same as `darknet53_trunk`."""
    b.conv(32, 3, activation=activation)
    *_, c3, c4, c5 = [
        csp_stage(b, filters, depth, partial=partial, activation=activation, block=block)
        for (filters, depth), partial in zip(STAGES, PARTIALS, strict=True)
    ]
    return c3, c4, c5


@register("darknet")
def darknet(b: Builder) -> None:
    """Darknet Reference (darknet.cfg): 3x3 convolutions of 16 to 1024 filters with 2x2 max pools between them."""
    b.conv(16, 3)
    for filters in (32, 64, 128, 256, 512, 1024):
        b.maxpool(2)
        b.conv(filters, 3)
    classifier(b)


@register("darknet53")
def darknet53(b: Builder) -> None:
    """DarkNet-53 (darknet53.cfg)."""
    darknet53_trunk(b)
    classifier(b)


@register("csdarknet53")
@register("csdarknet53-gamma")
@register("csdarknet53-omega", activation="mish")
@register("csdarknet53-elastic", block=elastic_residual)
def csdarknet53(b: Builder, *, activation: str = "leaky", block: Block = residual) -> None:
    """CSPDarkNet-53 (csdarknet53.cfg); -gamma has the same layers and other training, -omega has mish.

    -elastic (csdarknet53-elastic.cfg) has elastic blocks in all five stages.
    """
    csdarknet53_trunk(b, activation, block=block)
    classifier(b)
