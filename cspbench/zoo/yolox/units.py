"""Units with one activation throughout, whose 3x3 convolutions may be separable: what a YOLOX is assembled from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import nn

from cspbench.zoo.yolox.blocks import Bottleneck, ConvUnit, CrossStage, ResidualUnit, SeparableConv, SpatialPyramid


@dataclass(frozen=True)
class Units:
    """Builds blocks by their widths in channels."""

    activation: Callable[[], nn.Module]
    separable: bool = False

    def conv(self, inputs: int, outputs: int, size: int, stride: int = 1) -> ConvUnit:
        """A plain unit, never separable."""
        return ConvUnit(inputs, outputs, size, stride, activation=self.activation())

    def spatial(self, inputs: int, outputs: int, stride: int = 1) -> nn.Module:
        """A 3x3 unit."""
        if not self.separable:
            return self.conv(inputs, outputs, 3, stride)
        depthwise = ConvUnit(inputs, inputs, 3, stride, inputs, activation=self.activation())
        return SeparableConv(depthwise, self.conv(inputs, outputs, 1))

    def cross_stage(self, inputs: int, outputs: int, depth: int, *, shortcut: bool) -> CrossStage:
        """A cross stage partial stage with `depth` bottlenecks, both parts half as wide as the output."""
        half = outputs // 2
        blocks = [Bottleneck(self.conv(half, half, 1), self.spatial(half, half), shortcut) for _ in range(depth)]
        main, short, last = self.conv(inputs, half, 1), self.conv(inputs, half, 1), self.conv(outputs, outputs, 1)
        return CrossStage(main, short, blocks, last)

    def pyramid(self, inputs: int, outputs: int) -> SpatialPyramid:
        half = inputs // 2
        return SpatialPyramid(self.conv(inputs, half, 1), self.conv(4 * half, outputs, 1))

    def residual(self, channels: int) -> ResidualUnit:
        return ResidualUnit(self.conv(channels, channels // 2, 1), self.conv(channels // 2, channels, 3))


SWISH = Units(nn.SiLU)
LEAKY = Units(partial(nn.LeakyReLU, 0.1))
