"""Detectors with spatial pyramid pooling, a path aggregation neck and three [yolo] heads (YOLOv4's design).

Sources: SPP (arXiv 1406.4729), PANet (arXiv 1803.01534) with concatenation instead of addition, as in YOLOv4 (arXiv
2004.10934), and yolov4.cfg and the `*-panet-spp*` cfg files of WongKinYiu/CrossStagePartialNetworks and
AlexeyAB/darknet, to which these networks are equal layer by layer. The SAM and the giou-optimal detector have no
published file; comments give the evidence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from cspbench.network.builder import Builder
from cspbench.network.layers.heads import Anchor
from cspbench.zoo.darknet import csdarknet53_trunk
from cspbench.zoo.model import register
from cspbench.zoo.resnet import csresnet50_trunk, csresnext50_trunk
from cspbench.zoo.tiny import predict

Trunk = Callable[[Builder], tuple[int, int, int]]
"""Appends a backbone; returns the last layers of its stages with strides 8, 16 and 32."""

ANCHORS_416: tuple[Anchor, ...] = (
    *((10.0, 13.0), (16.0, 30.0), (33.0, 23.0)),
    *((30.0, 61.0), (62.0, 45.0), (59.0, 119.0)),
    *((116.0, 90.0), (156.0, 198.0), (373.0, 326.0)),
)
"""YOLOv3's nine anchors: k-means over COCO boxes at a 416x416 input."""

