"""Models of the catalogue, and the decorator that registers their builders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from cspbench.claims.models import Classes, Confidence, Definition, Engine, PublishedFile
from cspbench.network.network import Network
from cspbench.zoo.detector_protocol import DetectorProtocol

Build = TypeVar("Build", bound=Callable[..., Network])


@dataclass(frozen=True)
class Model:
    """A model of the catalogue; the head of `tables/models.toml` describes the fields."""

    name: str
    build: Callable[[], Network]
    definition: Definition
    source: str
    confidence: Confidence = "certain"
    unknown: str | None = None
    evidence: str = ""
    namesakes: tuple[str, ...] = ()
    detector_protocol: DetectorProtocol | None = None
    """Input and suppression of a detector that is not Darknet's."""
    classes: Classes = "darknet"
    engine: Engine = "any"
    weights: tuple[PublishedFile, ...] = ()


@dataclass(frozen=True)
class Registered:
    """A builder, and the protocol of a detector that is not Darknet's."""

    build: Callable[[], Network]
    detector_protocol: DetectorProtocol | None


BUILDERS: dict[str, Registered] = {}
"""Registered builders by model name."""


def register(
    name: str, /, *arguments: Any, detector_protocol: DetectorProtocol | None = None, **keywords: Any
) -> Callable[[Build], Build]:
    """Register a builder, called with these arguments, as the model `name`; it may be registered several times.

    `name` is also the model's section in `tables/models.toml` and the name of the network.
    """

    def decorate(build: Build) -> Build:
        if name in BUILDERS:
            raise ValueError(f"duplicate model {name}")
        BUILDERS[name] = Registered(partial(build, *arguments, **keywords), detector_protocol)
        return build

    return decorate
