"""Reads Darknet .cfg files: sections become layers (spec: Darknet parser.c).

Keys that Darknet reads for training make up the recipe, which is read when it is asked for; any other gives a warning,
as in Darknet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, islice
from pathlib import Path

from cspbench.errors import DefinitionError, printable
from cspbench.io import argument_path
from cspbench.network.cfg import keys, recipe, sections
from cspbench.network.cfg.parser import Section, decode, decoded, split
from cspbench.network.layers import Convolution, Layer, Shape
from cspbench.network.network import Network
from cspbench.network.shortcut_checks import misfits

MOST_WARNINGS = 1000


@dataclass(frozen=True)
class Reading:
    """The network of a cfg file, and warnings about what Darknet ignores or reads differently."""

    network: Network
    warnings: tuple[str, ...]
    sections: tuple[Section, ...] = field(default=(), compare=False, repr=False)
    """[net] and those of the layers."""

    @cached_property
    def training(self) -> recipe.RecipeReading:
        """The training keys. Raises `DefinitionError` for those that cannot be read."""
        return recipe.read(self.network, self.sections)


def _warnings(net: Section, layers: list[Section]) -> Iterator[str]:
    yield from net.notes  # of all sections
    for section in (net, *layers):
        yield from keys.unknown(section)
    for section in layers:
        yield from keys.not_heeded(section)


def _owning(layer: Layer, earlier: list[Layer]) -> Layer:
    """A convolution that shares the arrays of one that shares them itself, as sharing those of their owner."""
    if isinstance(layer, Convolution) and layer.share is not None:
        shared = earlier[layer.share]
        if isinstance(shared, Convolution) and shared.share is not None:
            return replace(layer, share=shared.share)
    return layer


def _input(net: Section) -> Shape:
    """The input of a network: that of one without an image is a vector of `inputs` values."""
    inputs, size = net.integer("inputs", 0), ("channels", "height", "width")
    if inputs > 0 and not any(key in net.keys for key in size):
        return inputs, 1, 1
    channels, height, width = (net.integer(key, expected="the input size") for key in size)
    if inputs and inputs != channels * height * width:
        net.note("inputs", f"inputs={inputs} is ignored: channels, height and width say {channels * height * width}")
    return channels, height, width


def parse(text: str, name: str, file: str | None = None) -> Reading:
    """Parse cfg text into a network called `name`; messages mention `file`. Raises `DefinitionError`."""
    net, *rest = split(text, printable(file or name))
    if net.name not in ("net", "network"):
        raise DefinitionError(
            "cfg.first-section",
            "the first section is not [net]",
            where=net.place,
            expected="[net] or [network]",
            found=net.title,
            remedy="Begin the file with [net]",
        )
    for index, section in enumerate(rest):
        sections.refuse_recurrent(section, index)
    channels, height, width = _input(net)
    letter_box = net.flag("letter_box")
    layers: list[Layer] = []
    for index, section in enumerate(rest):
        layers.append(_owning(sections.read(section, index), layers))
    places = tuple(section.place for section in rest)
    network = Network(
        name, (channels, height, width), tuple(layers), letter_box=letter_box, origin=net.place, places=places
    )
    warnings = list(islice(chain(_warnings(net, rest), misfits(network)), MOST_WARNINGS + 1))
    if len(warnings) > MOST_WARNINGS:
        warnings[-1] = f"{net.file}: further warnings are omitted"
    return Reading(network, tuple(warnings), (net, *rest))


def read(path: str | Path) -> Reading:
    """Read a cfg file; the network is named after the file."""
    path = argument_path("path", path)
    return parse(decode(path), printable(path.stem), str(path))


def read_bytes(data: bytes, name: str) -> Reading:
    """Read the bytes of a cfg file; `name` is that of the network and of the file."""
    return parse(decoded(data, name), name)