ANCHORS_512 = tuple((width * 512 // 416, height * 512 // 416) for width, height in ANCHORS_416)
"""The same anchors scaled to a 512x512 input and cut to whole pixels: 12,16, 19,36, ..., 459,401."""


@dataclass(frozen=True)
class Boxes:
    """Decoding settings of the three heads, from stride 8 to stride 32."""

    anchors: tuple[Anchor, ...] = ANCHORS_416
    masks: tuple[tuple[int, ...], ...] = ((0, 1, 2), (3, 4, 5), (6, 7, 8))
    scale_x_y: tuple[float, ...] = (1.0, 1.0, 1.0)
    nms_kind: str = "default"
    classes: int = 80


YOLOV3 = Boxes()
GRID_SENSITIVE = replace(YOLOV3, scale_x_y=(1.2, 1.1, 1.05))
"""Centres may exceed their cell a little, to reach its border (YOLOv4's "eliminate grid sensitivity")."""
OPTIMAL = replace(GRID_SENSITIVE, anchors=ANCHORS_512, nms_kind="greedynms")
"""The heads of the "optimal" training recipe."""


def alternating(b: Builder, filters: int, count: int) -> int:
    """`count` convolutions, alternately 1x1 to `filters` and 3x3 to twice as many."""
    for index in range(count):
        if index % 2:
            b.conv(2 * filters, 3)
        else:
            b.conv(filters)
    return b.last


def spatial_pyramid(b: Builder, sizes: tuple[int, ...] = (5, 9, 13)) -> int:
    """SPP: the current layer and max pools of it at stride 1, concatenated, the largest window first."""
    source = b.last
    pooled = [b.maxpool(sizes[0], 1)]
    for size in sizes[1:]:
        b.route(source)
        pooled.append(b.maxpool(size, 1))
    return b.route(*reversed(pooled), source)


def top_down(b: Builder, filters: int, lateral: int) -> int:
    """Concatenate the upsampled current map and the finer backbone map `lateral`, each after a 1x1."""
    b.conv(filters)
    coarse = b.upsample()
    b.route(lateral)
    fine = b.conv(filters)
    b.route(fine, coarse)
    return alternating(b, filters, 5)


def bottom_up(b: Builder, filters: int, finer: int, lateral: int) -> int:
    """Concatenate a finer map, after a 3x3 of stride 2, and the top-down map of this stride."""
    b.route(finer)
    fine = b.conv(filters, 3, stride=2)
    b.route(fine, lateral)
    return alternating(b, filters, 5)


def point_wise_attention(b: Builder, filters: int) -> int:
    """YOLOv4's modified SAM: the current map of `filters` channels times its own gate, a 1x1 with logistic."""
    features = b.last
    b.conv(filters, activation="logistic")
    return b.sam(features)


def head(b: Builder, filters: int, boxes: Boxes, scale: int, *, attention: bool = False) -> int:
    """A 3x3 to `filters`, optional point-wise attention, a linear 1x1 to one value per anchor and term, [yolo]."""
    b.conv(filters, 3)
    if attention:
        point_wise_attention(b, filters)
    mask, spread = boxes.masks[scale], boxes.scale_x_y[scale]
    return predict(b, mask, anchors=boxes.anchors, classes=boxes.classes, scale_x_y=spread, nms_kind=boxes.nms_kind)


# csresnext50-panet-spp.cfg
@register("csresnext50-panet-spp", 416, csresnext50_trunk, YOLOV3)
# csresnext50-panet-spp-giou.cfg: GIoU loss and other scale_x_y; and the same for rows trained with another loss
@register("csresnext50-panet-spp-giou", 416, csresnext50_trunk, GRID_SENSITIVE)
@register("csresnext50-panet-spp-iou", 416, csresnext50_trunk, GRID_SENSITIVE)
# csresnext50-panet-spp-original-optimal.cfg: optimal recipe and CIoU loss
@register("csresnext50-panet-spp-original-optimal", 512, csresnext50_trunk, OPTIMAL)
# The README's "CSPResNeXt50-PANet-SPP(GIoU)". No cfg was published. According to the README's rows and table 4 of
# YOLOv4 only the loss differs from original-optimal; csresnext50-panet-spp-giou.cfg is another, earlier detector.
@register("csresnext50-panet-spp-giou-optimal", 512, csresnext50_trunk, OPTIMAL)
# The README's "CSPResNeXt50-PANet-SPP(SAM)". No cfg was published. The author names the block (YOLOv4's modified SAM);
# that it gates the last 3x3 of the three heads, with batch normalisation, follows from the size of the yolov4-sam-mish
# weights: 1,383,424 floats more than yolov4, the sum of F^2 + 4F over F = 256, 512, 1024.
@register("csresnext50-panet-spp-sam", 512, csresnext50_trunk, OPTIMAL, attention=True)
# csdarknet53-panet-spp.cfg
@register("csdarknet53-panet-spp", 416, csdarknet53_trunk, YOLOV3)
# cd53paspp-gamma.cfg of AlexeyAB/darknet: optimal recipe on the `gamma` backbone
@register("cd53paspp-gamma", 512, csdarknet53_trunk, OPTIMAL)
# yolov4.cfg of AlexeyAB/darknet: cd53paspp-gamma with mish in the backbone
@register("yolov4", 608, partial(csdarknet53_trunk, activation="mish"), OPTIMAL)
# csresnet50-panet-spp.cfg
@register("csresnet50-panet-spp", 416, csresnet50_trunk, YOLOV3)
def panet_spp(b: Builder, trunk: Trunk, boxes: Boxes, *, attention: bool = False) -> None:
    """Append a trunk, SPP, the two paths and the heads.

    Each head directly follows its map, so the first [yolo] has stride 8, unlike in YOLOv3.
    """
    c3, c4, _ = trunk(b)
    alternating(b, 512, 3)
    spatial_pyramid(b)
    p5 = alternating(b, 512, 3)
    p4 = top_down(b, 256, c4)
    n3 = top_down(b, 128, c3)
    head(b, 256, boxes, 0, attention=attention)
    n4 = bottom_up(b, 256, n3, p4)
    head(b, 512, boxes, 1, attention=attention)
    bottom_up(b, 512, n4, p5)
    head(b, 1024, boxes, 2, attention=attention)
