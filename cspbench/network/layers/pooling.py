"""Pooling layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from cspbench.errors import DefinitionError
from cspbench.network.layers.base import Layer, Shape, check_range, check_window
from cspbench.network.operations import Operations


@dataclass(frozen=True, kw_only=True)
class _Window(Layer):
    """A sliding window. `padding` is the total over both sides, as in Darknet, whose default is size - 1.

    The first tap is at -(padding // 2); taps outside the image are ignored (spec: Darknet maxpool_layer.c).
    """

    size: int
    stride: int
    padding: int

    def __post_init__(self) -> None:
        check_range("size", self.size, 1024)
        check_range("stride", self.stride, 1024)
        check_range("padding", self.padding, 2 * (self.size - 1), lowest=0)  # every window overlaps the image

    def output(self, inputs: Sequence[Shape]) -> Shape:
        channels, height, width = inputs[0]
        rows = (height + self.padding - self.size) // self.stride + 1
        columns = (width + self.padding - self.size) // self.stride + 1
        return check_window((channels, rows, columns), inputs[0], self.size - self.padding, "pooling window")

    def operations(self, inputs: Sequence[Shape], output: Shape) -> Operations:
        return Operations(pool_taps=self.size**2 * prod(output), pool_input=prod(inputs[0]))

    def describe(self) -> str:
        return f"{self.size}x{self.size}/{self.stride}"


@dataclass(frozen=True, kw_only=True)
class MaxPool(_Window):
    """[maxpool]: the largest value of each window."""

    section: ClassVar[str] = "maxpool"


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
