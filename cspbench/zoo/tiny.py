"""YOLOv3-tiny.

Sources: YOLOv3 (arXiv 1804.02767) and yolov3-tiny.cfg of WongKinYiu/PartialResidualNetworks, to which this network is
equal layer by layer.
"""

from __future__ import annotations

from typing import Any

from cspbench.network.builder import Builder
from cspbench.network.layers.heads import Anchor
from cspbench.zoo.model import register

ANCHORS: tuple[Anchor, ...] = (
    *((10.0, 14.0), (23.0, 27.0), (37.0, 58.0)),
    *((81.0, 82.0), (135.0, 169.0), (344.0, 319.0)),
)
"""YOLOv3-tiny's six anchors."""

MASKS = ((3, 4, 5), (1, 2, 3))
"""Anchors of the heads with strides 32 and 16.

Both use anchor 3 and neither uses anchor 0: a mistake with which the published weights were trained, and therefore part
of the network. Other copies of the cfg have 0,1,2, which decodes every box of the finer head with a wrong anchor.
"""


def yolov3_tiny_trunk(b: Builder, filters: int = 1024) -> tuple[int, int, int]:
    """Append YOLOv3-tiny's backbone: 3x3 convolutions of doubling width, with a 2x2 max pool after each.

    Returns the last convolution with stride 16 and both with stride 32, the second of `filters`.
    """
    for width in (16, 32, 64, 128):
        b.conv(width, 3)
        b.maxpool(2)
    c4 = b.conv(256, 3)
    b.maxpool(2)
    first = b.conv(512, 3)
    b.maxpool(2, stride=1)
    return c4, first, b.conv(filters, 3)


def predict(
    b: Builder, mask: tuple[int, ...], *, anchors: tuple[Anchor, ...] = ANCHORS, classes: int = 80, **settings: Any
) -> int:
    """A linear 1x1 with one value per anchor and box term, and [yolo], with any other settings of it."""
    b.conv(len(mask) * (5 + classes), activation="linear", batch_normalize=False)
    return b.yolo(mask, anchors, classes=classes, **settings)


@register("yolov3-tiny", 416)
def yolov3_tiny(b: Builder) -> None:
    """YOLOv3-tiny (yolov3-tiny.cfg)."""
    c4, *_ = yolov3_tiny_trunk(b)
    coarse, fine = MASKS
    features = b.conv(256)
    b.conv(512, 3)
    predict(b, coarse)
    b.route(features)
    b.conv(128)
    upsampled = b.upsample()
    b.route(upsampled, c4)
    b.conv(256, 3)
    predict(b, fine)
