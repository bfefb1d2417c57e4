"""What a module says of itself, so that it can be evaluated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cspbench.network.layers import Detection, Softmax
from cspbench.network.network import Network


@dataclass(frozen=True)
class Description:
    """What a module has to say of itself, as its attribute `description`.

    `input` is (3, height, width). A detector names its box layers in the order of its outputs, as
    `cspbench.network.layers` has them (`Yolo`, `Region`); a classifier has none and gives (N, classes), or
    (N, classes, 1, 1), `probabilities` or logits, its classes in the order `darknet` or `sorted`.
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
    """What there is to say of a network of Darknet's layers."""
    heads = tuple(layer for layer in network.layers if isinstance(layer, Detection))
    return Description(network.name, network.input, heads, isinstance(network.layers[-1], Softmax))
