"""A network that is a torch module, described by the settings from which the module is built."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Protocol, Self

from cspbench.errors import DefinitionError
from cspbench.network.canonical import NOT_DIGESTED
from cspbench.network.layers import Shape, Weight
from cspbench.network.layers.heads import Anchor
from cspbench.network.modular.part import Part
from cspbench.network.operations import Operations

if TYPE_CHECKING:
    from torch import nn


class Design(Protocol):
    """The settings of a module: a frozen dataclass of plain values, whose canonical form is part of the digest.

    What the module computes from its settings must never change under one `kind`.
    """

    kind: ClassVar[str]
    strides: ClassVar[tuple[int, ...]]
    """Of the maps on which boxes are predicted, or of a classifier's backbone, the largest last. Height and width of
    the input are multiples of that.
    """
    detects: ClassVar[bool]

    @property
    def priors(self) -> tuple[Anchor, ...]:
        """The anchors of a detector's boxes, as many for each level; none where each point has one box."""

    @property
    def classes(self) -> int: ...

    def module(self) -> nn.Module:
        """The module with drawn arrays: (N, C, H, W) float to logits, or to the raw numbers of a detector's boxes."""

    def with_classes(self, classes: int) -> Self: ...


@dataclass(frozen=True)
class ModuleNetwork:
    """A network given by its `design`, over an input of (channels, height, width).

    Shapes, arrays and operations come from a forward pass of shapes alone, which is made when they are first asked for;
    only that imports torch. `preset` is the one that the weights of this name were trained for.
    """

    name: str = field(metadata=NOT_DIGESTED)
    input: Shape
    design: Design
    preset: str | None = field(default=None, metadata=NOT_DIGESTED)
    places: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        stride = self.design.strides[-1]
        if any(side < stride or side % stride or side > LARGEST_SIDE for side in self.input[1:]):
            raise DefinitionError(
                "network.input-out-of-range",
                "the network input is out of range",
                where=self.name,
                expected=f"height and width in multiples of {stride}, at most {LARGEST_SIDE}",
                found="x".join(map(str, self.input)),
                remedy="Correct channels, height and width",
            )

    @property
    def detects(self) -> bool:
        return self.design.detects

    @cached_property
    def layers(self) -> tuple[Part, ...]:
        """The parts in the order in which they are computed."""
        from cspbench.network.modular.formulas import parts_of

        return parts_of(self)

    @property
    def operations(self) -> tuple[Operations, ...]:
        return tuple(part.operations for part in self.layers)

    def place(self, index: int) -> str:
        return f"{self.name}, {self.layers[index].path}"

    def shape(self, index: int) -> Shape:
        return self.input if index < 0 else self.layers[index].output

    def inputs(self, index: int) -> list[Shape]:
        return list(self.layers[index].inputs)

    def weights(self, index: int) -> tuple[Weight, ...]:
        return self.layers[index].weights

    def with_parts_of(self, other: ModuleNetwork) -> ModuleNetwork:
        """The same with the parts of a network of the same design and input, in place of a forward pass of its own."""
        assert (self.design, self.input) == (other.design, other.input)
        same = replace(self)
        same.__dict__["layers"] = other.layers
        return same

    def resized(self, height: int, width: int) -> ModuleNetwork:
        return replace(self, input=(self.input[0], height, width))


LARGEST_SIDE = 2**14
"""Pixels; a forward pass of larger shapes would be no image's."""
