"""Layers that rearrange values: upsample, reorg, crop, dropout and others; and the implicit vector.

[shuffle] and [resize] belong to networks from other papers; Darknet and its cfg lack them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import ClassVar

from cspbench.errors import DefinitionError
from cspbench.network.canonical import NOT_DIGESTED
from cspbench.network.layers.base import Layer, Shape, Weight, check_groups, check_range
from cspbench.network.operations import Operations


def _divides(stride: int, shape: Shape) -> None:
    if shape[1] % stride or shape[2] % stride:
        raise DefinitionError(
            "network.indivisible-map",
            "stride does not divide the map",
            expected=f"a divisor of {shape[1]} and {shape[2]}",
            found=f"stride={stride}",
            remedy="Correct stride= or the network input",
        )


@dataclass(frozen=True, kw_only=True)
class Upsample(Layer):
    """[upsample]: nearest-neighbour upsampling by `stride`, times `scale`; `reverse` sums stride x stride blocks.

    `bilinear` interpolates instead (corners not aligned), which a cfg cannot express.
    """

    section: ClassVar[str] = "upsample"
    stride: int = 2
    scale: float = 1.0
    reverse: bool = False
    bilinear: bool = False

    def __post_init__(self) -> None:
        check_range("stride", self.stride, 1024)

    def output(self, inputs: Sequence[Shape]) -> Shape:
        channels, height, width = inputs[0]
        if self.reverse:
            _divides(self.stride, inputs[0])
            return channels, height // self.stride, width // self.stride
        return channels, height * self.stride, width * self.stride

    def operations(self, inputs: Sequence[Shape], output: Shape) -> Operations:
        return Operations(upsample=0 if self.reverse else prod(output) * (4 if self.bilinear else 1))

    def describe(self) -> str:
        return f"1/{self.stride}" if self.reverse else f"x{self.stride}" + (" bilinear" if self.bilinear else "")


@dataclass(frozen=True, kw_only=True)
class Resize(Layer):
    """[resize]: `sources[0]` at the size of `sources[1]`: nearest neighbour, or `bilinear` with aligned corners."""

    section: ClassVar[str] = "resize"
    bilinear: bool = False

    def output(self, inputs: Sequence[Shape]) -> Shape:
        return inputs[0][0], *inputs[1][1:]

    def operations(self, inputs: Sequence[Shape], output: Shape) -> Operations:
        return Operations(upsample=prod(output) * (4 if self.bilinear else 1))

    def describe(self) -> str:
        return "bilinear" if self.bilinear else ""


@dataclass(frozen=True, kw_only=True)
class Shuffle(Layer):
    """[shuffle]: channel shuffle; for 2 `groups` the output is channels 0 2 4 .. 1 3 5 .."""

    section: ClassVar[str] = "shuffle"
    groups: int = 2

    def output(self, inputs: Sequence[Shape]) -> Shape:
        check_range("groups", self.groups)
        check_groups(self.groups, inputs[0][0], "channels")
        return inputs[0]

    def describe(self) -> str:
        return f"{self.groups} groups"


@dataclass(frozen=True, kw_only=True)
class Reorg(Layer):
    """[reorg3d]: space to depth by `stride`. [reorg] (`legacy`): the permutation of YOLOv2."""

    section: ClassVar[str] = "reorg3d"
    kind: ClassVar[str] = "reorg"
    stride: int = 2
    legacy: bool = False
    reverse: bool = False
    """Depth to space instead, which counting alone supports."""

    def __post_init__(self) -> None:
        check_range("stride", self.stride, 1024)

    def output(self, inputs: Sequence[Shape]) -> Shape:
        channels, height, width = inputs[0]
        if not self.reverse:
            _divides(self.stride, inputs[0])
        if (self.legacy or self.reverse) and channels % self.stride**2:
            raise DefinitionError(
                "network.indivisible-channels",
                "stride^2 does not divide the channels",
                expected=f"a multiple of {self.stride**2}",
                found=str(channels),
                remedy="Correct stride=",
            )
        if self.reverse:
            return channels // self.stride**2, height * self.stride, width * self.stride
        return channels * self.stride**2, height // self.stride, width // self.stride

    def describe(self) -> str:
        return ("x" if self.reverse else "/") + str(self.stride) + (" legacy" if self.legacy else "")

    def unevaluated(self) -> str:
        return "reverse=1" if self.reverse else ""


@dataclass(frozen=True, kw_only=True)
class Crop(Layer):
    """[crop]: at inference a centre crop; values v become 2v - 1 unless `noadjust`."""

    section: ClassVar[str] = "crop"
    height: int = 1
    width: int = 1
    noadjust: bool = False

    def output(self, inputs: Sequence[Shape]) -> Shape:
        channels, height, width = inputs[0]
        if not (1 <= self.height <= height and 1 <= self.width <= width):
            raise DefinitionError(
                "network.crop-too-large",
                "the crop does not fit its input",
                expected=f"at most {height}x{width}",
                found=f"{self.height}x{self.width}",
                remedy="Correct crop_height= and crop_width=",
            )
        return channels, self.height, self.width

    def describe(self) -> str:
        return f"{self.height}x{self.width}"


@dataclass(frozen=True, kw_only=True)
class Dropout(Layer):
    """[dropout]: the identity at inference."""

    section: ClassVar[str] = "dropout"
    probability: float = field(default=0.5, metadata=NOT_DIGESTED)

    def describe(self) -> str:
        return f"p {self.probability:g}"


@dataclass(frozen=True, kw_only=True)
class Empty(Layer):
    """[empty], [silence]: the identity."""

    section: ClassVar[str] = "empty"


@dataclass(frozen=True, kw_only=True)
class Implicit(Layer):
    """[implicit]: a learned vector of filters x atoms values, independent of the input."""

    section: ClassVar[str] = "implicit"
    filters: int
    atoms: int = 1

    def __post_init__(self) -> None:
        check_range("filters", self.filters, 2**16)
        check_range("atoms", self.atoms, 2**16)

    def output(self, inputs: Sequence[Shape]) -> Shape:
        return self.filters * self.atoms, 1, 1

    def weights(self, inputs: Sequence[Shape]) -> tuple[Weight, ...]:
        return (Weight("fusion", (self.filters * self.atoms,)),)

    def describe(self) -> str:
        return f"{self.filters}x{self.atoms}"
