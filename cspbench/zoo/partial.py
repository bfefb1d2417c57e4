"""The two parts of a cross stage partial stage, of which only part 2 enters the stage's blocks.

Source: CSPNet (arXiv 1911.11929), section 3. Part 1 bypasses the blocks and is concatenated with their output, so that
their gradients do not repeat part 1's. gamma is part 1's share of the channels.
"""

from __future__ import annotations

from fractions import Fraction

from cspbench.network.builder import Builder

GAMMA = 0.5
"""Part 1's share in the published networks."""


def convolved_parts(b: Builder, part1: int, part2: int, *, activation: str) -> int:
    """Two 1x1 on the current map: returns part 1 of `part1` channels; part 2 of `part2` is the current layer.

    The paper slices the map; the authors' networks use convolutions instead, which they call equivalent.
    """
    entry = b.last
    bypass = b.conv(part1, activation=activation)
    b.route(entry)
    b.conv(part2, activation=activation)
    return bypass


def sliced_parts(b: Builder, gamma: float = GAMMA) -> tuple[int, int]:
    """Slices of the current map, as in the paper: part 1 with share `gamma` of the channels, and part 2, the rest.

    Part 2 becomes the current layer. A Darknet route slices into equal groups, so the channels must be a multiple of
    gamma's denominator.
    """
    entry, share = b.last, Fraction(gamma).limit_denominator(64)
    slices = [b.route(entry, groups=share.denominator, group_id=group) for group in range(share.denominator)]
    parts = slices[: share.numerator], slices[share.numerator :]
    part1, part2 = (part[0] if len(part) == 1 else b.route(*part) for part in parts)
    return part1, part2
