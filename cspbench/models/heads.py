"""The layers that depend on the number of classes, and networks with another number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cspbench.errors import UsageError
from cspbench.network.layers import (
    AvgPool,
    Connected,
    Convolution,
    Detection,
    Dropout,
    GaussianYolo,
    Layer,
    Loss,
    Region,
    Softmax,
    Yolo,
)
from cspbench.network.network import Network

AFTER_CLASSES = (AvgPool, Dropout, Loss, Softmax)
"""Layers between the one that classifies and the output."""
MOST_CLASSES = 2**16


def classifying_layer(network: Network) -> int | None:
    """The index of the layer with one filter or output a class; None for a detector and for a trunk without a head."""
    index = len(network.layers) - 1
    if network.detections or network.shape(index)[1:] != (1, 1):
        return None
    while isinstance(layer := network.layers[index], AFTER_CLASSES):
        index = layer.sources[0]
        if index < 0:
            return None
    return index if isinstance(layer, Connected) or (isinstance(layer, Convolution) and layer.share is None) else None


def predicting_layers(network: Network) -> tuple[int, ...] | None:
    """The indices of the convolutions before a detector's [yolo] or [region] layers; None if it has others."""
    found = []
    for index in network.detections:
        head = network.layers[index]
        before = network.layers[head.sources[0]] if head.sources[0] >= 0 else None
        if not isinstance(head, Yolo | GaussianYolo | Region) or not isinstance(before, Convolution):
            return None
        if before.share is not None:
            return None
        found.append(head.sources[0])
    return tuple(found) or None


def classes_of(network: Network) -> int:
    """The number of classes: of a detector's boxes, or a classifier's outputs."""
    if network.detections:
        head = network.layers[network.detections[0]]
        assert isinstance(head, Detection)
        return head.classes
    return network.shape(len(network.layers) - 1)[0]


def with_classes(network: Network, classes: int) -> tuple[Network, tuple[int, ...]]:
    """The network with another number of classes, called NAME-N-classes, and the indices of its new arrays' layers.

    A classifier's last convolution or connected layer gets `classes` filters; the convolution before each [yolo],
    [Gaussian_yolo] or [region] gets as many as its anchors need. Raises `UsageError` for any other head.
    """
    if not 1 <= classes <= MOST_CLASSES:
        raise UsageError(
            "usage.out-of-range",
            "num_classes is out of range",
            expected=f"1 to {MOST_CLASSES}",
            found=str(classes),
            remedy="Correct num_classes",
        )
    layers = list(network.layers)
    if network.detections:
        changed: Sequence[int] | None = predicting_layers(network)
        if changed:
            _new_boxes(layers, network.detections, classes)
    else:
        last = classifying_layer(network)
        changed = None if last is None else (last,)
        if last is not None:
            layers[last] = _with_outputs(layers[last], classes)
    if not changed:
        raise UsageError(
            "usage.own-head",
            f"the head of {network.name} cannot be given other classes",
            expected="a classifier, or convolutions before [yolo], [Gaussian_yolo] or [region]",
            found=f"[{layers[network.detections[0] if network.detections else -1].section}]",
            remedy="Leave out num_classes",
        )
    return replace(network, name=f"{network.name}-{classes}-classes", layers=tuple(layers)), tuple(changed)


def _new_boxes(layers: list[Layer], heads: Sequence[int], classes: int) -> None:
    for index in heads:
        head = layers[index]
        assert isinstance(head, Detection)
        layers[index] = replace(head, classes=classes)
        before = head.sources[0]
        layers[before] = _with_outputs(layers[before], head.used * (head.values + classes))


def _with_outputs(layer: Layer, outputs: int) -> Layer:
    if isinstance(layer, Convolution):
        return replace(layer, filters=outputs)
    assert isinstance(layer, Connected)
    return replace(layer, outputs=outputs)
