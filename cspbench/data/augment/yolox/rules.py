"""What is drawn for YOLOX's training pictures, by model and version (spec yolox 0, d.4)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

Range = tuple[float, float]


@dataclass(frozen=True)
class Augmentation:
    """The defaults are those of s, m, l, x and DarkNet53 today."""

    size: tuple[int, int] = (640, 640)
    """Height and width of the pictures; a batch may be resized afterwards."""
    mosaic: float = 1.0
    """The probability of a mosaic; any other picture is a single image without an affine map."""
    scale: Range = (0.1, 2.0)
    """Of a mosaic."""
    mixup: Range | None = (0.5, 1.5)
    """The scale of the image that is mixed into a mosaic; None for none."""
    degrees: float = 10.0
    shear: float = 2.0
    """Degrees along both axes."""
    shift: float = 0.1
    """Share of the picture along both axes."""
    shortest: float = 1.0
    """Pixels that the shorter side of a box must exceed in the end."""
    early: bool = False
    """As in 2021: maps are about the centre, boxes of which little is left are dropped, colours are multiplied."""
    most: int = 120
    """Labels of a picture, the first ones."""
    normalised: bool = False
    """The pixels of the first weights, as under the preset yolox-legacy."""

    def closing(self) -> Self:
        """Of the last epochs."""
        return replace(self, mosaic=0.0)


@dataclass(frozen=True)
class Scales:
    """The sizes of multi-scale training: `step` times a whole number of this range, both ends included."""

    lowest: int = 15
    highest: int = 25
    step: int = 32


_LIGHT = Augmentation((416, 416), scale=(0.5, 1.5), mixup=None)
HEAD = {
    **dict.fromkeys(("s", "m", "l", "x", "darknet53"), (Augmentation(), Scales())),
    "tiny": (_LIGHT, Scales(10, 20)),
    "nano": (replace(_LIGHT, mosaic=0.5), Scales(10, 20)),
}
"""Megvii's code today, by the size in a model's name."""


def august_2021(name: str) -> tuple[Augmentation, Scales]:
    """Of the code of 2021-08-19, which first took pixels as they are: most likely that of the weights of that month.

    `name` is the size in a model's name. Which code trained them is not documented.
    """
    now, scales = HEAD[name]
    then = replace(now, size=(640, 640), shortest=8.0, early=True, mixup=now.mixup and (0.8, 1.6))
    return then, Scales(14, 26) if now.size == (640, 640) else scales


def july_2021(name: str) -> tuple[Augmentation, Scales]:
    """Of the code before, of the first weights: normalised pixels, and of nano mosaics only."""
    then, scales = august_2021(name)
    return replace(then, mosaic=1.0, normalised=True), scales
