"""The CSPDarknet of YOLOX and mmdetection, and the path aggregation neck on it.

Source: spec a.3 and a.4. `channels` is the width of the stem; the stages have 2, 4, 8 and 16 times as many.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cspbench.zoo.yolox.blocks import Focus
from cspbench.zoo.yolox.units import Units

Levels = tuple[Tensor, Tensor, Tensor]
"""Maps with strides 8, 16 and 32."""


class CspDarknet(nn.Module):
    """(N, 3, H, W) to three maps (N, 4c, H / 8, W / 8), (N, 8c, H / 16, W / 16) and (N, 16c, H / 32, W / 32)."""

    def __init__(self, units: Units, channels: int, depth: int) -> None:
        super().__init__()
        c = channels

        def stage(inputs: int, blocks: int) -> nn.Sequential:
            return nn.Sequential(
                units.spatial(inputs, 2 * inputs, 2),
                units.cross_stage(2 * inputs, 2 * inputs, blocks, shortcut=True),
            )

        self.stem = Focus(units.conv(12, c, 3))
        self.dark2 = stage(c, depth)
        self.dark3 = stage(2 * c, 3 * depth)
        self.dark4 = stage(4 * c, 3 * depth)
        self.dark5 = nn.Sequential(
            units.spatial(8 * c, 16 * c, 2),
            units.pyramid(16 * c, 16 * c),
            units.cross_stage(16 * c, 16 * c, depth, shortcut=False),
        )

    def forward(self, x: Tensor) -> Levels:
        c3 = self.dark3(self.dark2(self.stem(x)))
        c4 = self.dark4(c3)
        return c3, c4, self.dark5(c4)


class PathAggregation(nn.Module):
    """A backbone with the neck that passes its maps down and up again; keeps their shapes."""

    def __init__(self, backbone: nn.Module, units: Units, channels: int, depth: int) -> None:
        super().__init__()
        c3, c4, c5 = 4 * channels, 8 * channels, 16 * channels
        self.backbone = backbone
        self.lateral_conv0 = units.conv(c5, c4, 1)
        self.C3_p4 = units.cross_stage(2 * c4, c4, depth, shortcut=False)
        self.reduce_conv1 = units.conv(c4, c3, 1)
        self.C3_p3 = units.cross_stage(2 * c3, c3, depth, shortcut=False)
        self.bu_conv2 = units.spatial(c3, c3, 2)
        self.C3_n3 = units.cross_stage(2 * c3, c4, depth, shortcut=False)
        self.bu_conv1 = units.spatial(c4, c4, 2)
        self.C3_n4 = units.cross_stage(2 * c4, c5, depth, shortcut=False)
        self.upsample = nn.Upsample(scale_factor=2)

    def forward(self, x: Tensor) -> Levels:
        dark3, dark4, dark5 = self.backbone(x)
        lateral5 = self.lateral_conv0(dark5)
        lateral4 = self.reduce_conv1(self.C3_p4(torch.cat((self.upsample(lateral5), dark4), 1)))
        fine = self.C3_p3(torch.cat((self.upsample(lateral4), dark3), 1))
        middle = self.C3_n3(torch.cat((self.bu_conv2(fine), lateral4), 1))
        coarse = self.C3_n4(torch.cat((self.bu_conv1(middle), lateral5), 1))
        return fine, middle, coarse


class CspClassifier(nn.Module):
    """The backbone with the mean of each channel and a linear layer: (N, 3, H, W) to logits (N, classes)."""

    def __init__(self, backbone: CspDarknet, channels: int, classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.ModuleDict({"fc": nn.Linear(16 * channels, classes)})

    def forward(self, x: Tensor) -> Tensor:
        _, _, coarse = self.backbone(x)
        logits: Tensor = self.head["fc"](torch.flatten(self.pool(coarse), 1))
        return logits
