"""A network of the catalogue: its layers, and what `models.toml` says about where they come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from cspbench.claims.models import Classes, Confidence, Definition, Engine, PublishedFile
from cspbench.network.network import Network
from cspbench.zoo.recipe import Recipe

Build = TypeVar("Build", bound=Callable[..., Network])


@dataclass(frozen=True)
class Model:
    """A network of the catalogue; the head of `tables/models.toml` says what the other fields mean."""

    name: str
    build: Callable[[], Network]
    definition: Definition
    source: str
    confidence: Confidence = "certain"
    unknown: str | None = None
    evidence: str = ""
    namesakes: tuple[str, ...] = ()
    recipe: Recipe | None = None
    """How a detector is used that is not one of Darknet's."""
    classes: Classes = "darknet"
    engine: Engine = "any"
    weights: tuple[PublishedFile, ...] = ()


@dataclass(frozen=True)
class Registered:
    """A builder and the recipe of the detector that it builds, if any."""

    build: Callable[[], Network]
    recipe: Recipe | None


BUILDERS: dict[str, Registered] = {}
"""What the families have registered so far, by name."""


def register(name: str, /, *arguments: Any, recipe: Recipe | None = None, **keywords: Any) -> Callable[[Build], Build]:
    """Register a builder as the model of that name, called with these arguments; several on one builder are fine.

    The same name is that of the model's section in `tables/models.toml`, and of the network that is built.
    """

    def registered(build: Build) -> Build:
        if name in BUILDERS:
            raise ValueError(f"two models called {name}")
        BUILDERS[name] = Registered(partial(build, *arguments, **keywords), recipe)
        return build

    return registered
