"""Builds a network layer by layer: each method appends one layer and returns its index."""

from __future__ import annotations

from typing import Any

from cspbench.network import layers
from cspbench.network.layers.heads import Anchor
from cspbench.network.network import Network


class Builder:
    """Collects layers in Darknet's order; a layer reads the previous one unless it names others by index.

        b = Builder("tiny", (3, 64, 64))
        stem = b.conv(16, 3, stride=2)
        b.conv(16, 3)
        b.shortcut(stem)
        net = b.network()

    Every method returns the absolute index of its layer; `b.last` is the newest.
    """

    def __init__(self, name: str, shape: layers.Shape = (3, 256, 256)) -> None:
        self.name = name
        self.input = shape
        self.layers: list[layers.Layer] = []

    @property
    def last(self) -> int:
        """Index of the newest layer; -1, the network input, before the first."""
        return len(self.layers) - 1

    def add(self, layer: layers.Layer) -> int:
        self.layers.append(layer)
        return self.last

    def conv(
        self,
        filters: int,
        size: int = 1,
        *,
        stride: int = 1,
        groups: int = 1,
        activation: str = "leaky",
        batch_normalize: bool = True,
        bias: bool = True,
        padding: int | None = None,
    ) -> int:
        """A convolution with batch normalisation; `padding` defaults to size // 2 (Darknet's pad=1).

        Without batch normalisation it has a bias, unless `bias` is False.
        """
        return self.add(
            layers.Convolution(
                sources=(self.last,),
                filters=filters,
                size=size,
                stride=(stride, stride),
                padding=size // 2 if padding is None else padding,
                groups=groups,
                activation=activation,
                batch_normalize=batch_normalize,
                bias=bias,
            )
        )

    def batchnorm(self) -> int:
        return self.add(layers.BatchNorm(sources=(self.last,)))

    def activation(self, kind: str) -> int:
        return self.add(layers.Activation(sources=(self.last,), activation=kind))

    def maxpool(self, size: int, stride: int | None = None) -> int:
        """Max pooling with Darknet's padding of size - 1 in total; the stride defaults to the size."""
        return self.add(layers.MaxPool(sources=(self.last,), size=size, stride=stride or size, padding=size - 1))

    def local_avgpool(self, size: int, stride: int | None = None) -> int:
        """Average pooling over a window, in the geometry of `maxpool`."""
        return self.add(layers.LocalAvgPool(sources=(self.last,), size=size, stride=stride or size, padding=size - 1))

    def avgpool(self) -> int:
        """The mean of each channel."""
        return self.add(layers.AvgPool(sources=(self.last,)))

    def route(self, *sources: int, groups: int = 1, group_id: int = 0) -> int:
        """Concatenate layers in this order; a single source becomes the current layer again."""
        return self.add(layers.Route(sources=sources, groups=groups, group_id=group_id))

    def shortcut(self, *sources: int, activation: str = "linear") -> int:
        """Add earlier layers to the current one."""
        return self.add(layers.Shortcut(sources=(self.last, *sources), activation=activation))

    def scale_channels(self, scaled: int, *, activation: str = "linear") -> int:
        """Scale each channel of an earlier layer by the current vector (squeeze and excitation)."""
        return self.add(layers.ScaleChannels(sources=(self.last, scaled), activation=activation))

    def sam(self, scaled: int, *, activation: str = "linear") -> int:
        """Multiply the current layer elementwise by an earlier one."""
        return self.add(layers.Sam(sources=(self.last, scaled), activation=activation))

    def upsample(self, stride: int = 2, *, bilinear: bool = False) -> int:
        """Enlarge by repetition, or by bilinear interpolation."""
        return self.add(layers.Upsample(sources=(self.last,), stride=stride, bilinear=bilinear))

    def dropout(self, probability: float) -> int:
        """Dropout; the identity at inference."""
        return self.add(layers.Dropout(sources=(self.last,), probability=probability))

    def softmax(self, *, groups: int = 1) -> int:
        return self.add(layers.Softmax(sources=(self.last,), groups=groups))

    def yolo(
        self, mask: tuple[int, ...], anchors: tuple[Anchor, ...], *, gaussian: bool = False, **settings: Any
    ) -> int:
        """A box layer over the anchors (in pixels of the network input) selected by `mask`; settings are its fields."""
        kind = layers.GaussianYolo if gaussian else layers.Yolo
        return self.add(kind(sources=(self.last,), mask=mask, anchors=anchors, **settings))

    def network(self) -> Network:
        """The validated network; raises `DefinitionError`."""
        return Network(self.name, self.input, tuple(self.layers))
