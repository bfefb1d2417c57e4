"""Stand-ins for the four networks that CSPNet compares with the Darknet Reference model.

Only their totals were published. These are our own simple networks in the authors' style with these totals, and no
evidence of what the authors built. The totals do imply an input of 224x224, and in the "b" form a 1x1 in place of a
last 3x3 of 512 channels at stride 32.
"""

from __future__ import annotations

from functools import partial

from cspbench.network.builder import Builder
from cspbench.zoo.classifier import classifier
from cspbench.zoo.model import register
from cspbench.zoo.partial import convolved_parts, sliced_parts
from cspbench.zoo.pelee import STEM, Stage, dense_block, stem, two_way

DENSE_WIDTHS = (64, 128, 256)
"""Input channels of each stage of the Dense form, which doubles them."""

PELEE_STAGES = (Stage(2, 16), Stage(2, 32), Stage(2, 256))
"""The unusual bottleneck of 256 comes from a search for the totals."""

PELEE_PARTS = (32, 64, 128)
"""Width of each part and growth of the layers, by stage of the Pelee form."""

LAST = 512


def dense_stage(b: Builder, width: int) -> int:
    """One dense layer, as wide as the stage, on half of the channels, and a transition; then part 1 is concatenated."""
    half = width // 2
    part1, part2 = sliced_parts(b)
    b.conv(half)
    b.route(part2, b.conv(width, 3))
    return b.route(part1, b.conv(half + width))


def cspdensenet_ref_trunk(b: Builder, last: int) -> tuple[int, int]:
    """Append the Dense form without its classifier; returns the last maps with strides 16 and 32.

    `last` is the size of the final convolution: 3, or 1 in the "b" form.
    """
    stem(b, activation="leaky")
    ends = []
    for width in DENSE_WIDTHS:
        ends.append(dense_stage(b, width))
        b.maxpool(2)
    return ends[-1], b.conv(LAST, last)


def csppeleenet_ref_trunk(b: Builder, last: int) -> tuple[int, int, int]:
    """Append the Pelee form without its classifier; returns the last maps with strides 8, 16 and 32."""
    stem(b, activation="leaky", pooled=STEM)
    ends = []
    for (depth, bottleneck), part in zip(PELEE_STAGES, PELEE_PARTS, strict=True):
        bypass = convolved_parts(b, part, part, activation="leaky")
        dense_block(b, depth, bottleneck, activation="leaky", layer=partial(two_way, growth=part))
        transition = b.conv(part + depth * part)
        ends.append(b.route(bypass, transition))
        b.maxpool(2)
    _, c3, c4 = ends
    return c3, c4, b.conv(LAST, last)


@register("cspdensenet-ref", 224)
@register("cspdensenetb-ref", 224, last=1)
def cspdensenet_ref(b: Builder, last: int = 3) -> None:
    """A stand-in for CSPDenseNet Ref. (`last` 3) and CSPDenseNetb Ref. (1)."""
    cspdensenet_ref_trunk(b, last)
    classifier(b)


@register("csppeleenet-ref", 224)
@register("csppeleenetb-ref", 224, last=1)
def csppeleenet_ref(b: Builder, last: int = 3) -> None:
    """A stand-in for CSPPeleeNet Ref. (`last` 3) and CSPPeleeNetb Ref. (1)."""
    csppeleenet_ref_trunk(b, last)
    classifier(b)
