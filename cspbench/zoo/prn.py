"""Detectors with the Partial Residual Network head: additions where YOLOv3-tiny concatenates.

Sources: the PRN paper ("Enriching Variety of Layer-wise Learning Information by Gradient Combination", ICCV 2019
workshops), yolov3-tiny-prn.cfg of WongKinYiu/PartialResidualNetworks and enet-coco.cfg of AlexeyAB/darknet, which
these networks equal layer by layer; of the Pelee detectors no file was published, but their operations and sizes are,
and come out. A partial residual is a shortcut between maps of different width: only as many channels are added as both
have.
"""

from __future__ import annotations

from cspbench.network.builder import Builder
from cspbench.network.layers.heads import Anchor
from cspbench.network.network import Network
from cspbench.zoo.csp_pelee import csppelee_trunk
from cspbench.zoo.efficientnet import enetb0_trunk
from cspbench.zoo.model import register
from cspbench.zoo.panet import ANCHORS_416
from cspbench.zoo.pelee import pelee_trunk
from cspbench.zoo.reference import cspdensenet_ref_trunk, csppeleenet_ref_trunk
from cspbench.zoo.tiny import ANCHORS, MASKS, predict, yolov3_tiny_trunk

MASKS_3L = ((6, 7, 8), (3, 4, 5), (0, 1, 2))
"""Of YOLOv3's nine anchors, for the heads with strides 32, 16 and 8."""


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


def prn3_head(b: Builder, c3: int, c4: int, c5: int, *, classes: int = 80, tap_sum: bool = False) -> int:
    """Append the three-scale PRN head ("3l"): the same with a third scale, from the map with stride 8.

    What the third scale enlarges is not known: the second one's bare 3x3, as in the step before, or, with `tap_sum`,
    its sum with the map it enlarged, which a reference copied from that step would give. Both have the same size and
    cost.
    """
    features = coarsest_scale(b, c5)
    predict(b, MASKS_3L[0], anchors=ANCHORS_416, classes=classes)
    features = finer_scale(b, features, c4)
    predict(b, MASKS_3L[1], anchors=ANCHORS_416, classes=classes)
    finer_scale(b, features + 1 if tap_sum else features, c3)
    return predict(b, MASKS_3L[2], anchors=ANCHORS_416, classes=classes)


@register("yolov3-tiny-prn")
def yolov3_tiny_prn() -> Network:
    """YOLOv3-tiny-PRN (yolov3-tiny-prn.cfg): its backbone's last convolution, too, is half as wide and a residual."""
    b = Builder("yolov3-tiny-prn", (3, 416, 416))
    c4, first, _ = yolov3_tiny_trunk(b, filters=512)
    prn_head(b, c4, b.shortcut(first, activation="leaky"))
    return b.network()


@register("enet-coco")
def enet_coco() -> Network:
    """EfficientNet-B0-PRN (enet-coco.cfg). Its dropout layers are all there, with a probability of 0."""
    b = Builder("enet-coco", (3, 416, 416))
    _, c4, c5 = enetb0_trunk(b, dropout=0.0)
    prn_head(b, c4, c5)
    return b.network()


def pelee_prn(size: int = 416) -> Network:
    """Pelee-PRN; in no table here, but its published operations and size are a test of the head."""
    b = Builder("pelee-prn", (3, size, size))
    _, c4, c5 = pelee_trunk(b)
    prn_head(b, c4, c5)
    return b.network()


def pelee_prn_3l(size: int = 416) -> Network:
    """Pelee-PRN-3l, likewise."""
    b = Builder("pelee-prn-3l", (3, size, size))
    prn3_head(b, *pelee_trunk(b))
    return b.network()


@register("csppeleenet-prn")
@register("csppeleenet-prn-swish", "swish", "csppeleenet-prn-swish")
def csppeleenet_prn(activation: str = "leaky", name: str = "csppeleenet-prn") -> Network:
    """CSPPeleeNet-PRN. The head stays leaky whatever the trunk's activation, as in enet-coco.cfg."""
    b = Builder(name, (3, 416, 416))
    _, c4, c5 = csppelee_trunk(b, activation=activation)
    prn_head(b, c4, c5)
    return b.network()


@register("cspdensenetb-ref-prn")
def cspdensenetb_ref_prn() -> Network:
    """CSPDenseNetb Ref.-PRN, on the stand-in for its backbone."""
    b = Builder("cspdensenetb-ref-prn", (3, 320, 320))
    prn_head(b, *cspdensenet_ref_trunk(b, 1))
    return b.network()


@register("csppeleenet-ref-prn-3l")
def csppeleenet_ref_prn_3l() -> Network:
    """CSPPeleeNet Ref.-PRN-3l, on the stand-in for its backbone."""
    b = Builder("csppeleenet-ref-prn-3l", (3, 320, 320))
    prn3_head(b, *csppeleenet_ref_trunk(b, 3))
    return b.network()
