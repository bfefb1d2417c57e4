"""The two small networks of the bundled sample, with the stages of CSPDarkNet-53 and fewer filters.

Both were trained by `cspbench train` on drawn pictures; their cfg and weight files are part of the package.
"""

from __future__ import annotations

from cspbench.network.builder import Builder
from cspbench.network.layers.heads import Anchor
from cspbench.zoo.classifier import classifier
from cspbench.zoo.darknet import csp_stage
from cspbench.zoo.model import register
from cspbench.zoo.tiny import predict

CLASSES = 16
CATEGORIES = 10

ANCHORS: tuple[Anchor, ...] = (
    *((14.0, 14.0), (21.0, 21.0), (37.0, 37.0)),
    *((54.0, 56.0), (92.0, 83.0), (110.0, 118.0)),
)
"""From k-means by IoU over the boxes of the 10,000 training pictures; pixels of the network's input."""

MASKS = ((3, 4, 5), (0, 1, 2))
"""Anchors of the heads with strides 16 and 8."""

SPREAD = 2.0
"""scale_x_y: a centre may be half a cell outside its cell, so that several cells learn to detect an object."""


@register("sample-csp-classifier", 64)
def sample_csp_classifier(b: Builder) -> None:
    """Three cross stage partial stages, at strides 2 to 8."""
    b.conv(16, 3)
    csp_stage(b, 32, 1, partial=16)
    csp_stage(b, 64, 2, partial=32)
    csp_stage(b, 112, 2, partial=56)
    classifier(b, classes=CLASSES)


@register("sample-csp-detector", 224)
def sample_csp_detector(b: Builder) -> None:
    """Four cross stage partial stages, at strides 4 to 32, and two [yolo] heads, at strides 16 and 8."""
    b.conv(16, 3, stride=2)
    csp_stage(b, 32, 1, partial=16)
    c3 = csp_stage(b, 64, 2, partial=32)
    c4 = csp_stage(b, 96, 2, partial=48)
    csp_stage(b, 112, 1, partial=56)
    b.conv(64)
    coarse = b.upsample()
    b.route(coarse, c4)
    joined = b.conv(64)
    b.conv(80, 3)
    predict(b, MASKS[0], anchors=ANCHORS, classes=CATEGORIES, scale_x_y=SPREAD)
    b.route(joined)
    b.conv(32)
    coarse = b.upsample()
    b.route(coarse, c3)
    b.conv(48)
    b.conv(64, 3)
    predict(b, MASKS[1], anchors=ANCHORS, classes=CATEGORIES, scale_x_y=SPREAD)
