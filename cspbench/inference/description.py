"""The description of a module that its evaluation needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cspbench.network.layers import Detection, Softmax
from cspbench.network.network import Network


@dataclass(frozen=True)
class Description:
    """The attribute `description` of a module.

    `input` is (3, height, width). `heads` are a detector's box layers of `cspbench.network.layers` (`Yolo`, `Region`),
    in the order of its outputs. A classifier has none; its output is (N, classes) or (N, classes, 1, 1),
    `probabilities` or logits, with the classes in the order `darknet` or `sorted`.
    """

    name: str
    input: tuple[int, int, int]
    heads: tuple[Detection, ...] = ()
    probabilities: bool = False
    classes: str | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Input height and width in pixels."""
        return self.input[1:]


class Described(Protocol):
    """An `nn.Module` with a description."""

    description: Description


def describe(network: Network) -> Description:
    """The description of a network of Darknet's layers."""
    heads = tuple(layer for layer in network.layers if isinstance(layer, Detection))
    return Description(network.name, network.input, heads, isinstance(network.layers[-1], Softmax))
