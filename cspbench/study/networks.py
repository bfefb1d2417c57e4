"""The miniature networks of studies, and changes to networks: activation, width.

The detector begins with the layers of the classifier, so that a classifier's weights are a backbone for it.
"""

from __future__ import annotations

from dataclasses import replace
from math import gcd

from cspbench.network import layers
from cspbench.network.builder import Builder
from cspbench.network.layers.heads import Anchor
from cspbench.network.network import Network
from cspbench.zoo.classifier import classifier
from cspbench.zoo.darknet import csp_stage
from cspbench.zoo.tiny import predict

CLASSIFIER, DETECTOR = "study-csp-classifier", "study-csp-detector"
PIXELS = {CLASSIFIER: 64, DETECTOR: 96}
"""The side of the input."""
CLASSES, CATEGORIES = 16, 4
ANCHORS: tuple[Anchor, ...] = ((17.0, 17.0), (25.0, 24.0), (34.0, 33.0), (50.0, 48.0))
"""Pixels of the network's input."""
LEAST = 8
"""Filters of a convolution are multiples of it."""


def mini_classifier() -> Network:
    """A classifier of three cross stage partial stages, at strides 2 to 8."""
    b = Builder(CLASSIFIER, (3, PIXELS[CLASSIFIER], PIXELS[CLASSIFIER]))
    _backbone(b)
    classifier(b, classes=CLASSES)
    return b.network()


def mini_detector() -> Network:
    """A detector with the same stages and one more, and a [yolo] head at strides 8 and 16."""
    b = Builder(DETECTOR, (3, PIXELS[DETECTOR], PIXELS[DETECTOR]))
    c3 = _backbone(b)
    csp_stage(b, 64, 1, partial=32)
    joined = b.conv(48)
    b.conv(64, 3)
    predict(b, (2, 3), anchors=ANCHORS, classes=CATEGORIES, scale_x_y=2.0)
    b.route(joined)
    b.conv(24)
    coarse = b.upsample()
    b.route(coarse, c3)
    b.conv(32)
    b.conv(48, 3)
    predict(b, (0, 1), anchors=ANCHORS, classes=CATEGORIES, scale_x_y=2.0)
    return b.network()


def backbone_layers() -> int:
    """How many first layers the two have in common."""
    b = Builder("backbone")
    return _backbone(b) + 1


def _backbone(b: Builder) -> int:
    b.conv(8, 3)
    csp_stage(b, 16, 1, partial=8)
    csp_stage(b, 32, 1, partial=16)
    return csp_stage(b, 64, 1, partial=32)


def own_activation(network: Network) -> str:
    """The activation of most of a network's convolutions, linear ones aside."""
    kinds = [layer.activation for layer in _convolutions(network) if layer.activation != "linear"]
    return max(sorted(set(kinds)), key=kinds.count, default="linear")


def with_activation(network: Network, kind: str) -> Network:
    """The same with another activation wherever a layer has the network's own."""
    own = own_activation(network)

    def changed(layer: layers.Layer) -> layers.Layer:
        changes = {"activation": kind} if getattr(layer, "activation", None) == own else {}
        return replace(layer, **changes)  # type: ignore[arg-type]

    return replace(network, layers=tuple(map(changed, network.layers)))


def widened(network: Network, factor: float) -> Network:
    """The same with `factor` times the filters, in multiples of 8; those of the heads stay.

    Groups become the largest number that divides both sides. Raises `DefinitionError` for layers whose width is fixed.
    """
    if factor == 1:
        return network
    last = {index for index, layer in enumerate(network.layers) if _is_head(network, index)}
    wider: list[layers.Layer] = []
    shapes = replace(network, layers=network.layers[:1])
    for index, layer in enumerate(network.layers):
        if isinstance(layer, layers.Convolution) and index not in last:
            filters = max(LEAST, round(layer.filters * factor / LEAST) * LEAST)
            source = layer.sources[0]
            channels = shapes.shape(source)[0]
            own = network.inputs(index)[0][0]
            depthwise = layer.groups == own == layer.filters
            groups = channels if depthwise else gcd(layer.groups, channels, filters)
            layer = replace(layer, filters=channels if depthwise else filters, groups=groups)
        wider.append(layer)
        shapes = replace(network, layers=tuple(wider))
    return shapes


def _is_head(network: Network, index: int) -> bool:
    """Whether a convolution gives a head's numbers: linear, without batch normalisation."""
    layer = network.layers[index]
    return isinstance(layer, layers.Convolution) and layer.activation == "linear" and not layer.batch_normalize


def _convolutions(network: Network) -> list[layers.Convolution]:
    return [layer for layer in network.layers if isinstance(layer, layers.Convolution)]
