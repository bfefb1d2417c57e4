"""A network: a validated tuple of layers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from math import prod

from cspbench.errors import DefinitionError
from cspbench.network.layers import LARGEST, Convolution, Detection, Layer, Shape, Weight
from cspbench.network.operations import Operations

SHARED = ("filters", "size", "groups", "batch_normalize", "bias")
"""What two convolutions must have in common to share their arrays."""


@dataclass(frozen=True)
class Network:
    """A flat list of layers over an input of (channels, height, width), checked when it is made.

    Every layer's sources lie before it, every shape fits, and no map or array is larger than Darknet can index.
    Nothing is allocated: a network knows shapes, not values. Raises `DefinitionError` naming the first bad layer.
    `origin` says where the network was written ("net.cfg:1") and `places` where each layer was, for messages only.
    """

    name: str
    input: Shape
    layers: tuple[Layer, ...]
    letter_box: bool = False
    origin: str | None = field(default=None, compare=False, repr=False)
    places: tuple[str, ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        origin = self.origin or self.name
        if not self.layers:
            raise DefinitionError(
                "network.no-layers",
                "a network needs at least one layer",
                where=origin,
                expected="layers",
                found="none",
                remedy="Add a layer",
            )
        if min(self.input) < 1 or prod(self.input) > LARGEST:
            raise DefinitionError(
                "network.input-out-of-range",
                "the network input is out of range",
                where=origin,
                expected=f"channels, height and width of at least 1 and at most {LARGEST} values together",
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
                    "reads a layer that does not lie before it",
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
                "share_index does not name an earlier convolution with weights of its own",
                expected=f"such a convolution from 0 to {index - 1}",
                found=f"layer {layer.share}",
                remedy="Correct share_index=",
            )
        read = shared.sources[0]
        channels = shapes[read][0] if read >= 0 else self.input[0]
        theirs = {"channels": channels} | {name: getattr(shared, name) for name in SHARED}
        mine = {"channels": source[0]} | {name: getattr(layer, name) for name in SHARED}
        differing = [name for name in mine if mine[name] != theirs[name]]
        if differing:
            raise DefinitionError(
                "network.share-shape",
                f"shares the weights of layer {layer.share}, which has another shape",
                expected=", ".join(f"{name} {theirs[name]}" for name in differing),
                found=", ".join(f"{name} {mine[name]}" for name in differing),
                remedy="Correct share_index=",
            )

    def place(self, index: int) -> str:
        """Where layer `index` stands, for messages: "net.cfg:12, layer 3 [route]"."""
        origin = self.places[index] if index < len(self.places) else self.name
        return f"{origin}, layer {index} [{self.layers[index].section}]"

    def shape(self, index: int) -> Shape:
        """Output shape of layer `index`; -1 is the network input."""
        if index < 0:
            return self.input
        shapes: tuple[Shape, ...] = self.__dict__["_shapes"]
        return shapes[index]

    def inputs(self, index: int) -> list[Shape]:
        """Shapes that layer `index` reads."""
        return [self.shape(source) for source in self.layers[index].sources]

    def weights(self, index: int) -> tuple[Weight, ...]:
        """Arrays that layer `index` stores, in file order."""
        return self.layers[index].weights(self.inputs(index))

    @cached_property
    def operations(self) -> tuple[Operations, ...]:
        """Operations of every layer on one image."""
        return tuple(layer.operations(self.inputs(index), self.shape(index)) for index, layer in enumerate(self.layers))

    @cached_property
    def detections(self) -> tuple[int, ...]:
        """Indices of the box layers, in network order; empty for a classifier."""
        return tuple(index for index, layer in enumerate(self.layers) if isinstance(layer, Detection))

    def resized(self, height: int, width: int) -> Network:
        """The same layers over another input size (pixels). Anchors stay in pixels, as in Darknet."""
        return replace(self, input=(self.input[0], height, width))

    def renamed(self, name: str) -> Network:
        """The same network under another name."""
        return replace(self, name=name)


def digest(network: Network) -> str:
    """sha256 of a network's input and layers, in hexadecimal: the same for equal networks, whatever their names."""
    return hashlib.sha256(repr((network.input, network.letter_box, network.layers)).encode()).hexdigest()


def difference(one: Network, other: Network, labels: tuple[str, str] | None = None) -> str | None:
    """The first layer in which two networks differ, in words; None when they are equal layer by layer.

    Names, places and the input size are not compared: a definition is its layers and the channels it reads.
    `labels` call the two networks something else than their names.
    """
    left, right = labels or (one.name, other.name)

    def unlike(what: str, mine: object, theirs: object) -> str:
        return f"{what}: {left} has {_plain(mine)}, {right} has {_plain(theirs)}"

    if one.input[0] != other.input[0]:
        return unlike("input channels", one.input[0], other.input[0])
    for index, (mine, theirs) in enumerate(zip(one.layers, other.layers, strict=False)):
        if type(mine) is not type(theirs):
            return unlike(f"layer {index}", f"[{mine.section}]", f"[{theirs.section}]")
        for item in fields(mine):
            if getattr(mine, item.name) != getattr(theirs, item.name):
                where = f"layer {index} [{mine.section}] {item.name}"
                return unlike(where, getattr(mine, item.name), getattr(theirs, item.name))
    if len(one.layers) != len(other.layers):
        return unlike("number of layers", len(one.layers), len(other.layers))
    return None


def _plain(value: object) -> str:
    return ",".join(_plain(item) for item in value) if isinstance(value, tuple) else str(value)
