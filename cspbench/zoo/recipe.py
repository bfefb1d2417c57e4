"""How a detector that is none of Darknet's is used: what it is fed, and how its boxes become detections."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from cspbench.network.epsilon import Epsilon


@dataclass(frozen=True)
class HardNms:
    """Greedy suppression, class by class, of the `considered` best; then the `kept` best of all classes."""

    overlap: float
    """A box goes when its IoU with a better one of its class exceeds this, strictly."""
    considered: int
    kept: int


@dataclass(frozen=True)
class SoftNms:
    """Linear soft-NMS (arXiv 1704.04503), class by class; then the `kept` best of all classes."""

    overlap: float
    """From this IoU on a box's score is multiplied by 1 - IoU for each better one of its class."""
    floor: float
    """A box whose score falls below it goes."""
    kept: int


@dataclass(frozen=True)
class Recipe:
    """Everything of a quoted detector that its layers do not say.

    An image is stretched to the network's input, bilinearly between uint8 pixels (half-pixel centres, no antialiasing,
    rounded, as OpenCV does); then `mean` (0 to 255) is subtracted and the result divided by `deviation`, each in the
    order of the channels.
    """

    bgr: bool
    """Channels in the order blue, green, red."""
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    epsilon: Epsilon
    """The epsilon of batch normalisation."""
    conf: float
    """A class's probability must exceed it."""
    nms: HardNms | SoftNms
    objectness: float = 0.0
    """So must the probability that a refined anchor holds something, where the network has one."""
    decoder: Literal["opencv"] = "opencv"
    """Of the image files (`cspbench.data.decode.Decoder`)."""

    def as_json(self) -> dict[str, Any]:
        """Every field, for the result's provenance."""
        return {**asdict(self), "nms_kind": "soft" if isinstance(self.nms, SoftNms) else "default"}


IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of values in [0, 1], red first."""


def in_levels(values: tuple[float, float, float]) -> tuple[float, float, float]:
    """Values in [0, 1] as values from 0 to 255."""
    first, second, third = (round(255 * value, 3) for value in values)
    return first, second, third
