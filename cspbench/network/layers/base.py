"""What every layer of a network has in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from cspbench.errors import DefinitionError, brief
from cspbench.network.operations import Operations

Shape = tuple[int, int, int]
"""Channels, height, width of a feature map; a vector of n values is (n, 1, 1)."""

LARGEST = 2**31 - 1
"""Darknet indexes values with a 32-bit int; nothing larger can be a network it ran."""

ACTIVATIONS = (
    "linear",
    "leaky",
    "relu",
    "relu6",
    "relie",
    "logistic",
    "swish",
    "mish",
    "hard_mish",
    "tanh",
    "normalize_channels",
    "normalize_channels_softmax",
    "normalize_channels_softmax_maxval",
)
"""Activations with a specified meaning (docs: Darknet's activations.h)."""


@dataclass(frozen=True)
class Weight:
    """One stored array of a layer: its role and shape.

    Roles: `bias` (with batch normalisation: its beta), `scale` (gamma), `mean`, `variance`, `weight`, and
    `fusion` (the factors of a weighted shortcut or an implicit vector).
    """

    role: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Numbers in the array."""
        return prod(self.shape)


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One Darknet layer. `sources` are the absolute indices of the layers it reads, -1 being the network's input.

    Subclasses are pure functions of shapes: the output shape, the stored arrays in file order, and the operations.
    """

    section: ClassVar[str]
    sources: tuple[int, ...]

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """The shape written, given the shapes read; raises `DefinitionError` when they do not fit."""
        return inputs[0]

    def weights(self, inputs: Sequence[Shape]) -> tuple[Weight, ...]:
        """The arrays this layer stores, in the order of the weight file."""
        return ()

    def operations(self, inputs: Sequence[Shape], output: Shape) -> Operations:
        """The operations on one image."""
        return Operations()

    def describe(self) -> str:
        """The layer's own settings in a few words, for `show`."""
        return ""


def positive(name: str, value: int, limit: int = LARGEST) -> None:
    """Refuse a count that is zero, negative or absurd."""
    if not 1 <= value <= limit:
        raise DefinitionError(
            "cfg.out-of-range",
            f"{name} is out of range",
            expected=f"1 to {limit}",
            found=str(value),
            remedy=f"Correct {name}=",
        )


def known_activation(activation: str, allowed: Sequence[str] = ACTIVATIONS) -> None:
    """Refuse an activation whose meaning is not specified."""
    if activation not in allowed:
        raise DefinitionError(
            "cfg.unknown-value",
            "unknown activation",
            expected=f"one of {', '.join(allowed)}",
            found=repr(brief(activation)),
            remedy="Correct activation=",
        )
