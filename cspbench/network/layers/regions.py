"""The layers of a two-stage detector that choose regions of a map and read them; none of Darknet's, and in no cfg.

What they reckon is counted by no tool, and by no counting here: boxes and coordinates, a few samples for each region.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from cspbench.errors import DefinitionError
from cspbench.network.layers.base import Layer, Shape, positive
from cspbench.network.layers.heads import Anchor


@dataclass(frozen=True, kw_only=True)
class Proposals(Layer):
    """[proposals]: the best boxes of a region proposal network, a row each: (4, count, 1).

    Reads the scores (one for each anchor) and the offsets (4 for each). Of the `considered` best anchors overlapping
    ones are suppressed (IoU above `overlap`), and the `count` best of the rest are written: left, top, right, bottom in
    pixels of the network input, cut off at its border. Rows that are left over hold zeros. `anchors` are in pixels,
    around the upper left corner of their cell, which is `stride` pixels wide.
    """

    section: ClassVar[str] = "proposals"
    anchors: tuple[Anchor, ...]
    stride: int = 16
    considered: int = 2000
    count: int = 200
    overlap: float = 0.7

    def __post_init__(self) -> None:
        positive("stride", self.stride)
        positive("considered", self.considered)
        positive("count", self.count)

    def output(self, inputs: Sequence[Shape]) -> Shape:
        scores, offsets = inputs
        anchors = len(self.anchors)
        if (scores[0], offsets[0]) != (anchors, 4 * anchors) or scores[1:] != offsets[1:]:
            raise DefinitionError(
                "network.anchor-channels",
                "scores and offsets do not fit the anchors",
                expected=f"{anchors} and {4 * anchors} channels of one height and width",
                found=" and ".join("x".join(map(str, shape)) for shape in inputs),
                remedy="Correct filters= of the layers read, or the anchors",
            )
        return 4, self.count, 1

    def describe(self) -> str:
        return f"{self.count} of {len(self.anchors)} anchors, IoU {self.overlap:g}"


@dataclass(frozen=True, kw_only=True)
class RoiAlign(Layer):
    """[roialign]: position-sensitive (Light-Head R-CNN, arXiv 1711.07264): C channels of each region, (C, count, 1).

    Reads a map and the regions, as [proposals] writes them. A region is cut into `bins` x `bins` parts, and each part
    reads channels of its own: channel (k * bins + row) * bins + column for the k-th value of the part in that row and
    column. What it reads is the largest of `samples` x `samples` evenly spread samples, each interpolated between four
    pixels; pixel i lies at i, and beyond the border its pixels go on.
    """

    section: ClassVar[str] = "roialign"
    bins: int = 7
    stride: int = 16
    samples: int = 2

    def __post_init__(self) -> None:
        positive("bins", self.bins, 1024)
        positive("stride", self.stride)
        positive("samples", self.samples, 1024)

    def output(self, inputs: Sequence[Shape]) -> Shape:
        features, regions = inputs
        if features[0] % self.bins**2 or (regions[0], regions[2]) != (4, 1):
            raise DefinitionError(
                "network.region-channels",
                "cannot read regions of this map",
                expected=f"a multiple of {self.bins**2} channels, and regions of 4 x count x 1",
                found=" and ".join("x".join(map(str, shape)) for shape in inputs),
                remedy="Correct bins= or the layers read",
            )
        return features[0], regions[1], 1

    def describe(self) -> str:
        return f"{self.bins}x{self.bins}"
