"""A part of a module network: one torch module without children, as formulas and messages need it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cspbench.network.layers import Shape, Weight
from cspbench.network.operations import Operations


@dataclass(frozen=True)
class Part:
    """A module without children on one image. Its arrays are named `{path}.{name}` in the network's state dict.

    A part that is computed several times has the operations of all times and the shapes of the last.
    """

    path: str
    section: str
    """Its kind: "convolution", "batchnorm", ..."""
    settings: str
    inputs: tuple[Shape, ...]
    output: Shape
    weights: tuple[Weight, ...]
    names: tuple[str, ...]
    """Of the arrays, within the module."""
    operations: Operations
    activation: str = "linear"
    """Darknet's name of the activation that it is."""
    sources: ClassVar[tuple[int, ...]] = ()

    def describe(self) -> str:
        return f"{self.path} {self.settings}".strip()
