"""ThunderNet, a two-stage detector on SNet, a ShuffleNetV2 with 5x5 depthwise convolutions.

Sources: ThunderNet (arXiv 1903.11752); the first author's qinzheng93/ThunderNet for details that the paper omits, such
as the order of channels, the anchors and the suppression; DayBreak-u/Thundernet_Pytorch for the widths of SNet49. The
second stage is the paper's: the first author's later code has two connected layers and offsets per class there, either
of which would give far more multiply-adds than the paper.

Connected layers over proposals are written as 1x1 convolutions over a map with a row per proposal.
"""

from __future__ import annotations

from math import sqrt

from cspbench.network.builder import Builder
from cspbench.network.epsilon import Epsilon
from cspbench.network.layers import Proposals, Resize, RoiAlign, RoiBox, Shuffle
from cspbench.network.layers.heads import Anchor
from cspbench.zoo.detector_protocol import IMAGENET_DEVIATION, IMAGENET_MEAN, DetectorProtocol, SoftNms, in_levels
from cspbench.zoo.model import register

DEPTHS = (4, 8, 4)
"""Units per stage, at strides 8, 16 and 32."""

STEM = 24
CONTEXT = 245
"""Channels of the context map: 7 x 7 parts with 5 channels each."""

SCALES = (32, 64, 128, 256, 512)
RATIOS = (1 / 2, 3 / 4, 1.0, 4 / 3, 2.0)
"""Height / width."""

CLASSES = 80

PROTOCOL = DetectorProtocol(
    bgr=False,
    mean=in_levels(IMAGENET_MEAN),
    deviation=in_levels(IMAGENET_DEVIATION),
    epsilon=Epsilon.INSIDE_1E5,
    conf=0.05,
    nms=SoftNms(0.5, floor=1e-3, kept=100),
)
"""From the test phase of the first author's configuration."""

ANCHORS: tuple[Anchor, ...] = tuple((side / sqrt(ratio), side * sqrt(ratio)) for ratio in RATIOS for side in SCALES)


def depthwise(b: Builder, filters: int, *, stride: int = 1, activation: str = "linear") -> int:
    """A depthwise 5x5."""
    return b.conv(filters, 5, stride=stride, groups=filters, activation=activation)


def main_branch(b: Builder, inner: int, filters: int, *, stride: int = 1) -> int:
    """1x1, depthwise 5x5, 1x1."""
    b.conv(inner, activation="relu")
    depthwise(b, inner, stride=stride)
    return b.conv(filters, activation="relu")


def downsampling_unit(b: Builder, input_width: int, width: int) -> int:
    """From `input_width` to `width` channels at half the resolution: two branches on all channels, concatenated."""
    entry = b.last
    depthwise(b, input_width, stride=2)
    projection = b.conv(input_width, activation="relu")
    b.route(entry)
    return b.route(projection, main_branch(b, width // 2, width - input_width, stride=2))


def unit(b: Builder, width: int) -> int:
    """Even channels unchanged and odd channels convolved, concatenated."""
    shuffled = b.add(Shuffle(sources=(b.last,)))
    bypass = b.route(shuffled, groups=2, group_id=0)
    b.route(shuffled, groups=2, group_id=1)
    return b.route(bypass, main_branch(b, width // 2, width // 2))


def snet(b: Builder, widths: tuple[int, int, int], last: int | None = None) -> tuple[int, int]:
    """Append SNet with stages of these widths and an optional last 1x1; returns the maps with strides 16 and 32."""
    b.conv(STEM, 3, stride=2, activation="relu")
    b.maxpool(3, 2)
    input_width, ends = STEM, []
    for width, depth in zip(widths, DEPTHS, strict=True):
        downsampling_unit(b, input_width, width)
        for _ in range(1, depth):
            unit(b, width)
        ends.append(b.last)
        input_width = width
    if last is not None:
        ends[-1] = b.conv(last, activation="relu")
    return ends[1], ends[2]


def context_enhancement(b: Builder, c4: int, c5: int) -> int:
    """The sum of `c4`, `c5` and the mean of `c5`, each with CONTEXT channels at the size of `c4`."""
    b.route(c4)
    near = b.conv(CONTEXT, activation="linear", batch_normalize=False)
    b.route(c5)
    b.conv(CONTEXT, activation="linear", batch_normalize=False)
    far = b.add(Resize(sources=(b.last, near)))
    b.route(c5)
    b.avgpool()
    b.conv(CONTEXT, activation="linear", batch_normalize=False)
    b.add(Resize(sources=(b.last, near)))
    return b.shortcut(near, far)


def first_stage(b: Builder, context: int) -> tuple[int, int]:
    """The region proposal network, whose features also gate the map; returns the gated map and the proposals."""
    b.route(context)
    depthwise(b, CONTEXT, activation="relu")
    features = b.conv(256, activation="relu")
    scores = b.conv(len(ANCHORS), activation="linear", batch_normalize=False)
    b.route(features)
    offsets = b.conv(4 * len(ANCHORS), activation="linear", batch_normalize=False)
    proposals = b.add(Proposals(sources=(scores, offsets), anchors=ANCHORS))
    b.route(features)
    b.conv(CONTEXT, activation="logistic")
    return b.sam(context), proposals


def second_stage(b: Builder, attended: int, proposals: int) -> int:
    """Features of each proposal, one connected layer, and class scores and offsets."""
    b.add(RoiAlign(sources=(attended, proposals)))
    features = b.conv(1024, activation="relu", batch_normalize=False)
    scores = b.conv(CLASSES + 1, activation="linear", batch_normalize=False)
    b.route(features)
    offsets = b.conv(4, activation="linear", batch_normalize=False)
    joined = b.route(scores, offsets, proposals)
    return b.add(RoiBox(sources=(joined,), classes=CLASSES))


@register("snet49-thundernet", 320, (60, 120, 240), 512, detector_protocol=PROTOCOL)
@register("snet146-thundernet", 320, (132, 264, 528), detector_protocol=PROTOCOL)
def thundernet(b: Builder, widths: tuple[int, int, int], last: int | None = None) -> None:
    """ThunderNet with SNet49 or SNet146, given by its arguments of `snet`."""
    context = context_enhancement(b, *snet(b, widths, last))
    second_stage(b, *first_stage(b, context))
