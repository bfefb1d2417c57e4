"""Input preparation and suppression of detectors that are not Darknet's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from cspbench.errors import UsageError
from cspbench.network.canonical import without_new_defaults
from cspbench.network.epsilon import Epsilon
from cspbench.network.modular.architecture import Architecture

_RECORDED = frozenset(("bgr", "mean", "deviation", "epsilon", "conf", "nms", "objectness", "decoder"))
"""The fields that records always have, as in `cspbench.data.presets`; must not change."""


@dataclass(frozen=True)
class HardNms:
    """Greedy suppression, per class, of the `considered` best boxes; then the `kept` best of all classes."""

    overlap: float
    """A box is removed if its IoU with a better box of its class is above this."""
    considered: int
    kept: int


@dataclass(frozen=True)
class SoftNms:
    """Linear soft-NMS (arXiv 1704.04503), per class; then the `kept` best boxes of all classes."""

    overlap: float
    """A box's score is multiplied by 1 - IoU for each better box of its class with at least this IoU."""
    floor: float
    """A box is removed if its score falls below this."""
    kept: int


@dataclass(frozen=True)
class DetectorProtocol:
    """The protocol of a quoted detector, apart from its layers.

    An image is stretched to the network's input with bilinear interpolation of uint8 pixels (half-pixel centres, no
    antialiasing, rounded, as in OpenCV); then `mean` (0 to 255) is subtracted and the result divided by `deviation`,
    each in the order of the channels.
    """

    bgr: bool
    """Channel order blue, green, red."""
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    epsilon: Epsilon
    """The epsilon of batch normalisation."""
    conf: float
    """Class probabilities must be above this."""
    nms: HardNms | SoftNms
    objectness: float = 0.0
    """The probability of an object in a refined anchor must be above this, if the network has one."""
    decoder: Literal["opencv"] = "opencv"
    """Of the image files (`cspbench.data.decode.Decoder`)."""

    def as_json(self) -> dict[str, Any]:
        """The fields that identify a run: all, but for those newer than `_RECORDED` at their defaults."""
        kind = "soft" if isinstance(self.nms, SoftNms) else "default"
        return {**without_new_defaults(self, _RECORDED), "nms_kind": kind}


IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of values in [0, 1], red first."""


def in_levels(values: tuple[float, float, float]) -> tuple[float, float, float]:
    """Values in [0, 1] as values from 0 to 255."""
    first, second, third = (round(255 * value, 3) for value in values)
    return first, second, third


def at_size(network: Architecture, size: tuple[int, int] | None, protocol: DetectorProtocol | None) -> Architecture:
    """The network at another input size, if any is named. Raises `UsageError` for a quoted detector."""
    if size is None or size == network.input[1:]:
        return network
    if protocol is not None:
        raise UsageError(
            "usage.own-size",
            f"{network.name} runs at its own input size only",
            expected="x".join(map(str, network.input[1:])),
            found="x".join(map(str, size)),
            remedy="Leave out the size: its anchors and steps belong to its input",
        )
    return network.resized(*size)
