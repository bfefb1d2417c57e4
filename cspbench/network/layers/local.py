"""Layers that only the oldest networks have: locally connected layers and local response normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from cspbench.errors import DefinitionError
from cspbench.network.layers.base import (
    ACTIVATIONS,
    LARGEST_FILTERS,
    Layer,
    Shape,
    Weight,
    check_choice,
    check_range,
    check_window,
)
from cspbench.network.operations import Operations


@dataclass(frozen=True, kw_only=True)
class Local(Layer):
    """[local]: a convolution whose kernel and bias differ from place to place.

    Stored are a bias per output value and, place by place, the kernels (filters, channels, size, size).
    """

    section: ClassVar[str] = "local"
    filters: int
    size: int = 1
    stride: int = 1
    padding: int = 0
    activation: str = "logistic"

    def __post_init__(self) -> None:
        check_range("filters", self.filters, LARGEST_FILTERS)
        check_range("size", self.size, 1024)
        check_range("stride", self.stride, 1024)
        check_range("pad", self.padding, 1024, lowest=0)
        check_choice("activation", self.activation, ACTIVATIONS)
        if self.padding and self.size != 2 * self.padding + 1:
            # Darknet's size rule then disagrees with its own im2col
            raise DefinitionError(
                "network.local-padding",
                "the padding of [local] does not fit its size",
                expected="pad=0, or size=2*pad+1",
                found=f"size={self.size}, pad={self.padding}",
                remedy="Correct pad= or size=",
            )

    def output(self, inputs: Sequence[Shape]) -> Shape:
        _, height, width = inputs[0]
        rows = (height + 2 * self.padding - self.size) // self.stride + 1
        columns = (width + 2 * self.padding - self.size) // self.stride + 1
        return check_window((self.filters, rows, columns), inputs[0], self.size - 2 * self.padding, "kernel")

    def weights(self, inputs: Sequence[Shape]) -> tuple[Weight, ...]:
        _, rows, columns = shape = self.output(inputs)
        kernels = (rows * columns, self.filters, inputs[0][0] * self.size**2)
        return Weight("bias", shape), Weight("weight", kernels)

    def operations(self, inputs: Sequence[Shape], output: Shape) -> Operations:
        return Operations(
            linear=prod(output) * inputs[0][0] * self.size**2,
            activation=prod(output) if self.activation != "linear" else 0,
        )

    def describe(self) -> str:
        return f"{self.filters} {self.size}x{self.size}/{self.stride} {self.activation}"


@dataclass(frozen=True, kw_only=True)
class ResponseNorm(Layer):
    """[normalization], [lrn]: x / (kappa + alpha * s)^beta, s the sum of squares over neighbouring channels.

    Channel k sums channels k - (size - 1) // 2 to k + size // 2, without channel size // 2: Darknet's running sum
    never adds it, but subtracts it later like every other.
    """

    section: ClassVar[str] = "normalization"
    size: int = 5
    alpha: float = 0.0001
    beta: float = 0.75
    kappa: float = 1.0

    def __post_init__(self) -> None:
        check_range("size", self.size, 2**16)

    def output(self, inputs: Sequence[Shape]) -> Shape:
        if self.size // 2 > inputs[0][0]:
            raise DefinitionError(
                "network.window-too-large",
                "the normalisation is wider than its input",
                expected=f"size= of at most {2 * inputs[0][0] + 1}",
                found=str(self.size),
                remedy="Correct size=",
            )
        return inputs[0]

    def describe(self) -> str:
        return f"{self.size} channels"
