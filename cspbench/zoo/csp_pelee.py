"""CSPPeleeNet: PeleeNet with cross stage partial stages.

Sources: CSPNet (arXiv 1911.11929), whose Figure 7 plots the operations of every layer of this network and of PeleeNet;
each layer below is the layer of PeleeNet that matches its bar. The base is 64 wide, not 32 as in PeleeNet, so that
every stage doubles the width, and the stages have other depths.
"""

from __future__ import annotations

from cspbench.network.builder import Builder
from cspbench.zoo.classifier import classifier
from cspbench.zoo.model import register
from cspbench.zoo.partial import GAMMA, convolved_parts
from cspbench.zoo.pelee import GROWTH, STEM, DenseLayer, Stage, dense_block, stem, two_way, two_way_se

BASE = 64
"""Channels after the stem."""

STAGES = (Stage(2, 16), Stage(4, 32), Stage(8, 64), Stage(4, 64))


def csp_stage(
    b: Builder, width: int, stage: Stage, *, gamma: float = GAMMA, activation: str, layer: DenseLayer = two_way
) -> tuple[int, int]:
    """A stage over `width` channels up to its concatenation; returns that layer and its channels.

    Only part 2 enters the dense block. The first transition mixes the block's output; the trunk places the second,
    which mixes both parts.
    """
    part1 = round(gamma * width)
    part2 = width - part1
    bypass = convolved_parts(b, part1, part2, activation=activation)
    dense_block(b, stage.depth, stage.bottleneck, activation=activation, layer=layer)
    gathered = part2 + stage.depth * GROWTH
    transition1 = b.conv(gathered, activation=activation)
    return b.route(bypass, transition1), part1 + gathered


def csppelee_trunk(
    b: Builder, *, gamma: float = GAMMA, activation: str = "leaky", layer: DenseLayer = two_way
) -> tuple[int, int, int]:
    """Append CSPPeleeNet without its classifier; the last maps with strides 8, 16 and 32.

    The second transition follows the pool, where it costs a quarter; the last stage has no pool.
    """
    stem(b, activation=activation, pooled=STEM)
    width, ends = BASE, []
    for index, stage in enumerate(STAGES):
        if index:
            b.maxpool(2)
            b.conv(width, activation=activation)  # transition 2 of the previous stage
        end, width = csp_stage(b, width, stage, gamma=gamma, activation=activation, layer=layer)
        ends.append(end)
    transition2 = b.conv(width, activation=activation)
    return ends[1], ends[2], transition2


@register("csppeleenet", 224)
@register("csppeleenet-swish", 224, activation="swish")
@register("csppeleenet-mish", 224, activation="mish")
@register("csppeleenet-swish-se", 224, activation="swish", layer=two_way_se)
def csppeleenet(b: Builder, *, activation: str = "leaky", layer: DenseLayer = two_way, gamma: float = GAMMA) -> None:
    """CSPPeleeNet; -se has squeeze and excitation in every dense layer."""
    csppelee_trunk(b, gamma=gamma, activation=activation, layer=layer)
    classifier(b)
