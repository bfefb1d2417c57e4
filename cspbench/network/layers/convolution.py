"""Convolution and connected layers; separate batch normalisation and activation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from cspbench.errors import DefinitionError
from cspbench.network.layers.base import (
    ACTIVATIONS,
    BLURS,
    LARGEST_FILTERS,
    Layer,
    Shape,
    Weight,
    blurred,
    check_choice,
    check_groups,
    check_range,
    check_window,
)
from cspbench.network.operations import Operations


def batch_norm_weights(channels: int) -> tuple[Weight, ...]:
    """The arrays of a batch normalisation in file order, without its beta."""
    return (Weight("scale", (channels,)), Weight("mean", (channels,)), Weight("variance", (channels,)))


@dataclass(frozen=True, kw_only=True)
class Convolution(Layer):
    """[convolutional]: a grouped 2-D convolution, batch normalisation or bias, activation.

    The output size follows from `padding`; with dilation d the taps are padded by padding * d, so that only a padding
    of (size - 1) / 2 is consistent.
    `antialiasing` convolves at stride 1 and then blurs at the given stride, with a 3x3 binomial kernel (1) or a 2x2
    mean (2). `share` is the index of an earlier convolution whose arrays this layer uses.
    Without batch normalisation Darknet always adds a bias; `bias` False omits it, for networks that normalise later,
    after a concatenation. It has no effect with `batch_normalize`, and a cfg cannot express it.
    """

    section: ClassVar[str] = "convolutional"
    filters: int
    size: int = 1
    stride: tuple[int, int] = (1, 1)
    """Vertical, horizontal."""
    padding: int = 0
    groups: int = 1
    dilation: int = 1
    batch_normalize: bool = True
    bias: bool = True
    activation: str = "leaky"
    antialiasing: int = 0
    share: int | None = None

    def __post_init__(self) -> None:
        check_range("filters", self.filters, LARGEST_FILTERS)
        check_range("size", self.size, 1024)
        check_range("stride", min(self.stride), 1024)
        check_range("stride", max(self.stride), 1024)
        check_range("groups", self.groups)
        check_range("dilation", self.dilation, 1024)
        check_range("padding", self.padding, 1024, lowest=0)
        check_choice("activation", self.activation, ACTIVATIONS)
        check_choice("antialiasing", self.antialiasing, tuple(BLURS))

    @property
    def step(self) -> tuple[int, int]:
        """The stride of the convolution itself: 1 if a blur has the stride."""
        return (1, 1) if self.antialiasing else self.stride

    @property
    def shifts(self) -> bool:
        """Whether it adds a bias or a batch normalisation's beta to each channel."""
        return self.batch_normalize or self.bias

    @property
    def binary(self) -> bool:
        """Whether weights and input are binary, so that Darknet counts a 32nd of the operations."""
        return "xnor=1" in self.count_only

    @property
    def blur_size(self) -> int:
        """Side of the antialiasing kernel, 0 without antialiasing."""
        return BLURS[self.antialiasing]

    def convolved(self, inputs: Sequence[Shape]) -> Shape:
        """The shape before the blur."""
        _, height, width = inputs[0]
        # Darknet ignores dilation here, which is right for odd sizes since the padding is padding * dilation.
        rows = (height + 2 * self.padding - self.size) // self.step[0] + 1
        columns = (width + 2 * self.padding - self.size) // self.step[1] + 1
        return self.filters, rows, columns

    def output(self, inputs: Sequence[Shape]) -> Shape:
        check_groups(self.groups, inputs[0][0], "input channels")
        check_groups(self.groups, self.filters, "filters")
        if self.dilation > 1 and (self.size == 1 or 2 * self.padding != self.size - 1):
            # Darknet's size rule ignores dilation; in these cases its map has another size than it declares.
            raise DefinitionError(
                "network.dilation",
                "this dilation does not fit size and padding",
                expected="an odd size above 1 with a padding of (size - 1) / 2, or dilation=1",
                found=f"size={self.size}, padding={self.padding}, dilation={self.dilation}",
                remedy="Use an odd size= with pad=1, or remove dilation=",
            )
        _, rows, columns = self.convolved(inputs)
        if self.antialiasing:
            rows, columns = blurred((rows, columns), self.blur_size, self.stride)
        return check_window((self.filters, rows, columns), inputs[0], self.size - 2 * self.padding, "kernel")

    def weights(self, inputs: Sequence[Shape]) -> tuple[Weight, ...]:
        if self.share is not None:
            return ()
        kernel = Weight("weight", (self.filters, inputs[0][0] // self.groups, self.size, self.size))
        statistics = batch_norm_weights(self.filters) if self.batch_normalize else ()
        shift = (Weight("bias", (self.filters,)),) if self.shifts else ()
        return (*shift, *statistics, kernel)

    def operations(self, inputs: Sequence[Shape], output: Shape) -> Operations:
        filters, rows, columns = self.convolved(inputs)
        elements = filters * rows * columns
        multiplications = elements * (inputs[0][0] // self.groups) * self.size**2
        return Operations(
            conv=multiplications,
            xnor=multiplications if self.binary else 0,
            blur=output[0] * output[1] * output[2] * self.blur_size**2,
            batch_norm=elements if self.batch_normalize else 0,
            activation=elements if self.activation != "linear" else 0,
        )

    def describe(self) -> str:
        settings = [f"{self.filters} {self.size}x{self.size}"]
        if self.stride != (1, 1):
            settings.append(f"/{self.stride[0]}" if self.stride[0] == self.stride[1] else f"/{self.stride}")
        if self.groups > 1:
            settings.append(f"groups {self.groups}")
        if self.dilation > 1:
            settings.append(f"dilation {self.dilation}")
        if not self.batch_normalize:
            settings.append("bias" if self.bias else "bare")
        if self.antialiasing:
            settings.append(f"blur {self.blur_size}x{self.blur_size}")
        if self.share is not None:
            settings.append(f"shares {self.share}")
        return " ".join([*settings, self.activation])


@dataclass(frozen=True, kw_only=True)
class Connected(Layer):
    """[connected]: y = W x + b over the flattened input; in the file, batch-norm arrays follow the weights."""

    section: ClassVar[str] = "connected"
    outputs: int
    batch_normalize: bool = False
    activation: str = "logistic"

    def __post_init__(self) -> None:
        check_range("output", self.outputs, 2**20)
        check_choice("activation", self.activation, ACTIVATIONS)

    def output(self, inputs: Sequence[Shape]) -> Shape:
        return self.outputs, 1, 1

    def weights(self, inputs: Sequence[Shape]) -> tuple[Weight, ...]:
        channels, height, width = inputs[0]
        kernel = Weight("weight", (self.outputs, channels * height * width))
        statistics = batch_norm_weights(self.outputs) if self.batch_normalize else ()
        return (Weight("bias", (self.outputs,)), kernel, *statistics)

    def operations(self, inputs: Sequence[Shape], output: Shape) -> Operations:
        channels, height, width = inputs[0]
        return Operations(
            linear=self.outputs * channels * height * width,
            batch_norm=self.outputs if self.batch_normalize else 0,
            activation=self.outputs if self.activation != "linear" else 0,
        )

    def describe(self) -> str:
        return f"{self.outputs} {self.activation}"


@dataclass(frozen=True, kw_only=True)
class BatchNorm(Layer):
    """[batchnorm]: a separate batch normalisation."""

    section: ClassVar[str] = "batchnorm"

    def weights(self, inputs: Sequence[Shape]) -> tuple[Weight, ...]:
        return (Weight("bias", (inputs[0][0],)), *batch_norm_weights(inputs[0][0]))

    def operations(self, inputs: Sequence[Shape], output: Shape) -> Operations:
        return Operations(batch_norm=output[0] * output[1] * output[2])


@dataclass(frozen=True, kw_only=True)
class Activation(Layer):
    """[activation]: a separate non-linearity, for networks that activate before they convolve."""

    section: ClassVar[str] = "activation"
    activation: str = "relu"

    def __post_init__(self) -> None:
        check_choice("activation", self.activation, ACTIVATIONS)

    def operations(self, inputs: Sequence[Shape], output: Shape) -> Operations:
        elements = output[0] * output[1] * output[2]
        return Operations(activation=elements if self.activation != "linear" else 0)

    def describe(self) -> str:
        return self.activation
