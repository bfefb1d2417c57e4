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

ACTIVATIONS = tuple(
    """linear leaky relu relu6 relie logistic swish mish hard_mish tanh normalize_channels normalize_channels_softmax
    normalize_channels_softmax_maxval elu selu gelu ramp loggy plse hardtan lhtan stair revleaky""".split()
)
"""Darknet's activations (activations.h)."""

LARGEST_FILTERS = 2**16
"""Limit of output channels; yolo9000, the widest Darknet network, has 28,269."""


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

    section: ClassVar[str]
    """Name of the cfg section, and of the class in the canonical form (see `canonical`) unless it has a `kind`."""
    sources: tuple[int, ...]
    count_only: tuple[str, ...] = ()
    """Switches of the cfg ("xnor=1") that change what is computed, and that counting alone supports."""

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

    def unevaluated(self) -> str:
        """What counting alone supports of this layer; empty if it can be evaluated."""
        return ", ".join(self.count_only)


def check_range(name: str, value: int, highest: int = LARGEST, lowest: int = 1) -> None:
    """Raise `DefinitionError` unless `value` is from `lowest` to `highest`."""
    if not lowest <= value <= highest:
        raise DefinitionError(
            "cfg.out-of-range",
            f"{name} is out of range",
            expected=f"{lowest} to {highest}",
            found=str(value),
            remedy=f"Correct {name}=",
        )


def check_choice(name: str, value: str | int, allowed: Sequence[str | int]) -> None:
    """Raise `DefinitionError` for a value that is not allowed."""
    if value not in allowed:
        raise DefinitionError(
            "cfg.unknown-value",
            f"unknown {name}",
            expected=f"one of {', '.join(map(str, allowed))}",
            found=repr(brief(value)) if isinstance(value, str) else str(value),
            remedy=f"Correct {name}=",
        )


def check_groups(groups: int, count: int, what: str) -> None:
    """Raise `DefinitionError` unless `groups` divides `count` values or channels, called `what`."""
    if count % groups:
        raise DefinitionError(
            "network.indivisible-groups",
            f"groups do not divide the {what}",
            expected=f"a divisor of {count}",
            found=f"groups={groups}",
            remedy="Correct groups=",
        )


def check_present(values: Sequence[object], code: str, what: str, key: str) -> None:
    """Raise `DefinitionError`, called `what`, if there are no values of `key`."""
    if not values:
        raise DefinitionError(code, what, expected=key, found="none", remedy=f"Add {key.partition('=')[0]}=")


def check_window(shape: Shape, source: Shape, least: int, what: str) -> Shape:
    """The output shape, if not empty: else raise `DefinitionError` for a window `what` over too small a `source`."""
    if min(shape[1:]) < 1:
        raise DefinitionError(
            "network.window-too-large",
            f"the {what} is larger than its padded input",
            expected=f"at least {least}x{least}",
            found=f"{source[1]}x{source[2]}",
            remedy="Use a larger network input or a smaller size=",
        )
    return shape


BLURS = {0: 0, 1: 3, 2: 2}
"""By `antialiasing`, the side of the kernel that blurs; its padding is (side - 1) // 2."""


def blurred(size: tuple[int, int], side: int, stride: tuple[int, int]) -> tuple[int, int]:
    """Height and width after a blur with a kernel of this side."""
    over = 2 * ((side - 1) // 2) - side
    return (size[0] + over) // stride[0] + 1, (size[1] + over) // stride[1] + 1


def sizes(*shapes: Shape) -> str:
    """Shapes for a message: 3x8x8 and 4x8x8."""
    return " and ".join("x".join(map(str, shape)) for shape in shapes)
