"""Pooling layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

from cspbench.errors import DefinitionError
from cspbench.network.layers.base import BLURS, Layer, Shape, blurred, check_choice, check_range, check_window
from cspbench.network.operations import Operations


@dataclass(frozen=True, kw_only=True)
class _Window(Layer):
    """A sliding window. `padding` is the total over both sides, as in Darknet, whose default is size - 1.

    The first tap is at -(padding // 2); taps outside the image are ignored (spec: Darknet maxpool_layer.c).
    """

    size: int
    stride: int
    """Vertical, and horizontal too unless `horizontal` is another."""
    padding: int
    horizontal: int | None = None

    def __post_init__(self) -> None:
        check_range("size", self.size, 1024)
        check_range("stride", self.stride, 1024)
        if self.horizontal is not None:
            check_range("stride_x", self.horizontal, 1024)
        check_range("padding", self.padding, 2 * (self.size - 1), lowest=0)  # every window overlaps the image

    @property
    def strides(self) -> tuple[int, int]:
        """Vertical, horizontal."""
        return self.stride, self.stride if self.horizontal is None else self.horizontal

    def pooled(self, inputs: Sequence[Shape]) -> Shape:
        """The shape that the pooling itself has."""
        return self._shape(inputs, self.strides)

    def _shape(self, inputs: Sequence[Shape], strides: tuple[int, int]) -> Shape:
        channels, height, width = inputs[0]
        rows = (height + self.padding - self.size) // strides[0] + 1
        columns = (width + self.padding - self.size) // strides[1] + 1
        return check_window((channels, rows, columns), inputs[0], self.size - self.padding, "pooling window")

    def output(self, inputs: Sequence[Shape]) -> Shape:
        return self.pooled(inputs)

    def operations(self, inputs: Sequence[Shape], output: Shape) -> Operations:
        return Operations(pool_taps=self.size**2 * prod(self.pooled(inputs)), pool_input=prod(inputs[0]))

    def describe(self) -> str:
        return f"{self.size}x{self.size}/{self.stride if self.horizontal is None else self.strides}"


@dataclass(frozen=True, kw_only=True)
class MaxPool(_Window):
    """[maxpool]: the largest value of each window.

    `antialiasing` pools at stride 1 and then blurs at the given stride, as a convolution's does.
    """

    section: ClassVar[str] = "maxpool"
    antialiasing: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("antialiasing", self.antialiasing, tuple(BLURS))

    @property
    def blur_size(self) -> int:
        """Side of the antialiasing kernel, 0 without antialiasing."""
        return BLURS[self.antialiasing]

    def pooled(self, inputs: Sequence[Shape]) -> Shape:
        return self._shape(inputs, (1, 1) if self.antialiasing else self.strides)

    def output(self, inputs: Sequence[Shape]) -> Shape:
        channels, *size = self.pooled(inputs)
        if self.antialiasing:
            size = list(blurred((size[0], size[1]), self.blur_size, self.strides))
        return check_window((channels, size[0], size[1]), inputs[0], self.blur_size, "blur")

    def operations(self, inputs: Sequence[Shape], output: Shape) -> Operations:
        return replace(super().operations(inputs, output), blur=prod(output) * self.blur_size**2)


@dataclass(frozen=True, kw_only=True)
class LocalAvgPool(_Window):
    """[local_avgpool]: the mean of each window's taps inside the image."""

    section: ClassVar[str] = "local_avgpool"


@dataclass(frozen=True, kw_only=True)
class MaxPoolDepth(Layer):
    """[maxpool] maxpool_depth=1: channel g of the output is the largest of input channels g, g + K, g + 2K, ..."""

    section: ClassVar[str] = "maxpool"
    kind: ClassVar[str] = "maxpool_depth"
    channels: int

    def __post_init__(self) -> None:
        check_range("out_channels", self.channels, 2**16)

    def output(self, inputs: Sequence[Shape]) -> Shape:
        if inputs[0][0] % self.channels:
            raise DefinitionError(
                "network.indivisible-channels",
                "out_channels does not divide the input channels",
                expected=f"a divisor of {inputs[0][0]}",
                found=str(self.channels),
                remedy="Correct out_channels=",
            )
        return self.channels, inputs[0][1], inputs[0][2]

    def operations(self, inputs: Sequence[Shape], output: Shape) -> Operations:
        return Operations(pool_taps=prod(inputs[0]), pool_input=prod(inputs[0]))

    def describe(self) -> str:
        return f"over depth to {self.channels}"


@dataclass(frozen=True, kw_only=True)
class AvgPool(Layer):
    """[avgpool]: the mean of each channel over the whole map."""

    section: ClassVar[str] = "avgpool"

    def output(self, inputs: Sequence[Shape]) -> Shape:
        return inputs[0][0], 1, 1

    def operations(self, inputs: Sequence[Shape], output: Shape) -> Operations:
        return Operations(global_pool_input=prod(inputs[0]), global_pool_output=prod(output))
