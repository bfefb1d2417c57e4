"""The final layers of networks. They keep their input's shape; evaluation decodes the boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from cspbench.errors import DefinitionError
from cspbench.network.layers.base import Layer, Shape, check_groups, check_present, check_range

Anchor = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Softmax(Layer):
    """[softmax] over each of `groups` equal parts of the flattened input."""

    section: ClassVar[str] = "softmax"
    groups: int = 1
    temperature: float = 1.0

    def output(self, inputs: Sequence[Shape]) -> Shape:
        channels, height, width = inputs[0]
        check_range("groups", self.groups)
        if not self.temperature > 0:
            raise DefinitionError(
                "cfg.out-of-range",
                "temperature is out of range",
                expected="a number above 0",
                found=f"{self.temperature:g}",
                remedy="Correct temperature=",
            )
        check_groups(self.groups, channels * height * width, "softmax input")
        return inputs[0]


@dataclass(frozen=True, kw_only=True)
class Loss(Layer):
    """[cost], [contrastive]: training losses; the identity at inference."""

    section: ClassVar[str] = "cost"


@dataclass(frozen=True, kw_only=True)
class Detection(Layer):
    """Base of the box layers: classes and anchors; each anchor has `per_anchor` values and the classes."""

    per_anchor: ClassVar[int] = 5
    classes: int = 80
    anchors: tuple[Anchor, ...] = ()
    """Width, height in pixels of the network input ([region]: in grid cells)."""

    def __post_init__(self) -> None:
        check_range("classes", self.classes, 2**16)
        check_present(self.anchors, "network.no-anchors", "a detection layer has no anchors", "anchors=w,h, ...")

    @property
    def used(self) -> int:
        """Number of anchors that this layer predicts."""
        return len(self.anchors)

    @property
    def values(self) -> int:
        """Values of an anchor before its classes."""
        return self.per_anchor

    def output(self, inputs: Sequence[Shape]) -> Shape:
        channels = self.used * (self.values + self.classes)
        if inputs[0][0] != channels:
            raise DefinitionError(
                "network.head-filters",
                f"[{self.section}] does not fit the layer before it",
                expected=f"{channels} filters ({self.used} anchors x ({self.values} + {self.classes} classes))",
                found=f"{inputs[0][0]}",
                remedy="Correct filters= of the layer before, classes= or mask=",
            )
        return inputs[0]

    def describe(self) -> str:
        return f"{self.used} anchors, {self.classes} classes"


@dataclass(frozen=True, kw_only=True)
class Yolo(Detection):
    """[yolo]: x, y, w, h, objectness and independent class scores per anchor (spec: Darknet yolo_layer.c)."""

    section: ClassVar[str] = "yolo"
    mask: tuple[int, ...] = ()
    scale_x_y: float = 1.0
    new_coords: bool = False
    nms_kind: str = "default"
    beta_nms: float = 0.6

    def __post_init__(self) -> None:
        super().__post_init__()
        check_present(self.mask, "network.empty-mask", f"a [{self.section}] layer has an empty mask", "mask=0,1,2")
        unknown = [index for index in self.mask if not 0 <= index < len(self.anchors)]
        if unknown:
            raise DefinitionError(
                "network.unknown-anchor",
                "mask contains an unknown anchor",
                expected=f"0 to {len(self.anchors) - 1}",
                found=str(unknown[0]),
                remedy="Correct mask=, num= or anchors=",
            )

    @property
    def used(self) -> int:
        return len(self.mask)

    def describe(self) -> str:
        text = f"mask {','.join(map(str, self.mask))}, {self.classes} classes"
        return text if self.scale_x_y == 1 else f"{text}, scale_x_y {self.scale_x_y:g}"


@dataclass(frozen=True, kw_only=True)
class GaussianYolo(Yolo):
    """[Gaussian_yolo]: [yolo] with standard deviations of x, y, w, h."""

    section: ClassVar[str] = "Gaussian_yolo"
    kind: ClassVar[str] = "gaussian_yolo"
    per_anchor: ClassVar[int] = 9
    yolo_point: str = "center"


@dataclass(frozen=True, kw_only=True)
class Region(Detection):
    """[region]: the YOLOv2 head; anchors in grid cells, optional `softmax` over classes."""

    section: ClassVar[str] = "region"
    softmax: bool = False
    coords: int = 4
    """Values per anchor before its objectness; only with 4 can boxes be decoded."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("coords", self.coords, 2**16, lowest=0)

    @property
    def values(self) -> int:
        return self.coords + 1

    def unevaluated(self) -> str:
        return ", ".join([*self.count_only, *([f"coords={self.coords}"] if self.coords != 4 else [])])


