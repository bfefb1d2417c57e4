"""A stand-in for MixNet-M-GPU.

Sources: MixNet (arXiv 1907.09595). AlexeyAB derived the network for Darknet from MixNet-M by "decreasing groups" in its
mixed depthwise convolutions; its cfg is not available. A log shows the number of layers, the last blocks, and squeezed
widths in proportion to the expanded ones; the numbers of groups are chosen here to match the total.
"""

from __future__ import annotations

from typing import NamedTuple

from cspbench.network.builder import Builder
from cspbench.zoo.classifier import classifier
from cspbench.zoo.efficientnet import squeeze_excite
from cspbench.zoo.model import register

STEM = 24
HEAD = 1536
LARGEST_GROUP = 5
"""Limit of channels per group in mixed convolutions with swish, which use the largest divisor of a branch."""


class Stage(NamedTuple):
    """A run of blocks; the first has the stride. `squeeze` divides the expanded width; 0 means no gate."""

    depth: int
    kernels: tuple[int, ...]
    stride: int
    expansion: int
    filters: int
    squeeze: int
    expand_groups: int
    project_groups: int
    activation: str = "swish"


STAGES = (
    Stage(1, (3,), 1, 1, 24, 0, 1, 1, "relu"),
    Stage(1, (3, 5, 7), 2, 6, 32, 0, 2, 2, "relu"),
    Stage(1, (3,), 1, 3, 32, 0, 2, 2, "relu"),
    Stage(1, (3, 5, 7, 9), 2, 6, 40, 2, 1, 1),
    Stage(3, (3, 5), 1, 6, 40, 2, 2, 2),
    Stage(1, (3, 5, 7), 2, 6, 80, 4, 1, 1),
    Stage(3, (3, 5, 7, 9), 1, 6, 80, 4, 2, 2),
    Stage(1, (3,), 1, 6, 120, 2, 1, 1),
    Stage(3, (3, 5, 7, 9), 1, 3, 120, 2, 2, 2),
    Stage(1, (3, 5, 7, 9), 2, 6, 200, 2, 1, 1),
    Stage(3, (3, 5, 7, 9), 1, 6, 200, 2, 1, 2),
)


def mixed(b: Builder, width: int, kernels: tuple[int, ...], *, stride: int, activation: str) -> int:
    """MixConv: equal slices of `width` channels, each with a grouped convolution of another kernel size."""
    entry, branch = b.last, width // len(kernels)
    largest = LARGEST_GROUP if activation == "swish" else 1
    group = max(size for size in range(1, largest + 1) if branch % size == 0)
    outputs = []
    for index, size in enumerate(kernels):
        if len(kernels) > 1:
            b.route(entry, groups=len(kernels), group_id=index)
        outputs.append(b.conv(branch, size, stride=stride, groups=branch // group, activation=activation))
    return b.route(*reversed(outputs)) if len(outputs) > 1 else b.last


def mix_block(b: Builder, width: int, stage: Stage, *, stride: int) -> int:
    """An inverted residual with mixed convolutions; the first block keeps its 1x1 of expansion 1."""
    entry, expanded = b.last, width * stage.expansion
    b.conv(expanded, groups=stage.expand_groups, activation=stage.activation)
    mixed(b, expanded, stage.kernels, stride=stride, activation=stage.activation)
    if stage.squeeze:
        squeeze_excite(b, expanded, expanded // stage.squeeze)
    b.conv(stage.filters, groups=stage.project_groups, activation="linear")
    return b.shortcut(entry) if stride == 1 and stage.filters == width else b.last


@register("mixnet-m-gpu", 224)
def mixnet_m_gpu(b: Builder) -> None:
    """A stand-in for MixNet-M-GPU."""
    b.conv(STEM, 3, stride=2, activation="relu")
    width = STEM
    for stage in STAGES:
        for at in range(stage.depth):
            mix_block(b, width, stage, stride=1 if at else stage.stride)
            width = stage.filters
    b.conv(HEAD, activation="swish")
    classifier(b, dropout=0.25)
