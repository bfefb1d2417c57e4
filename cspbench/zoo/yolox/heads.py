"""The heads of YOLOX and of its baseline: maps at strides 8, 16 and 32 to the raw numbers of every box.

Source: spec a.5 and b.4. A row is a box: x, y, w, h, objectness and the classes, before any sigmoid or exponential. The
levels follow each other in order of their strides; in a level the rows of the first anchor come first, cell by cell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cspbench.zoo.yolox.csp import Levels
from cspbench.zoo.yolox.units import Units

PRIOR = 0.01
"""The probability of a class or an object in a cell of a new network."""
BOX = 4
"""Numbers of a box."""


class Yolox(nn.Module):
    """A network: (N, 3, H, W) to (N, boxes, 5 + classes)."""

    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        rows: Tensor = self.head(self.backbone(x))
        return rows


class DecoupledHead(nn.Module):
    """Classes and boxes from two branches of two 3x3 units on each level; objectness from that of the boxes.

    `widths` are the channels of the levels, `channels` those of the branches. `more` adds as many 3x3 units between the
    boxes' branch and the objectness, from which no gradient returns to the branch.
    """

    def __init__(
        self, units: Units, widths: Sequence[int], channels: int, classes: int, anchors: int = 1, more: int = 0
    ) -> None:
        super().__init__()

        def branches(depth: int) -> nn.ModuleList:
            return nn.ModuleList(
                nn.Sequential(*(units.spatial(channels, channels) for _ in range(depth))) for _ in widths
            )

        def predictions(outputs: int) -> nn.ModuleList:
            return nn.ModuleList(nn.Conv2d(channels, anchors * outputs, 1) for _ in widths)

        self.anchors = anchors
        self.cls_convs = branches(2)
        self.reg_convs = branches(2)
        self.cls_preds = predictions(classes)
        self.reg_preds = predictions(BOX)
        self.obj_preds = predictions(1)
        self.stems = nn.ModuleList(units.conv(width, channels, 1) for width in widths)
        self.obj_convs = branches(more) if more else None
        for prediction in (*self.cls_preds, *self.obj_preds):
            assert isinstance(prediction.bias, Tensor)
            nn.init.constant_(prediction.bias, -math.log((1 - PRIOR) / PRIOR))

    def forward(self, levels: Levels) -> Tensor:
        rows = []
        for k, level in enumerate(levels):
            stem = self.stems[k](level)
            box = self.reg_convs[k](stem)
            before = box if self.obj_convs is None else self.obj_convs[k](box.detach())
            parts = self.reg_preds[k](box), self.obj_preds[k](before), self.cls_preds[k](self.cls_convs[k](stem))
            rows.append(_rows(torch.cat([_by_anchor(part, self.anchors) for part in parts], 2)))
        return torch.cat(rows, 1)


class CoupledHead(nn.Module):
    """YOLOv3's head: on each level a 3x3 unit of twice the channels, then all numbers of the anchors by one 1x1.

    With `more` the objectness has its own 1x1 behind as many 3x3 units, which read the unit's map without a gradient
    to it, and keep its channels.
    """

    def __init__(self, units: Units, widths: Sequence[int], classes: int, anchors: int, more: int = 0) -> None:
        super().__init__()
        self.anchors = anchors
        joint = BOX + classes + (0 if more else 1)
        self.convs = nn.ModuleList(units.conv(width, 2 * width, 3) for width in widths)
        self.preds = nn.ModuleList(nn.Conv2d(2 * width, anchors * joint, 1) for width in widths)
        self.obj_convs = self.obj_preds = None
        if more:
            self.obj_convs = nn.ModuleList(
                nn.Sequential(*(units.conv(2 * width, 2 * width, 3) for _ in range(more))) for width in widths
            )
            self.obj_preds = nn.ModuleList(nn.Conv2d(2 * width, anchors, 1) for width in widths)

    def forward(self, levels: Levels) -> Tensor:
        rows = []
        for k, level in enumerate(levels):
            common = self.convs[k](level)
            numbers = _by_anchor(self.preds[k](common), self.anchors)
            if self.obj_convs is not None and self.obj_preds is not None:
                objectness = _by_anchor(self.obj_preds[k](self.obj_convs[k](common.detach())), self.anchors)
                numbers = torch.cat((numbers[:, :, :BOX], objectness, numbers[:, :, BOX:]), 2)
            rows.append(_rows(numbers))
        return torch.cat(rows, 1)


def _by_anchor(x: Tensor, anchors: int) -> Tensor:
    """(N, anchors * C, H, W) to (N, anchors, C, H, W)."""
    return x.reshape(x.shape[0], anchors, x.shape[1] // anchors, *x.shape[2:])


def _rows(x: Tensor) -> Tensor:
    """(N, anchors, C, H, W) to (N, anchors * H * W, C)."""
    return x.flatten(3).transpose(2, 3).flatten(1, 2)
