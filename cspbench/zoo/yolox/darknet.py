"""DarkNet-53 as YOLOX has it, with spatial pyramid pooling, and the feature pyramid on it.

Source: spec a.6.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cspbench.zoo.yolox.csp import Levels
from cspbench.zoo.yolox.units import Units

STEM = 32
DEPTHS = (1, 2, 8, 8, 4)
"""Residual blocks of the stages, at strides 2 to 32."""
WIDTHS = (128, 256, 512)
"""Channels of the pyramid's maps at strides 8, 16 and 32."""


class Darknet53(nn.Module):
    """(N, 3, H, W) to maps of 256, 512 and 512 channels at strides 8, 16 and 32."""

    def __init__(self, units: Units) -> None:
        super().__init__()

        def stage(inputs: int, depth: int) -> list[nn.Module]:
            outputs = 2 * inputs
            return [units.conv(inputs, outputs, 3, 2), *(units.residual(outputs) for _ in range(depth))]

        one, two, three, four, five = DEPTHS
        self.stem = nn.Sequential(units.conv(3, STEM, 3), *stage(STEM, one))
        self.dark2 = nn.Sequential(*stage(64, two))
        self.dark3 = nn.Sequential(*stage(128, three))
        self.dark4 = nn.Sequential(*stage(256, four))
        self.dark5 = nn.Sequential(
            *stage(512, five),
            *(units.conv(1024, 512, 1), units.conv(512, 1024, 3)),
            units.pyramid(1024, 512),
            *(units.conv(512, 1024, 3), units.conv(1024, 512, 1)),
        )

    def forward(self, x: Tensor) -> Levels:
        c3 = self.dark3(self.dark2(self.stem(x)))
        c4 = self.dark4(c3)
        return c3, c4, self.dark5(c4)


class FeaturePyramid(nn.Module):
    """DarkNet-53 with a path down from its last map: maps of `WIDTHS` channels."""

    def __init__(self, backbone: Darknet53, units: Units) -> None:
        super().__init__()

        def five(inputs: int, narrow: int) -> nn.Sequential:
            return nn.Sequential(
                units.conv(inputs, narrow, 1),
                *(units.conv(narrow, 2 * narrow, 3), units.conv(2 * narrow, narrow, 1)),
                *(units.conv(narrow, 2 * narrow, 3), units.conv(2 * narrow, narrow, 1)),
            )

        self.backbone = backbone
        self.out1_cbl = units.conv(512, 256, 1)
        self.out1 = five(256 + 512, 256)
        self.out2_cbl = units.conv(256, 128, 1)
        self.out2 = five(128 + 256, 128)
        self.upsample = nn.Upsample(scale_factor=2)

    def forward(self, x: Tensor) -> Levels:
        dark3, dark4, dark5 = self.backbone(x)
        middle = self.out1(torch.cat((self.upsample(self.out1_cbl(dark5)), dark4), 1))
        fine = self.out2(torch.cat((self.upsample(self.out2_cbl(middle)), dark3), 1))
        return fine, middle, dark5
