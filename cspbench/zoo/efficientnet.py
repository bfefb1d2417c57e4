"""EfficientNet-B0 as Darknet has it, and the official one as timm has it.

Sources: EfficientNet (arXiv 1905.11946); enetb0.cfg of WongKinYiu/CrossStagePartialNetworks and timm's efficientnet_b0
(PyTorch Image Models), which these networks equal layer by layer. The file takes filters, depths and kernel sizes from
EfficientNet-B0, but the expanded widths (6 x 16, 24, 32, 64, 96, 160) and the places of the strides are those of the
MobileNet-v2 published beside it.
"""

from __future__ import annotations

from typing import NamedTuple

from cspbench.network.builder import Builder
from cspbench.network.network import Network
from cspbench.zoo.classifier import logits
from cspbench.zoo.model import register

STEM = 32
"""Filters of the first convolution."""


class Stage(NamedTuple):
    """A run of blocks of equal filters and kernel size; the first block takes the stride."""

    filters: int
    depth: int
    size: int
    stride: int


STAGES = (
    Stage(filters=16, depth=1, size=3, stride=1),
    Stage(filters=24, depth=2, size=3, stride=2),
    Stage(filters=40, depth=2, size=5, stride=2),
    Stage(filters=80, depth=3, size=3, stride=1),
    Stage(filters=112, depth=3, size=5, stride=2),
    Stage(filters=192, depth=4, size=5, stride=2),
    Stage(filters=320, depth=1, size=3, stride=1),
)


class Inner(NamedTuple):
    """The widths inside a block: the depthwise convolution's and the squeezed vector's."""

    expanded: int
    squeeze: int


INNER = {
    32: Inner(expanded=32, squeeze=8),
    16: Inner(expanded=96, squeeze=16),
    24: Inner(expanded=144, squeeze=8),
    40: Inner(expanded=192, squeeze=16),
    80: Inner(expanded=384, squeeze=24),
    112: Inner(expanded=576, squeeze=32),
    192: Inner(expanded=960, squeeze=64),
}
"""The widths inside a block, by the channels that it reads.

The squeeze is the paper's, a quarter of the channels read, raised to a multiple of 8; but 16 instead of 8 in the block
that reads 16 channels and 64 instead of 48 in those that read 192: the published file's oddity.
"""


EXPANSION = 6
"""Of the official network; enetb0.cfg's is in INNER."""


def squeeze_excite(b: Builder, filters: int, squeeze: int) -> int:
    """Scale each of `filters` channels by a gate computed from the means of all of them (arXiv 1709.01507)."""
    scaled = b.last
    b.avgpool()
    b.conv(squeeze, activation="swish", batch_normalize=False)
    b.conv(filters, activation="logistic", batch_normalize=False)
    return b.scale_channels(scaled)


def mobile_block(
    b: Builder,
    width: int,
    filters: int,
    *,
    size: int,
    stride: int,
    inner: Inner | None = None,
    dropout: float | None = None,
) -> int:
    """MBConv: from `width` channels wide, a depthwise convolution, squeeze and excitation, down to `filters`.

    Widths inside come from the file's table unless given; given and no wider than the entry, they need no 1x1. The
    block is added to its entry, after the dropout layer, if it has one, wherever the two have the same shape. Returns
    the expanded map, the last one before the stride.
    """
    entry = b.last
    needs_none = inner is not None and inner.expanded == width
    inner = inner or INNER[width]
    expanded = entry if needs_none else b.conv(inner.expanded, activation="swish")
    b.conv(inner.expanded, size, stride=stride, groups=inner.expanded, activation="swish")
    squeeze_excite(b, inner.expanded, inner.squeeze)
    b.conv(filters, activation="linear")
    if stride == 1 and filters == width:
        if dropout is not None:
            b.dropout(dropout)
        b.shortcut(entry)
    return expanded


def enetb0_trunk(b: Builder, *, dropout: float = 0.2) -> tuple[int, int, int]:
    """Append EfficientNet-B0 without its classifier; the last maps with strides 8, 16 and 32.

    The first two are the expansions inside the blocks that halve them.
    """
    b.conv(STEM, 3, stride=2, activation="swish")
    width, maps = STEM, []
    for filters, depth, size, stride in STAGES:
        for at in range(depth):
            step = 1 if at else stride
            expanded = mobile_block(b, width, filters, size=size, stride=step, dropout=dropout)
            width = filters
            if step == 2:
                maps.append(expanded)
    *_, c3, c4 = maps
    return c3, c4, b.conv(1280, activation="swish")


@register("enetb0")
def enetb0() -> Network:
    """EfficientNet-B0 (enetb0.cfg)."""
    b = Builder("enetb0", (3, 224, 224))
    enetb0_trunk(b)
    b.avgpool()
    b.dropout(0.2)
    b.conv(1000, activation="linear", batch_normalize=False)
    b.softmax()
    return b.network()


OFFICIAL_STRIDES = (1, 2, 2, 2, 1, 2, 1)
"""Of the official network's stages."""


@register("timm/efficientnet_b0")
def timm_efficientnet_b0() -> Network:
    """The efficientnet_b0 of timm at its 224x224; 5,288,548 learnable parameters."""
    b = Builder("timm/efficientnet_b0", (3, 224, 224))
    b.conv(STEM, 3, stride=2, activation="swish")
    width = STEM
    for stage, stride in zip(STAGES, OFFICIAL_STRIDES, strict=True):
        for at in range(stage.depth):
            expanded = width if width == STEM else EXPANSION * width
            inner = Inner(expanded, squeeze=width // 4)
            step = 1 if at else stride
            mobile_block(b, width, stage.filters, size=stage.size, stride=step, inner=inner)
            width = stage.filters
    b.conv(1280, activation="swish")
    logits(b)
    return b.network()
