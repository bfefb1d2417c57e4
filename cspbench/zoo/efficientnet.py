"""Darknet's EfficientNet-B0, and the official one from timm.

Sources: EfficientNet (arXiv 1905.11946); enetb0.cfg of WongKinYiu/CrossStagePartialNetworks and timm's efficientnet_b0
(PyTorch Image Models), to which these networks are equal layer by layer. The file has the filters, depths and kernel
sizes of EfficientNet-B0, but the expanded widths (6 x 16, 24, 32, 64, 96, 160) and the strides of the MobileNet-v2
published with it.
"""

from __future__ import annotations

from typing import NamedTuple

from cspbench.network.builder import Builder
from cspbench.zoo.classifier import classifier, logits
from cspbench.zoo.model import register

STEM = 32
"""Filters of the first convolution."""


class Stage(NamedTuple):
    """A run of blocks with equal filters and kernel size; the first block has the stride."""

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
    """Inner widths of a block: of the depthwise convolution and of the squeezed vector."""

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
"""Inner widths of a block by its input channels.

The squeeze is a quarter of the input channels, as in the paper, rounded up to a multiple of 8; but 16 instead of 8 for
16 input channels and 64 instead of 48 for 192, a peculiarity of the published file.
"""


EXPANSION = 6
"""Expansion of the official network; that of enetb0.cfg is in INNER."""


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
    """MBConv: expansion of `width` channels, a depthwise convolution, squeeze and excitation, projection to `filters`.

    `inner` defaults to the file's widths; a given width equal to the entry's needs no 1x1. The block is added to its
    entry, after any dropout, if their shapes are equal. Returns the expanded map, the last one before the stride.
    """
    entry = b.last
    unexpanded = inner is not None and inner.expanded == width
    inner = inner or INNER[width]
    expanded = entry if unexpanded else b.conv(inner.expanded, activation="swish")
    b.conv(inner.expanded, size, stride=stride, groups=inner.expanded, activation="swish")
    squeeze_excite(b, inner.expanded, inner.squeeze)
    b.conv(filters, activation="linear")
    if stride == 1 and filters == width:
        if dropout is not None:
            b.dropout(dropout)
        b.shortcut(entry)
    return expanded


def enetb0_trunk(b: Builder, *, dropout: float = 0.2) -> tuple[int, int, int]:
    """Append EfficientNet-B0 without its classifier; returns the last maps with strides 8, 16 and 32.

    The first two are the expanded maps inside the next blocks of stride 2.
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


@register("enetb0", 224)
def enetb0(b: Builder) -> None:
    """EfficientNet-B0 (enetb0.cfg)."""
    enetb0_trunk(b)
    classifier(b, dropout=0.2)


OFFICIAL_STRIDES = (1, 2, 2, 2, 1, 2, 1)
"""Strides of the official network's stages."""


@register("timm/efficientnet_b0", 224)
def timm_efficientnet_b0(b: Builder) -> None:
    """The efficientnet_b0 of timm at 224x224; 5,288,548 learnable parameters."""
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
