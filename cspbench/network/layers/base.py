"""The base class of all layers, and checks that they share."""

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
"""Darknet indexes values with a 32-bit int."""

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
"""Supported activations (Darknet's activations.h)."""


@dataclass(frozen=True)
class Weight:
    """Role and shape of a stored array of a layer.

    Roles: `bias` (with batch normalisation: its beta), `scale` (gamma), `mean`, `variance`, `weight`, and
    `fusion` (the factors of a weighted shortcut or an implicit vector).
    """

    role: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of values."""
        return prod(self.shape)


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer. `sources` are the absolute indices of the layers it reads; -1 is the network's input.

    Subclasses are pure functions of shapes: the output shape, the stored arrays in file order, and the operations.
    """

    kind: ClassVar[str]
    """Name of the class in the canonical form: unique, and never changed (see `canonical`)."""
    section: ClassVar[str]
    """Name of the cfg section."""
    sources: tuple[int, ...]

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """The output shape for these input shapes; raises `DefinitionError` if they do not fit."""
        return inputs[0]

    def weights(self, inputs: Sequence[Shape]) -> tuple[Weight, ...]:
        """The stored arrays, in the order of the weight file."""
        return ()

    def operations(self, inputs: Sequence[Shape], output: Shape) -> Operations:
        """The operations for one image."""
        return Operations()

    def describe(self) -> str:
        """The settings in a few words, for `show`."""
        return ""


def check_positive(name: str, value: int, limit: int = LARGEST) -> None:
    """Raise `DefinitionError` unless `value` is from 1 to `limit`."""
    if not 1 <= value <= limit:
        raise DefinitionError(
            "cfg.out-of-range",
            f"{name} is out of range",
            expected=f"1 to {limit}",
            found=str(value),
            remedy=f"Correct {name}=",
        )


def check_activation(activation: str, allowed: Sequence[str] = ACTIVATIONS) -> None:
    """Raise `DefinitionError` for an activation that is not allowed."""
    if activation not in allowed:
        raise DefinitionError(
            "cfg.unknown-value",
            "unknown activation",
            expected=f"one of {', '.join(allowed)}",
            found=repr(brief(activation)),
            remedy="Correct activation=",
        )
