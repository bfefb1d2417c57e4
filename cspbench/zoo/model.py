"""Models of the catalogue, and the decorator that registers their builders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from cspbench.claims.models import Classes, Confidence, Definition, Engine, PublishedFile
from cspbench.network.builder import Builder
from cspbench.network.modular.architecture import Architecture, layered
from cspbench.network.modular.network import ModuleNetwork
from cspbench.network.network import Network, digest
from cspbench.zoo.detector_protocol import DetectorProtocol

Append = TypeVar("Append", bound=Callable[..., object])


@dataclass(frozen=True)
class Model:
    """A model of the catalogue; the head of `tables/models.toml` describes the fields."""

    name: str
    architecture: Callable[[], Architecture]
    """Builds the network, whatever kind it is."""
    definition: Definition
    source: str
    confidence: Confidence = "certain"
    unknown: str | None = None
    evidence: str = ""
    namesakes: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    detector_protocol: DetectorProtocol | None = None
    """Input and suppression of a detector that is not Darknet's."""
    classes: Classes = "darknet"
    engine: Engine = "any"
    weights: tuple[PublishedFile, ...] = ()
    warnings: tuple[str, ...] = ()
    """What a user has to know of how a cfg file was read."""

    @property
    def of_layers(self) -> bool:
        """Whether the network is a list of Darknet's layers."""
        return isinstance(self.architecture(), Network)

    def build(self) -> Network:
        """The network as a list of Darknet's layers; raises `UsageError` for a torch module of its own."""
        return layered(self.architecture())

    def digest(self, size: tuple[int, int]) -> str:
        """The digest of the network at an input of (height, width)."""
        return _digest(self.architecture, size)


@cache
def _digest(architecture: Callable[[], Architecture], size: tuple[int, int]) -> str:
    return digest(architecture().resized(*size))


BUILDERS: dict[str, Callable[[], Architecture]] = {}
"""Registered builders by model name."""
PROTOCOLS: dict[str, DetectorProtocol] = {}
"""Protocols of detectors that are not Darknet's, by model name."""


def register(
    name: str, side: int = 256, *arguments: Any, detector_protocol: DetectorProtocol | None = None, **keywords: Any
) -> Callable[[Append], Append]:
    """Register a function that appends a model's layers to a builder; it may be registered several times.

    The function gets a builder for an input of `side` pixels and these arguments. `name` is also the model's section in
    `tables/models.toml` and the name of the network.
    """

    def decorate(append: Append) -> Append:
        @cache
        def build() -> Network:
            b = Builder(name, (3, side, side))
            append(b, *arguments, **keywords)
            return b.network()

        _add(name, build)
        if detector_protocol is not None:
            PROTOCOLS[name] = detector_protocol
        return append

    return decorate


def register_module(network: ModuleNetwork) -> None:
    """Register a network that is a torch module of its own, under its name."""
    _add(network.name, lambda: network)


def _add(name: str, build: Callable[[], Architecture]) -> None:
    if name in BUILDERS:
        raise ValueError(f"duplicate model {name}")
    BUILDERS[name] = build
