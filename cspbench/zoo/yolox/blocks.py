"""The blocks of YOLOX: each takes the modules that it is made of. Keys are those of Megvii's checkpoints.

Source: spec a.2 and a.6. Maps are (N, C, H, W).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cspbench.network.modular.sum import Sum
from cspbench.zoo.yolox.designs import EPSILON

MOMENTUM = 0.03
"""Of every batch norm."""


class ConvUnit(nn.Module):
    """A convolution without bias, batch norm and activation: `inputs` to `outputs` channels; height, width / stride."""

    def __init__(
        self, inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1, *, activation: nn.Module
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, (size - 1) // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs, EPSILON, MOMENTUM)
        self.act = activation

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.act(self.bn(self.conv(x)))
        return out


class SeparableConv(nn.Module):
    """A convolution of each channel by itself, then a 1x1 over the channels; both are units."""

    def __init__(self, depthwise: ConvUnit, pointwise: ConvUnit) -> None:
        super().__init__()
        self.dconv = depthwise
        self.pconv = pointwise

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.pconv(self.dconv(x))
        return out


class Bottleneck(nn.Module):
    """Two units, and their input added after the second activation if there is a `shortcut`; keeps the shape."""

    def __init__(self, reduce: nn.Module, spatial: nn.Module, shortcut: bool) -> None:
        super().__init__()
        self.conv1 = reduce
        self.conv2 = spatial
        self.sum = Sum() if shortcut else None

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv2(self.conv1(x))
        return out if self.sum is None else self.sum(out, x)


class ResidualUnit(nn.Module):
    """Darknet's residual block: two units, and their input added; keeps the shape."""

    def __init__(self, reduce: nn.Module, spatial: nn.Module) -> None:
        super().__init__()
        self.layer1 = reduce
        self.layer2 = spatial
        self.sum = Sum()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.sum(self.layer2(self.layer1(x)), x)
        return out


class CrossStage(nn.Module):
    """A cross stage partial stage: `main` and `short` read the input, the blocks follow `main`, `last` joins both.

    The channels of the blocks come first.
    """

    def __init__(self, main: nn.Module, short: nn.Module, blocks: Sequence[nn.Module], last: nn.Module) -> None:
        super().__init__()
        self.conv1 = main
        self.conv2 = short
        self.conv3 = last
        self.m = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv3(torch.cat((self.m(self.conv1(x)), self.conv2(x)), 1))
        return out


class Focus(nn.Module):
    """Every 2x2 square of pixels as 4 C channels of one, then a unit: (N, C, H, W) to (N, outputs, H / 2, W / 2).

    The pixels' order is top left, bottom left, top right, bottom right.
    """

    def __init__(self, unit: nn.Module) -> None:
        super().__init__()
        self.conv = unit

    def forward(self, x: Tensor) -> Tensor:
        corners = [x[..., row::2, column::2] for column in (0, 1) for row in (0, 1)]
        out: Tensor = self.conv(torch.cat(corners, 1))
        return out


class SpatialPyramid(nn.Module):
    """A unit, then its map beside the largest values in windows of several sizes, then another unit."""

    def __init__(self, first: nn.Module, last: nn.Module, windows: Sequence[int] = (5, 9, 13)) -> None:
        super().__init__()
        self.conv1 = first
        self.m = nn.ModuleList(nn.MaxPool2d(size, 1, size // 2) for size in windows)
        self.conv2 = last

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        out: Tensor = self.conv2(torch.cat((x, *(pool(x) for pool in self.m)), 1))
        return out
