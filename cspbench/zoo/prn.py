"""Detectors with the Partial Residual Network head: additions where YOLOv3-tiny concatenates.

Sources: the PRN paper ("Enriching Variety of Layer-wise Learning Information by Gradient Combination", ICCV 2019
workshops), yolov3-tiny-prn.cfg of WongKinYiu/PartialResidualNetworks and enet-coco.cfg of AlexeyAB/darknet, which these
networks equal layer by layer. A partial residual is a shortcut between maps of different width: only as many channels
are added as both have.
"""

from __future__ import annotations

from cspbench.network.builder import Builder
from cspbench.network.layers.heads import Anchor
from cspbench.network.network import Network
from cspbench.zoo.efficientnet import enetb0_trunk
from cspbench.zoo.tiny import ANCHORS, MASKS, predict, yolov3_tiny_trunk


def coarsest_scale(b: Builder, c5: int, *, filters: int = 256) -> int:
    """The head's coarsest scale, from the backbone's last map: a residual 3x3.

    Leaves the sum as the current layer, to predict from, and returns the bare 3x3: the next scale enlarges that.
    """
    if c5 != b.last:
        b.route(c5)
    entry = b.conv(filters)
    features = b.conv(filters, 3)
    b.shortcut(entry, activation="leaky")
    return features


def finer_scale(b: Builder, coarser: int, lateral: int, *, filters: int = 128) -> int:
    """A finer scale: `coarser` enlarged, a residual 3x3, and the first channels of the backbone's `lateral` map.

    The lateral map is added before the 3x3 and again after it; the residual is the enlarged map without it. Leaves and
    returns the same as `coarsest_scale`.
    """
    b.route(coarser)
    b.conv(filters)
    enlarged = b.upsample()
    b.shortcut(lateral, activation="leaky")
    features = b.conv(filters, 3)
    b.shortcut(enlarged, activation="leaky")
    b.shortcut(lateral, activation="leaky")
    return features


def prn_head(
    b: Builder,
    c4: int,
    c5: int,
    *,
    anchors: tuple[Anchor, ...] = ANCHORS,
    masks: tuple[tuple[int, ...], tuple[int, ...]] = MASKS,
    classes: int = 80,
) -> int:
    """Append the two-scale PRN head over the backbone's last maps with strides 16 (at least 128 channels) and 32."""
    coarse, fine = masks
    features = coarsest_scale(b, c5)
    predict(b, coarse, anchors=anchors, classes=classes)
    finer_scale(b, features, c4)
    return predict(b, fine, anchors=anchors, classes=classes)


def yolov3_tiny_prn() -> Network:
    """YOLOv3-tiny-PRN (yolov3-tiny-prn.cfg): its backbone's last convolution, too, is half as wide and a residual."""
    b = Builder("yolov3-tiny-prn", (3, 416, 416))
    c4, first, _ = yolov3_tiny_trunk(b, filters=512)
    prn_head(b, c4, b.shortcut(first, activation="leaky"))
    return b.network()


def enet_coco() -> Network:
    """EfficientNet-B0-PRN (enet-coco.cfg). Its dropout layers are all there, with a probability of 0."""
    b = Builder("enet-coco", (3, 416, 416))
    _, c4, c5 = enetb0_trunk(b, dropout=0.0)
    prn_head(b, c4, c5)
    return b.network()
