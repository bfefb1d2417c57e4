"""Detectors with the Partial Residual Network head, which adds where YOLOv3-tiny concatenates.

Sources: the PRN paper ("Enriching Variety of Layer-wise Learning Information by Gradient Combination", ICCV 2019
workshops), yolov3-tiny-prn.cfg of WongKinYiu/PartialResidualNetworks and enet-coco.cfg of AlexeyAB/darknet, to which
these networks are equal layer by layer. The Pelee detectors have no published file, but published operations and sizes,
which the head reproduces. A partial residual is a shortcut between maps of different widths, which adds the channels
that both have.
"""

from __future__ import annotations

from cspbench.network.builder import Builder
from cspbench.zoo.csp_pelee import csppelee_trunk
from cspbench.zoo.efficientnet import enetb0_trunk
from cspbench.zoo.model import register
from cspbench.zoo.panet import ANCHORS_416
from cspbench.zoo.reference import cspdensenet_ref_trunk, csppeleenet_ref_trunk
from cspbench.zoo.tiny import MASKS, predict, yolov3_tiny_trunk

MASKS_3L = ((6, 7, 8), (3, 4, 5), (0, 1, 2))
"""Indices into YOLOv3's nine anchors for the heads with strides 32, 16 and 8."""


def coarsest_scale(b: Builder, c5: int) -> int:
    """The head's coarsest scale, from the backbone's last map: a residual 3x3.

    The sum is the current layer, for the prediction; returns the 3x3 itself, which the next scale upsamples.
    """
    if c5 != b.last:
        b.route(c5)
    entry = b.conv(256)
    features = b.conv(256, 3)
    b.shortcut(entry, activation="leaky")
    return features


def finer_scale(b: Builder, coarser: int, lateral: int) -> int:
    """A finer scale: `coarser` upsampled, a residual 3x3, and the first channels of the backbone's `lateral` map.

    The lateral map is added both before and after the 3x3; the residual is the upsampled map without it. The current
    layer and the result are those of `coarsest_scale`.
    """
    b.route(coarser)
    b.conv(128)
    upsampled = b.upsample()
    b.shortcut(lateral, activation="leaky")
    features = b.conv(128, 3)
    b.shortcut(upsampled, activation="leaky")
    b.shortcut(lateral, activation="leaky")
    return features


def prn_head(b: Builder, c4: int, c5: int, *, classes: int = 80) -> int:
    """Append the two-scale PRN head over the backbone's last maps with strides 16 (at least 128 channels) and 32."""
    features = coarsest_scale(b, c5)
    predict(b, MASKS[0], classes=classes)
    finer_scale(b, features, c4)
    return predict(b, MASKS[1], classes=classes)


def prn3_head(b: Builder, c3: int, c4: int, c5: int, *, tap_sum: bool = False) -> int:
    """Append the three-scale PRN head ("3l"), with a third scale from the map with stride 8.

    It is unknown what the third scale upsamples: the second scale's 3x3, as the second does with the first, or, with
    `tap_sum`, the 3x3 plus the upsampled map, if the reference was copied. Both have the same size and cost.
    """
    features = coarsest_scale(b, c5)
    predict(b, MASKS_3L[0], anchors=ANCHORS_416)
    features = finer_scale(b, features, c4)
    predict(b, MASKS_3L[1], anchors=ANCHORS_416)
    finer_scale(b, features + 1 if tap_sum else features, c3)
    return predict(b, MASKS_3L[2], anchors=ANCHORS_416)


@register("yolov3-tiny-prn", 416)
def yolov3_tiny_prn(b: Builder) -> None:
    """YOLOv3-tiny-PRN (yolov3-tiny-prn.cfg), whose last backbone convolution is also half as wide and residual."""
    c4, first, _ = yolov3_tiny_trunk(b, filters=512)
    prn_head(b, c4, b.shortcut(first, activation="leaky"))


@register("enet-coco", 416)
def enet_coco(b: Builder) -> None:
    """EfficientNet-B0-PRN (enet-coco.cfg), with all dropout layers at a probability of 0."""
    _, c4, c5 = enetb0_trunk(b, dropout=0.0)
    prn_head(b, c4, c5)


@register("csppeleenet-prn", 416)
@register("csppeleenet-prn-swish", 416, activation="swish")
def csppeleenet_prn(b: Builder, activation: str = "leaky") -> None:
    """CSPPeleeNet-PRN. The head is leaky whatever the trunk's activation, as in enet-coco.cfg."""
    _, c4, c5 = csppelee_trunk(b, activation=activation)
    prn_head(b, c4, c5)


@register("cspdensenetb-ref-prn", 320)
def cspdensenetb_ref_prn(b: Builder) -> None:
    """CSPDenseNetb Ref.-PRN, with the stand-in for its backbone."""
    prn_head(b, *cspdensenet_ref_trunk(b, 1))


@register("csppeleenet-ref-prn-3l", 320)
def csppeleenet_ref_prn_3l(b: Builder) -> None:
    """CSPPeleeNet Ref.-PRN-3l, with the stand-in for its backbone."""
    prn3_head(b, *csppeleenet_ref_trunk(b, 3))
