"""The description of a module that its evaluation needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cspbench.errors import UsageError
from cspbench.network.layers import Detection, Softmax, Yolox
from cspbench.network.modular.architecture import Architecture, layered
from cspbench.network.modular.network import ModuleNetwork


@dataclass(frozen=True)
class Description:
    """The attribute `description` of a module.

    `input` is (channels, height, width): 3 channels in RGB, or for a detector 1 in grey. `heads` are a detector's box
    layers of `cspbench.network.layers` (`Yolo`, `Region`), in the order of its outputs. A classifier has none; its
    output is (N, classes) or (N, classes, 1, 1), `probabilities` or logits, with the classes in the order `darknet` or
    `sorted`.
    """

    name: str
    input: tuple[int, int, int]
    heads: tuple[Detection, ...] = ()
    probabilities: bool = False
    classes: str | None = None
    letter_box: bool = False
    """Whether the cfg asks for a letterbox, which a preset may do."""
    preset: str | None = None
    """The preset that a classifier's weights need; None where its name or the user chooses one."""

    @property
    def size(self) -> tuple[int, int]:
        """Input height and width in pixels."""
        return self.input[1:]


class Described(Protocol):
    """An `nn.Module` with a description."""

    description: Description


def input_channels(description: Description, expected: str) -> UsageError:
    """The error for an input that no image gives."""
    return UsageError(
        "usage.input-channels",
        "the network cannot be evaluated on images",
        where=description.name,
        expected=f"an input of {expected} channels",
        found=f"{description.input[0]} channels",
        remedy="Evaluate another network; `cspbench params` counts this one",
    )


def describe(architecture: Architecture) -> Description:
    """The description of a network; raises `UsageError` for a detector whose boxes cannot be decoded."""
    if isinstance(architecture, ModuleNetwork):
        return _of_module(architecture)
    network = layered(architecture)
    heads = tuple(layer for layer in network.layers if isinstance(layer, Detection))
    softmax = isinstance(network.layers[-1], Softmax)
    return Description(network.name, network.input, heads, softmax, letter_box=network.letter_box)


def _of_module(network: ModuleNetwork) -> Description:
    design = network.design
    if not design.detects:
        return Description(network.name, network.input, preset=network.preset)
    if not design.one_box:
        raise UsageError(
            "usage.undecoded-head",
            f"the anchors of {network.name} are unpublished, so its boxes cannot be decoded",
            expected="a YOLOX with one box at each point",
            remedy="Evaluate another network; `cspbench params` counts this one",
        )
    head = Yolox(sources=(-1,), classes=design.classes, strides=design.strides)
    return Description(network.name, network.input, (head,))
