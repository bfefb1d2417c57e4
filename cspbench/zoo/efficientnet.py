"""Darknet's EfficientNet-B0, and the official one from timm.

Sources: EfficientNet (arXiv 1905.11946); enetb0.cfg of WongKinYiu/CrossStagePartialNetworks and timm's efficientnet_b0
(PyTorch Image Models), to which these networks are equal layer by layer. The file has the filters, depths and kernel
sizes of EfficientNet-B0, but the expanded widths (6 x 16, 24, 32, 64, 96, 160) and the strides of the MobileNet-v2
published with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cspbench.network.builder import Builder
from cspbench.zoo.classifier import classifier, logits
from cspbench.zoo.model import register

STEM = 32
"""Filters of the first convolution."""


STAGES = ((16, 1, 3), (24, 2, 3), (40, 2, 5), (80, 3, 3), (112, 3, 5), (192, 4, 5), (320, 1, 3))
"""Filters, blocks and kernel size of each stage."""

STRIDES = (1, 2, 2, 1, 2, 2, 1)
"""Of the first block of each stage; OFFICIAL_STRIDES are timm's."""
OFFICIAL_STRIDES = (1, 2, 2, 2, 1, 2, 1)


class Inner(NamedTuple):
    """Inner widths of a block: of the depthwise convolution (0: the input's, without a 1x1) and the squeezed vector."""

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
OFFICIAL_INNER = {width: Inner(expanded=0 if width == STEM else 6 * width, squeeze=width // 4) for width in INNER}


def squeeze_excite(b: Builder, filters: int, squeeze: int) -> int:
    """Scale each of `filters` channels by a gate computed from the means of all of them (arXiv 1709.01507)."""
    scaled = b.last
    b.avgpool()
    b.conv(squeeze, activation="swish", batch_normalize=False)
    b.conv(filters, activation="logistic", batch_normalize=False)
    return b.scale_channels(scaled)


def mobile_block(
    b: Builder, width: int, filters: int, *, size: int, stride: int, inner: Inner, dropout: float | None = None
) -> int:
    """MBConv: expansion of `width` channels, a depthwise convolution, squeeze and excitation, projection to `filters`.

    The block is added to its entry, after any dropout, if their shapes are equal. Returns the expanded map, the last
    one before the stride.
    """
    entry = b.last
    expanded = b.conv(inner.expanded, activation="swish") if inner.expanded else entry
    depthwise = inner.expanded or width
    b.conv(depthwise, size, stride=stride, groups=depthwise, activation="swish")
    squeeze_excite(b, depthwise, inner.squeeze)
    b.conv(filters, activation="linear")
    if stride == 1 and filters == width:
        if dropout is not None:
            b.dropout(dropout)
        b.shortcut(entry)
    return expanded


def enetb0_trunk(
    b: Builder, *, dropout: float | None = 0.2, strides: Sequence[int] = STRIDES, inner: Mapping[int, Inner] = INNER
) -> tuple[int, int, int]:
    """Append EfficientNet-B0 without its classifier; returns the last maps with strides 8, 16 and 32.

    The first two are the expanded maps inside the next blocks of stride 2. `inner` are the inner widths of a block by
    its input channels.
    """
    b.conv(STEM, 3, stride=2, activation="swish")
    width, maps = STEM, []
    for (filters, depth, size), stride in zip(STAGES, strides, strict=True):
        for at in range(depth):
            step = 1 if at else stride
            expanded = mobile_block(b, width, filters, size=size, stride=step, inner=inner[width], dropout=dropout)
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


@register("timm/efficientnet_b0", 224)
def timm_efficientnet_b0(b: Builder) -> None:
    """The efficientnet_b0 of timm at 224x224; 5,288,548 learnable parameters."""
    enetb0_trunk(b, dropout=None, strides=OFFICIAL_STRIDES, inner=OFFICIAL_INNER)
    logits(b)