@dataclass(frozen=True, kw_only=True)
class YoloV1(Detection):
    """[detection]: the head of YOLOv1, a vector of side x side cells.

    First the classes of every cell, then the objectness of its `num` boxes, then the `coords` values of each box. There
    are no anchors. Counting alone supports it.
    """

    section: ClassVar[str] = "detection"
    classes: int = 1
    side: int = 7
    num: int = 1
    coords: int = 1
    softmax: bool = False
    sqrt: bool = False

    def __post_init__(self) -> None:
        check_range("classes", self.classes, 2**16)
        check_range("side", self.side, 1024)
        check_range("num", self.num, 1024)
        check_range("coords", self.coords, 1024, lowest=0)

    @property
    def used(self) -> int:
        return self.num

    def output(self, inputs: Sequence[Shape]) -> Shape:
        values = self.side**2 * (self.num * (1 + self.coords) + self.classes)
        if prod(inputs[0]) != values:
            cell = f"{self.num} boxes x (1 + {self.coords}) + {self.classes} classes"
            raise DefinitionError(
                "network.head-filters",
                f"[{self.section}] does not fit the layer before it",
                expected=f"{values} values ({self.side}x{self.side} cells, each {cell})",
                found=str(prod(inputs[0])),
                remedy="Correct output= of the layer before, side=, num=, coords= or classes=",
            )
        return inputs[0]

    def describe(self) -> str:
        return f"{self.side}x{self.side} cells, {self.num} boxes, {self.classes} classes"

    def unevaluated(self) -> str:
        return "the boxes of YOLOv1"


@dataclass(frozen=True, kw_only=True)
class MultiBox(Detection):
    """[multibox]: the head of SSD (arXiv 1512.02325); a cfg cannot express it. Anchors in pixels of the network input.

    Channels: 4 offsets per anchor, then class scores per anchor, background first. In training, offsets are divided by
    `variances` (centre, size). Anchors are centred in their cells, which are `step` pixels wide (None: input side
    divided by map side). `clip` limits the anchors' centres and sizes to the input.
    """

    section: ClassVar[str] = "multibox"
    step: float | None = None
    variances: tuple[float, float] = (0.1, 0.2)
    clip: bool = False


@dataclass(frozen=True, kw_only=True)
class RefineBox(MultiBox):
    """[refinebox]: the two heads of RefineDet (arXiv 1711.06897) on one scale.

    Channels: 4 offsets and 2 scores (background, object) per anchor, which give the refined anchors; then the channels
    of a [multibox] on these.
    """

    section: ClassVar[str] = "refinebox"
    per_anchor: ClassVar[int] = 11


@dataclass(frozen=True, kw_only=True)
class RoiBox(Detection):
    """[roibox]: the second stage of Faster R-CNN: each row of the map is a proposal; there are no anchors.

    Channels: class scores, background last; 4 offsets from the proposal, common to all classes, divided by
    `variances`; the proposal itself (left, top, right, bottom in pixels of the network input).
    """

    section: ClassVar[str] = "roibox"
    per_anchor: ClassVar[int] = 9
    variances: tuple[float, float] = (0.1, 0.2)

    def __post_init__(self) -> None:
        check_range("classes", self.classes, 2**16)

    @property
    def used(self) -> int:
        return 1

    def describe(self) -> str:
        return f"{self.classes} classes"


@dataclass(frozen=True, kw_only=True)
class Yolox(Detection):
    """The head of YOLOX (arXiv 2107.08430): one box at each point of each level, or one for each anchor there.

    It has no map, and a cfg cannot say it: its rows, x, y, width, height, objectness and classes of a box each, are
    those of all levels. `anchors` are YOLOv3's of the steps that still have them, as many for each level, in its order.
    """

    section: ClassVar[str] = "yolox"
    strides: tuple[int, ...] = (8, 16, 32)
    """Pixels between the points of each level, in the order of the rows."""

    def __post_init__(self) -> None:
        check_range("classes", self.classes, 2**16)
        if len(self.anchors) % len(self.strides):
            raise DefinitionError(
                "network.anchors-of-levels",
                "the anchors cannot be shared out among the levels",
                expected=f"none, or as many for each of {len(self.strides)} levels",
                found=f"{len(self.anchors)} anchors",
                remedy="Correct anchors",
            )

    @property
    def used(self) -> int:
        return max(1, len(self.anchors) // len(self.strides))

    def describe(self) -> str:
        return f"{self.classes} classes" + (f", {self.used} anchors" if self.anchors else "")
