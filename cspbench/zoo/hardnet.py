"""HarDNet-138s, a DenseNet with a harmonic pattern of connections.

Source: HarDNet (arXiv 1909.00948), text and Table 1; the authors published code for other sizes only. The paper does
not specify two roundings; those below reproduce eight of its nine figures of parameters, multiply-adds and traffic for
96s, 117s and 138s.
"""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

from cspbench.network.builder import Builder
from cspbench.zoo.classifier import logits
from cspbench.zoo.densenet_bc import bare, normalised, stem
from cspbench.zoo.model import register

MULTIPLIER = 1.6
"""Growth of a layer's width per factor of 2 in its number."""

REDUCTION = 0.85
"""Share of a block's channels after a transition."""

STEM = 64


class Stage(NamedTuple):
    """Number of blocks at one resolution, and of layers per block."""

    blocks: int
    depth: int


STAGES_138S = (Stage(1, 8), Stage(1, 16), Stage(3, 16), Stage(2, 16))
"""At strides 4, 8, 16 and 32."""


def harmonic_links(layer: int) -> list[int]:
    """The inputs of layer number `layer` (from 1; 0 is the block's input): 2^n back for each 2^n that divides it."""
    return [layer - 2**power for power in range(layer.bit_length()) if layer % 2**power == 0]


def harmonic_width(layer: int, growth: int) -> int:
    """Channels of a layer: the growth times the multiplier per factor of 2 in its number, rounded to an even number."""
    powers = (layer & -layer).bit_length() - 1
    return (int(growth * MULTIPLIER**powers) + 1) // 2 * 2


def harmonic_block(b: Builder, width: int, depth: int, growth: int) -> tuple[int, int]:
    """`depth` 3x3 layers; returns the concatenation of the input, the odd layers and the last one, and its width.

    Before every fourth layer, whose input is wide, a 1x1 narrows it to the geometric mean of its width and the layer's.
    """
    outputs, widths = [b.last], [width]
    for layer in range(1, depth + 1):
        links = harmonic_links(layer)
        if len(links) > 1:
            b.route(*(outputs[link] for link in links))
        elif outputs[links[0]] != b.last:
            b.route(outputs[links[0]])
        input_width, layer_width = sum(widths[link] for link in links), harmonic_width(layer, growth)
        normalised(b)
        if layer % 4 == 0:
            b.conv(ceil((input_width / layer_width) ** 0.5 * layer_width), activation="relu")
        outputs.append(bare(b, layer_width, 3))
        widths.append(layer_width)
    output_layers = [0, *range(1, depth, 2), depth]
    return b.route(*(outputs[layer] for layer in output_layers)), sum(widths[layer] for layer in output_layers)


def transition(b: Builder, width: int, *, halve: bool) -> int:
    """A 1x1 to the reduced width, with `halve` after average and max pooling side by side; returns the width."""
    if halve:
        entry = b.last
        average = b.local_avgpool(2)
        b.route(entry)
        b.route(average, b.maxpool(2))
    reduced = round(REDUCTION * width / 8) * 8
    normalised(b)
    bare(b, reduced)
    return reduced


@register("hardnet138s", 224, STAGES_138S, growth=30)
def hardnet(b: Builder, stages: tuple[Stage, ...], growth: int) -> None:
    """A HarDNet of the "s" type: DenseNet's stem, and blocks with transitions between them."""
    stem(b)
    width = STEM
    depths = [(depth, block == blocks - 1) for blocks, depth in stages for block in range(blocks)]
    for index, (depth, halve) in enumerate(depths):
        _, width = harmonic_block(b, width, depth, growth)
        if index < len(depths) - 1:
            width = transition(b, width, halve=halve)
    normalised(b)
    logits(b)
