"""The settings of the networks of this family; they import torch when they build a module.

Source: spec a.1 and b.3. `channels` is the width of the stem, `depth` the number of bottlenecks in the first stage and
in each stage of the neck; other widths and depths are multiples of these.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from cspbench.network.layers.heads import Anchor
from cspbench.zoo.panet import ANCHORS_416 as YOLOV3

if TYPE_CHECKING:
    from torch import nn

    from cspbench.zoo.yolox.units import Units

EPSILON = 1e-3
"""Of every batch norm, beside the variance."""


@dataclass(frozen=True, kw_only=True)
class YoloxDesign:
    """YOLOX with the modified CSP v5 backbone: nano, tiny, s, m, l, x."""

    kind: ClassVar[str] = "yolox"
    strides: ClassVar[tuple[int, ...]] = (8, 16, 32)
    detects: ClassVar[bool] = True
    priors: ClassVar[tuple[Anchor, ...]] = ()
    channels: int
    depth: int
    separable: bool = False
    """Whether 3x3 convolutions, but for the stem's, are depthwise and then 1x1."""
    classes: int = 80

    def module(self) -> nn.Module:
        """(N, 3, H, W) to (N, boxes, 5 + classes); `heads` describes a row."""
        from cspbench.zoo.yolox.csp import CspDarknet, PathAggregation
        from cspbench.zoo.yolox.heads import DecoupledHead, Yolox

        units, c = _units(self.separable), self.channels
        neck = PathAggregation(CspDarknet(units, c, self.depth), units, c, self.depth)
        return Yolox(neck, DecoupledHead(units, (4 * c, 8 * c, 16 * c), 4 * c, self.classes))

    def with_classes(self, classes: int) -> Self:
        return replace(self, classes=classes)

    def backbone(self) -> CspBackboneDesign:
        return CspBackboneDesign(channels=self.channels, depth=self.depth, separable=self.separable)


@dataclass(frozen=True, kw_only=True)
class YoloxDarknetDesign:
    """YOLOX-DarkNet53 and the steps to it from YOLOv3."""

    kind: ClassVar[str] = "yolox-darknet53"
    strides: ClassVar[tuple[int, ...]] = (8, 16, 32)
    detects: ClassVar[bool] = True
    head: Literal["decoupled", "coupled"] = "decoupled"
    anchors: Literal[1, 3] = 1
    """Boxes of a cell."""
    more: int = 0
    """3x3 convolutions before the objectness that a network without NMS has in addition; no gradient leaves them."""
    classes: int = 80

    @property
    def priors(self) -> tuple[Anchor, ...]:
        """YOLOv3's, which the paper does not print."""
        return YOLOV3 if self.anchors > 1 else ()

    def module(self) -> nn.Module:
        """(N, 3, H, W) to (N, boxes, 5 + classes); `heads` describes a row."""
        from cspbench.zoo.yolox.darknet import WIDTHS, Darknet53, FeaturePyramid
        from cspbench.zoo.yolox.heads import CoupledHead, DecoupledHead, Yolox
        from cspbench.zoo.yolox.units import LEAKY

        neck = FeaturePyramid(Darknet53(LEAKY), LEAKY)
        if self.head == "coupled":
            return Yolox(neck, CoupledHead(LEAKY, WIDTHS, self.classes, self.anchors, self.more))
        return Yolox(neck, DecoupledHead(LEAKY, WIDTHS, 256, self.classes, self.anchors, self.more))

    def with_classes(self, classes: int) -> Self:
        return replace(self, classes=classes)


@dataclass(frozen=True, kw_only=True)
class CspClassifierDesign:
    """The backbone of YOLOX as a classifier, mmdetection's CSPDarknet P5."""

    kind: ClassVar[str] = "csp-classifier"
    strides: ClassVar[tuple[int, ...]] = (8, 16, 32)
    detects: ClassVar[bool] = False
    priors: ClassVar[tuple[Anchor, ...]] = ()
    channels: int
    depth: int
    separable: bool = False
    classes: int = 1000

    def module(self) -> nn.Module:
        """(N, 3, H, W) to logits (N, classes)."""
        from cspbench.zoo.yolox.csp import CspClassifier, CspDarknet

        backbone = CspDarknet(_units(self.separable), self.channels, self.depth)
        return CspClassifier(backbone, self.channels, self.classes)

    def with_classes(self, classes: int) -> Self:
        return replace(self, classes=classes)

    def backbone(self) -> CspBackboneDesign:
        return CspBackboneDesign(channels=self.channels, depth=self.depth, separable=self.separable)


@dataclass(frozen=True, kw_only=True)
class CspBackboneDesign:
    """The backbone alone."""

    kind: ClassVar[str] = "csp-backbone"
    strides: ClassVar[tuple[int, ...]] = (8, 16, 32)
    detects: ClassVar[bool] = False
    priors: ClassVar[tuple[Anchor, ...]] = ()
    classes: ClassVar[int] = 0
    channels: int
    depth: int
    separable: bool = False

    def module(self) -> nn.Module:
        """(N, 3, H, W) to three maps, (N, 4c, H / 8, W / 8) and so on."""
        from cspbench.zoo.yolox.csp import CspDarknet

        return CspDarknet(_units(self.separable), self.channels, self.depth)

    def with_classes(self, classes: int) -> Self:
        return self


def _units(separable: bool) -> Units:
    from cspbench.zoo.yolox.units import SWISH

    return replace(SWISH, separable=separable)
