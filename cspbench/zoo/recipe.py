"""How a detector that is none of Darknet's is used: what it is fed, and how its boxes become detections."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Epsilon = Literal["inside-1e-3", "inside-1e-5"]


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
    """Of the batch norms (`cspbench.weights.loading.Epsilon`)."""
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


IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_DEVIATION = (58.395, 57.12, 57.375)
