"""What makes a stage cross stage partial: only a part of its channels enters the stage's blocks.

Source: CSPNet (arXiv 1911.11929), section 3. Part 1 waits for the stage's end, where it is concatenated with what came
of part 2, so that the gradients of the blocks never repeat part 1's. gamma is part 1's share of the channels.
"""

from __future__ import annotations

from fractions import Fraction

from cspbench.network.builder import Builder

GAMMA = 0.5
"""The share that the published networks leave out of their blocks."""


def convolved_parts(b: Builder, part1: int, part2: int, *, activation: str) -> int:
    """Two 1x1 of one map: `part1` channels, which are returned, and `part2`, left current for the blocks.

    The paper slices the map; its authors' networks have convolutions instead, which they call equivalent.
    """
    entry = b.last
    bypass = b.conv(part1, activation=activation)
    b.route(entry)
    b.conv(part2, activation=activation)
    return bypass


def sliced_parts(b: Builder, gamma: float = GAMMA) -> tuple[int, int]:
    """The map's first `gamma` of the channels, and the others, left current for the blocks: the paper's own split.

    A Darknet route slices into equal groups, so the channels must be a multiple of gamma's denominator.
    """
    entry, share = b.last, Fraction(gamma).limit_denominator(64)
    slices = [b.route(entry, groups=share.denominator, group_id=group) for group in range(share.denominator)]
    parts = slices[: share.numerator], slices[share.numerator :]
    part1, part2 = (part[0] if len(part) == 1 else b.route(*part) for part in parts)
    return part1, part2
