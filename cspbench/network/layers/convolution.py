"""Convolution, connected, batch normalisation, and an activation on its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from cspbench.errors import DefinitionError
from cspbench.network.layers.base import Layer, Shape, Weight, known_activation, positive
from cspbench.network.operations import Operations

LARGEST_FILTERS = 2**16
"""More output channels than any Darknet network has (yolo9000, the widest, has 28,269)."""


def batch_norm_weights(channels: int) -> tuple[Weight, ...]:
    """The three arrays of a batch normalisation besides its beta, in file order."""
    return (Weight("scale", (channels,)), Weight("mean", (channels,)), Weight("variance", (channels,)))


@dataclass(frozen=True, kw_only=True)
class Convolution(Layer):
    """[convolutional]: a grouped 2-D convolution, batch normalisation or bias, activation.

    `padding` is what the output size is computed with; with dilation d the taps see padding * d, so that only a
    padding of (size - 1) / 2 fits.
    `antialiasing` 1 runs at stride 1 and then blurs with a 3x3 binomial kernel at the stride asked for, 2 with a
    2x2 mean. `share` names an earlier convolution whose arrays this layer uses instead of its own.
    Without batch normalisation Darknet always adds a bias; `bias` False leaves it out, as networks do that normalise
    later, after a concatenation. It changes nothing where `batch_normalize` is set, and no cfg can say it.
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
        positive("filters", self.filters, LARGEST_FILTERS)
        positive("size", self.size, 1024)
        positive("stride", min(self.stride), 1024)
        positive("stride", max(self.stride), 1024)
        positive("groups", self.groups)
        positive("dilation", self.dilation, 1024)
        if not 0 <= self.padding <= 1024:
            raise DefinitionError(
                "cfg.out-of-range",
                "padding is out of range",
                expected="0 to 1024",
                found=str(self.padding),
                remedy="Correct padding=",
            )
        known_activation(self.activation)
        if self.antialiasing not in (0, 1, 2):
            raise DefinitionError(
                "cfg.unknown-value",
                "unknown antialiasing",
                expected="0, 1 (3x3 binomial) or 2 (2x2 mean)",
                found=str(self.antialiasing),
                remedy="Correct antialiasing=",
            )

    @property
    def step(self) -> tuple[int, int]:
        """The stride the convolution itself runs at: 1 when a blur does the striding."""
        return (1, 1) if self.antialiasing else self.stride

    @property
    def shifts(self) -> bool:
        """Whether something is added to each channel: the batch normalisation's beta or a bias."""
        return self.batch_normalize or self.bias

    @property
    def blur_size(self) -> int:
        """Width of the antialiasing kernel, 0 without one."""
        return {0: 0, 1: 3, 2: 2}[self.antialiasing]

    @property
    def blur_padding(self) -> int:
        """Padding of the antialiasing kernel on each side."""
        return 1 if self.antialiasing == 1 else 0

    def convolved(self, inputs: Sequence[Shape]) -> Shape:
        """The map that the convolution itself writes, before a blur strides over it."""
        _, height, width = inputs[0]
        # Darknet computes the size without dilation, which a padding of padding * dilation makes true for odd sizes.
        rows = (height + 2 * self.padding - self.size) // self.step[0] + 1
        columns = (width + 2 * self.padding - self.size) // self.step[1] + 1
        return self.filters, rows, columns

    def output(self, inputs: Sequence[Shape]) -> Shape:
        channels = inputs[0][0]
        for name, value in (("input channels", channels), ("filters", self.filters)):
            if value % self.groups:
                raise DefinitionError(
                    "network.indivisible-groups",
                    f"groups do not divide the {name}",
                    expected=f"a divisor of {value}",
                    found=f"groups={self.groups}",
                    remedy="Correct groups= or filters=",
                )
        if self.dilation > 1 and (self.size == 1 or 2 * self.padding != self.size - 1):
            # Darknet's size rule leaves the dilation out; elsewhere the map it declares is not the map it computes.
            raise DefinitionError(
                "network.dilation",
                "dilation does not fit size and padding",
                expected="an odd size above 1 with a padding of (size - 1) / 2, or dilation=1",
                found=f"size={self.size}, padding={self.padding}, dilation={self.dilation}",
                remedy="Use an odd size= with pad=1, or remove dilation=",
            )
        _, rows, columns = self.convolved(inputs)
        if self.antialiasing:
            over = 2 * self.blur_padding - self.blur_size
            rows = (rows + over) // self.stride[0] + 1
            columns = (columns + over) // self.stride[1] + 1
        if rows < 1 or columns < 1:
            raise DefinitionError(
                "network.window-too-large",
                "the kernel is larger than its padded input",
                expected=f"at least {self.size - 2 * self.padding}x{self.size - 2 * self.padding}",
                found=f"{inputs[0][1]}x{inputs[0][2]}",
                remedy="Use a larger network input or a smaller size=",
            )
        return self.filters, rows, columns

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
        return Operations(
            conv=elements * (inputs[0][0] // self.groups) * self.size**2,
            blur=output[0] * output[1] * output[2] * self.blur_size**2,
            batch_norm=elements if self.batch_normalize else 0,
            activation=elements if self.activation != "linear" else 0,
        )

    def describe(self) -> str:
        words = [f"{self.filters} {self.size}x{self.size}"]
        if self.stride != (1, 1):
            words.append(f"/{self.stride[0]}" if self.stride[0] == self.stride[1] else f"/{self.stride}")
        if self.groups > 1:
            words.append(f"groups {self.groups}")
        if self.dilation > 1:
            words.append(f"dilation {self.dilation}")
        if not self.batch_normalize:
            words.append("bias" if self.bias else "bare")
        if self.antialiasing:
            words.append(f"blur {self.blur_size}x{self.blur_size}")
        if self.share is not None:
            words.append(f"shares {self.share}")
        return " ".join([*words, self.activation])


@dataclass(frozen=True, kw_only=True)
class Connected(Layer):
    """[connected]: y = W x + b over the flattened input; its batch-norm arrays follow the weights in the file."""

    section: ClassVar[str] = "connected"
    outputs: int
    batch_normalize: bool = False
    activation: str = "logistic"

    def __post_init__(self) -> None:
        positive("output", self.outputs, 2**20)
        known_activation(self.activation)

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
    """[batchnorm]: batch normalisation on its own."""

    section: ClassVar[str] = "batchnorm"

    def weights(self, inputs: Sequence[Shape]) -> tuple[Weight, ...]:
        return (Weight("bias", (inputs[0][0],)), *batch_norm_weights(inputs[0][0]))

    def operations(self, inputs: Sequence[Shape], output: Shape) -> Operations:
        return Operations(batch_norm=output[0] * output[1] * output[2])


@dataclass(frozen=True, kw_only=True)
class Activation(Layer):
    """[activation]: a non-linearity on its own, for networks that activate before they convolve."""

    section: ClassVar[str] = "activation"
    activation: str = "relu"

    def __post_init__(self) -> None:
        known_activation(self.activation)

    def operations(self, inputs: Sequence[Shape], output: Shape) -> Operations:
        elements = output[0] * output[1] * output[2]
        return Operations(activation=elements if self.activation != "linear" else 0)

    def describe(self) -> str:
        return self.activation
