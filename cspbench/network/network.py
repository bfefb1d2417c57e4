"""A network: a validated tuple of layers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING

from cspbench.errors import DefinitionError
from cspbench.network import canonical
from cspbench.network.canonical import NOT_DIGESTED
from cspbench.network.layers import LARGEST, Convolution, Detection, Layer, MaxPool, Shape, Weight
from cspbench.network.layers.base import check_present
from cspbench.network.operations import Operations

if TYPE_CHECKING:
    from cspbench.network.modular.architecture import Architecture

SHARED = ("filters", "size", "groups", "batch_normalize", "bias")
"""Fields in which convolutions that share arrays must agree."""


@dataclass(frozen=True)
class Network:
    """A flat list of layers over an input of (channels, height, width), validated on construction.

    Every layer reads earlier layers only, all shapes fit, and no map or array is larger than Darknet can index. A
    network holds shapes, not values. Raises `DefinitionError` for the first invalid layer. `origin` ("net.cfg:1") and
    `places` (one per layer) locate the definition in messages.
    """

    name: str = field(metadata=NOT_DIGESTED)
    input: Shape
    layers: tuple[Layer, ...]
    letter_box: bool = False
    origin: str | None = field(default=None, compare=False, repr=False, metadata=NOT_DIGESTED)
    places: tuple[str, ...] = field(default=(), compare=False, repr=False, metadata=NOT_DIGESTED)

    def __post_init__(self) -> None:
        origin = self.origin or self.name
        try:
            check_present(self.layers, "network.no-layers", "a network needs at least one layer", "layers")
        except DefinitionError as error:
            raise error.at(origin) from None
        if min(self.input) < 1 or prod(self.input) > LARGEST:
            raise DefinitionError(
                "network.input-out-of-range",
                "the network input is out of range",
                where=origin,
                expected=f"channels, height and width of at least 1, and at most {LARGEST} values in all",
                found="x".join(map(str, self.input)),
                remedy="Correct channels, height and width",
            )
        shapes: list[Shape] = []
        for index, layer in enumerate(self.layers):
            try:
                shapes.append(self._check(index, layer, shapes))
            except DefinitionError as error:
                raise error.at(self.place(index)) from None
        object.__setattr__(self, "_shapes", tuple(shapes))

    def _check(self, index: int, layer: Layer, shapes: list[Shape]) -> Shape:
        for source in layer.sources:
            if not -1 <= source < index:
                raise DefinitionError(
                    "network.unknown-source",
                    "reads a layer that does not precede it",
                    expected=f"a layer from 0 to {index - 1}" if index else "the network input only",
                    found=f"layer {source}",
                    remedy="Correct layers= or from=",
                )
        inputs = [shapes[source] if source >= 0 else self.input for source in layer.sources]
        if isinstance(layer, Convolution) and layer.share is not None:
            self._check_shared(index, layer, inputs[0], shapes)
        output = layer.output(inputs)
        sizes = [prod(output), *(weight.size for weight in layer.weights(inputs))]
        if isinstance(layer, Convolution) and layer.antialiasing:  # the map before the blur is larger
            sizes.append(prod(layer.convolved(inputs)))
        if isinstance(layer, MaxPool) and layer.antialiasing:
            sizes.append(prod(layer.pooled(inputs)))
        largest = max(sizes)
        if largest > LARGEST:
            raise DefinitionError(
                "network.too-large",
                "a map or weight array is too large",
                expected=f"at most {LARGEST} values, Darknet's 32-bit index",
                found=str(largest),
                remedy="Correct filters=, size= or the network input",
            )
        return output

    def _check_shared(self, index: int, layer: Convolution, source: Shape, shapes: list[Shape]) -> None:
        shared = self.layers[layer.share] if layer.share is not None and 0 <= layer.share < index else None
        if not isinstance(shared, Convolution) or shared.share is not None:
            raise DefinitionError(
                "network.unknown-share",
                "share_index is not an earlier convolution with weights of its own",
                expected=f"such a convolution from 0 to {index - 1}",
                found=f"layer {layer.share}",
                remedy="Correct share_index=",
            )
        shared_source = shared.sources[0]
        channels = shapes[shared_source][0] if shared_source >= 0 else self.input[0]
        expected = {"channels": channels} | {name: getattr(shared, name) for name in SHARED}
        settings = {"channels": source[0]} | {name: getattr(layer, name) for name in SHARED}
        differing = [name for name in settings if settings[name] != expected[name]]
        if differing:
            raise DefinitionError(
                "network.share-shape",
                f"shares the weights of layer {layer.share}, whose shape differs",
                expected=", ".join(f"{name} {expected[name]}" for name in differing),
                found=", ".join(f"{name} {settings[name]}" for name in differing),
                remedy="Correct share_index=",
            )

    def place(self, index: int) -> str:
        """The location of layer `index` for messages: "net.cfg:12, layer 3 [route]"."""
        origin = self.places[index] if index < len(self.places) else self.name
        return f"{origin}, layer {index} [{self.layers[index].section}]"

    def shape(self, index: int) -> Shape:
        """Output shape of layer `index`; -1 means the network input."""
        if index < 0:
            return self.input
        shapes: tuple[Shape, ...] = self.__dict__["_shapes"]
        return shapes[index]

    def inputs(self, index: int) -> list[Shape]:
        """Shapes of the inputs of layer `index`."""
        return [self.shape(source) for source in self.layers[index].sources]

    def weights(self, index: int) -> tuple[Weight, ...]:
        """Stored arrays of layer `index`, in file order."""
        return self.layers[index].weights(self.inputs(index))

    @cached_property
    def operations(self) -> tuple[Operations, ...]:
        """Operations of every layer, for one image."""
        return tuple(layer.operations(self.inputs(index), self.shape(index)) for index, layer in enumerate(self.layers))

    @cached_property
    def detections(self) -> tuple[int, ...]:
        """Indices of the box layers, in network order; empty for a classifier."""
        return tuple(index for index, layer in enumerate(self.layers) if isinstance(layer, Detection))

    @property
    def detects(self) -> bool:
        """Whether it has box layers."""
        return bool(self.detections)

    @property
    def preset(self) -> None:
        """None: the table or the user chooses how images become its input."""
        return None

    def check_evaluable(self) -> None:
        """Raise `DefinitionError` for a network with a layer that counting alone supports."""
        for index, layer in enumerate(self.layers):
            if reason := layer.unevaluated():
                raise DefinitionError(
                    "network.count-only",
                    "the network can be counted, but not evaluated",
                    where=self.place(index),
                    expected=f"an ordinary [{layer.section}]",
                    found=reason,
                    remedy="`cspbench params --cfg` counts it",
                )

    def resized(self, height: int, width: int) -> Network:
        """The same layers over another input size (pixels). Anchors keep their pixels, as in Darknet."""
        return replace(self, input=(self.input[0], height, width))


def digest(network: Architecture) -> str:
    """The sha256 of a network's input, layers and `letter_box`, or input and design: "v2:" and 64 hexadecimal digits.

    Names, places and training settings do not matter; see `canonical` for the hashed form.
    """
    form = canonical.text(canonical.settings(network))
    return f"{canonical.VERSION}:{hashlib.sha256(form.encode()).hexdigest()}"


def difference(one: Network, other: Network, labels: tuple[str, str] | None = None) -> str | None:
    """Describes the first difference between two networks; None if they are equal layer by layer.

    Names, places and height and width of the input are not compared. `labels` replace the networks' names.
    """
    left, right = labels or (one.name, other.name)

    def describe(what: str, first: object, second: object) -> str:
        return f"{what}: {left} has {_plain(first)}, {right} has {_plain(second)}"

    if one.input[0] != other.input[0]:
        return describe("input channels", one.input[0], other.input[0])
    if one.letter_box != other.letter_box:
        return describe("letter_box", int(one.letter_box), int(other.letter_box))
    for index, (first, second) in enumerate(zip(one.layers, other.layers, strict=False)):
        if type(first) is not type(second):
            return describe(f"layer {index}", f"[{first.section}]", f"[{second.section}]")
        for item in fields(first):
            if getattr(first, item.name) != getattr(second, item.name):
                where = f"layer {index} [{first.section}] {item.name}"
                return describe(where, getattr(first, item.name), getattr(second, item.name))
    if len(one.layers) != len(other.layers):
        return describe("number of layers", len(one.layers), len(other.layers))
    if one.letter_box != other.letter_box:
        return describe("letter_box", int(one.letter_box), int(other.letter_box))
    return None


def _plain(value: object) -> str:
    return ",".join(_plain(item) for item in value) if isinstance(value, tuple) else str(value)
