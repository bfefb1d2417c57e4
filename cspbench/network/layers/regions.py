"""Layers of two-stage detectors that propose regions of a map and read them. Darknet and its cfg lack them.

Their arithmetic (boxes, coordinates, a few samples per region) is not part of any counting, here or elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from cspbench.errors import DefinitionError
from cspbench.network.layers.base import Layer, Shape, check_range, sizes
from cspbench.network.layers.heads import Anchor


@dataclass(frozen=True, kw_only=True)
class Proposals(Layer):
    """[proposals]: the best boxes of a region proposal network, one per row: (4, count, 1).

    Reads scores (one per anchor) and offsets (4 per anchor). The `considered` best anchors are suppressed greedily (IoU
    above `overlap`) and the `count` best of the rest written as left, top, right, bottom in pixels of the network
    input, clipped to it; unused rows are zero. `anchors` are in pixels, centred on the upper left corner of their cell,
    which is `stride` pixels wide.
    """

    section: ClassVar[str] = "proposals"
    anchors: tuple[Anchor, ...]
    stride: int = 16
    considered: int = 2000
    count: int = 200
    overlap: float = 0.7

    def __post_init__(self) -> None:
        check_range("stride", self.stride)
        check_range("considered", self.considered)
        check_range("count", self.count)

    def output(self, inputs: Sequence[Shape]) -> Shape:
        scores, offsets = inputs
        anchors = len(self.anchors)
        if (scores[0], offsets[0]) != (anchors, 4 * anchors) or scores[1:] != offsets[1:]:
            raise DefinitionError(
                "network.anchor-channels",
                "scores and offsets do not fit the anchors",
                expected=f"{anchors} and {4 * anchors} channels of equal height and width",
                found=sizes(*inputs),
                remedy="Correct filters= of its sources, or the anchors",
            )
        return 4, self.count, 1

    def describe(self) -> str:
        return f"{self.count} of {len(self.anchors)} anchors, IoU {self.overlap:g}"


@dataclass(frozen=True, kw_only=True)
class RoiAlign(Layer):
    """[roialign]: position-sensitive (Light-Head R-CNN, arXiv 1711.07264): C channels per region, (C, count, 1).

    Reads a map and the output of [proposals]. A region is divided into `bins` x `bins` parts, each with channels of its
    own: channel (k * bins + row) * bins + column gives the k-th value of the part in that row and column, the largest
    of `samples` x `samples` evenly spaced samples. Each is interpolated from four pixels; pixel i is at coordinate i,
    and the border pixels extend outwards.
    """

    section: ClassVar[str] = "roialign"
    bins: int = 7
    stride: int = 16
    samples: int = 2

    def __post_init__(self) -> None:
        check_range("bins", self.bins, 1024)
        check_range("stride", self.stride)
        check_range("samples", self.samples, 1024)

    def output(self, inputs: Sequence[Shape]) -> Shape:
        features, regions = inputs
        if features[0] % self.bins**2 or (regions[0], regions[2]) != (4, 1):
            raise DefinitionError(
                "network.region-channels",
                "cannot read regions of this map",
                expected=f"a multiple of {self.bins**2} channels, and regions of 4 x count x 1",
                found=sizes(*inputs),
                remedy="Correct bins= or its sources",
            )
        return features[0], regions[1], 1

    def describe(self) -> str:
        return f"{self.bins}x{self.bins}"
