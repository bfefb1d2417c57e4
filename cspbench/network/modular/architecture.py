"""What counting, weights and the catalogue need of a network, whether of Darknet's layers or a module of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self

from cspbench.errors import UsageError
from cspbench.network.layers import Shape, Weight
from cspbench.network.network import Network
from cspbench.network.operations import Operations


class Step(Protocol):
    """A layer or a part of a module: something that computes one map, and whose operations a formula counts."""

    @property
    def section(self) -> str:
        """Its kind, as in a cfg."""

    @property
    def sources(self) -> tuple[int, ...]:
        """The indices of what it reads; -1 is the input. Empty where it is not known."""

    def describe(self) -> str:
        """Its settings in a few words."""


class Architecture(Protocol):
    """A network. Implemented by `Network`, a list of layers, and by `ModuleNetwork`, a torch module.

    `layers` are in the order in which they are computed, which is also the order of the arrays.
    """

    @property
    def name(self) -> str: ...

    @property
    def input(self) -> Shape:
        """Channels, height, width."""

    @property
    def places(self) -> tuple[str, ...]:
        """Where a user's file defines each layer; empty for a network of the catalogue."""

    @property
    def detects(self) -> bool:
        """Whether it predicts boxes; otherwise it classifies."""

    @property
    def preset(self) -> str | None:
        """The preset that its weights need; None where the table or the user chooses one."""

    @property
    def layers(self) -> Sequence[Step]: ...

    @property
    def operations(self) -> tuple[Operations, ...]:
        """Of each layer, for one image, by formula."""

    def place(self, index: int) -> str:
        """The location of a layer for messages."""

    def shape(self, index: int) -> Shape:
        """The output shape of a layer."""

    def inputs(self, index: int) -> list[Shape]:
        """The shapes that a layer reads."""

    def weights(self, index: int) -> tuple[Weight, ...]:
        """The stored arrays of a layer, in their order."""

    def resized(self, height: int, width: int) -> Self:
        """The same network for another input size (pixels)."""


def layered(architecture: Architecture) -> Network:
    """The network, if it is a list of Darknet's layers; else raise `UsageError`."""
    if isinstance(architecture, Network):
        return architecture
    raise UsageError(
        "usage.not-of-layers",
        "this needs a network of Darknet's layers",
        expected="such a list of layers, as in a cfg",
        found=f"{architecture.name}, a torch module of its own",
        remedy="Name another model; `cspbench show`, `params` and `weights` know this one",
    )
