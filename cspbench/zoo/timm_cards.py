"""timm's CSPDarkNet-53, CSPResNet-50 and CSPResNeXt-50, which mmpretrain's card describes too.

Source: timm's models/cspnet.py (PyTorch Image Models). CSPDarkNet-53 has the layers of the README's network; the other
two differ: the two parts are halves of one linear 1x1 expansion, so that in the first stage part 2 is as wide as part
1, whereas the README's networks have a convolution per part. The convolutions are in timm's order. timm's LeakyReLU has
a slope of 0.01, Darknet's `relie`; its networks end in logits, without softmax.
"""

from __future__ import annotations

from functools import partial

from cspbench.network.builder import Builder
from cspbench.zoo.classifier import logits
from cspbench.zoo.darknet import csdarknet53_trunk
from cspbench.zoo.model import register
from cspbench.zoo.resnet import CARDINALITY, CROSS_DEPTHS, EXPANSION, PARTS, WIDTHS, bottleneck, stem

ACTIVATION = "relie"


# 21,616,168 and 20,569,896 learnable parameters
@register("timm/cspresnet50", expansion=2, transition_ratio=1)
@register("timm/cspresnext50", 224, expansion=1, transition_ratio=2, groups=CARDINALITY)
def cross_network(b: Builder, *, expansion: int, transition_ratio: int, groups: int = 1) -> None:
    """Timm's cspresnet50 at 256x256 and cspresnext50 at 224x224: expanded stages, an overlapping pool in the stem."""
    block = partial(bottleneck, expansion=expansion, groups=groups, activation=ACTIVATION)
    stem(b, ACTIVATION, pool=3)
    for stage, (width, depth) in enumerate(zip(WIDTHS, CROSS_DEPTHS, strict=True)):
        filters = EXPANSION * width // PARTS
        if stage > 0:
            b.conv(transition_ratio * filters // 2, 3, stride=2, groups=groups, activation=ACTIVATION)
        expansion_map = b.conv(PARTS * filters, activation="linear")
        part1 = b.route(expansion_map, groups=PARTS, group_id=0)
        b.route(expansion_map, groups=PARTS, group_id=1)
        for _ in range(depth):
            block(b, filters)
        part2 = b.conv(filters, activation=ACTIVATION)
        b.route(part1, part2)  # unlike in `cross_stage`, part 1 comes first
        b.conv(transition_ratio * filters, activation=ACTIVATION)
    logits(b)


@register("timm/cspdarknet53")
def timm_cspdarknet53(b: Builder) -> None:
    """The cspdarknet53 of timm at 256x256; 27,642,184 learnable parameters."""
    csdarknet53_trunk(b, ACTIVATION)
    logits(b)
