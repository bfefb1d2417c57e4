"""HarDNet-138s, a DenseNet that keeps only the connections of a harmonic pattern.

Source: HarDNet (arXiv 1909.00948), text and Table 1; its authors published code for other sizes only. Two of its
roundings are not written down; those below give its parameters, multiply-adds and traffic for 96s, 117s and 138s in
eight figures of nine.
"""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

from cspbench.network.builder import Builder
from cspbench.network.network import Network
from cspbench.zoo.classifier import logits
from cspbench.zoo.densenet_bc import bare, normalised, stem
from cspbench.zoo.model import register

MULTIPLIER = 1.6
"""How much wider a layer is for each factor of 2 in its number."""

REDUCTION = 0.85
"""What a transition leaves of a block's channels."""

STEM = 64


class Stage(NamedTuple):
    """Blocks at one resolution: how many, and how many layers each."""

    blocks: int
    depth: int


STAGES_138S = (Stage(1, 8), Stage(1, 16), Stage(3, 16), Stage(2, 16))
"""At strides 4, 8, 16 and 32."""


def harmonic_links(layer: int) -> list[int]:
    """The layers that layer number `layer` (from 1; 0 is the block's input) reads: 2^n back for each 2^n in it."""
    return [layer - 2**power for power in range(layer.bit_length()) if layer % 2**power == 0]


def harmonic_width(layer: int, growth: int) -> int:
    """Channels of a layer: the growth times the multiplier for each factor of 2 in its number, made even."""
    powers = (layer & -layer).bit_length() - 1
    return (int(growth * MULTIPLIER**powers) + 1) // 2 * 2


def harmonic_block(b: Builder, width: int, depth: int, growth: int) -> tuple[int, int]:
    """`depth` 3x3 layers; returns the concatenation of the input, all odd layers and the last one, and its width.

    Every fourth layer reads much, so a 1x1 narrows that to the geometric mean of its width and the layer's own.
    """
    outputs, widths = [b.last], [width]
    for layer in range(1, depth + 1):
        links = harmonic_links(layer)
        if len(links) > 1:
            b.route(*(outputs[link] for link in links))
        elif outputs[links[0]] != b.last:
            b.route(outputs[links[0]])
        read, own = sum(widths[link] for link in links), harmonic_width(layer, growth)
        normalised(b)
        if layer % 4 == 0:
            b.conv(ceil((read / own) ** 0.5 * own), activation="relu")
        outputs.append(bare(b, own, 3))
        widths.append(own)
    kept = [0, *range(1, depth, 2), depth]
    return b.route(*(outputs[layer] for layer in kept)), sum(widths[layer] for layer in kept)


def transition(b: Builder, width: int, *, halve: bool) -> int:
    """A 1x1 to the reduced width; it halves the map before, by average and by maximum side by side."""
    if halve:
        entry = b.last
        average = b.local_avgpool(2)
        b.route(entry)
        b.route(average, b.maxpool(2))
    reduced = round(REDUCTION * width / 8) * 8
    normalised(b)
    bare(b, reduced)
    return reduced


def hardnet(name: str, stages: tuple[Stage, ...], growth: int) -> Network:
    """A HarDNet of the "s" kind: blocks with a transition after each but the last, on DenseNet's stem."""
    b = Builder(name, (3, 224, 224))
    stem(b)
    width = STEM
    depths = [(depth, at == blocks - 1) for blocks, depth in stages for at in range(blocks)]
    for at, (depth, halves) in enumerate(depths):
        _, width = harmonic_block(b, width, depth, growth)
        if at < len(depths) - 1:
            width = transition(b, width, halve=halves)
    normalised(b)
    logits(b)
    return b.network()


@register("hardnet138s")
def hardnet138s() -> Network:
    """HarDNet-138s."""
    return hardnet("hardnet138s", STAGES_138S, growth=30)
