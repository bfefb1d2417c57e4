"""How a classifier of mmcls is trained: the settings of mmcls 0.23.2 for ImageNet (spec yolox a.10)."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import cast

from cspbench.data.augment.mmcls.picture import Augmentation, Range
from cspbench.training.mmcls.losses import SMOOTHINGS, Smoothing
from cspbench.training.modular.settings import unfit

STEP = 32
"""Sides of the network's input are multiples of it."""
SCHEDULE, PICTURES = "mmcls 0.23.2, imagenet_bs256", "mmcls 0.23.2, imagenet_bs32"
SOURCES = {
    **dict.fromkeys(("batch", "subdivisions"), f"{PICTURES} on 8 GPUs"),
    **dict.fromkeys(("epochs", "rate_of_image", "steps", "factor", "momentum", "decay"), SCHEDULE),
    **dict.fromkeys(("width", "height", "area", "ratio", "flip"), PICTURES),
    **dict.fromkeys(("smoothing", "epsilon"), "mmcls 0.23.2, LabelSmoothLoss"),
}
"""Of each setting."""


@dataclass(frozen=True, kw_only=True)
class ClassifierRecipe:
    """The settings of a training; the defaults are mmcls's."""

    batch: int = 256
    """Images of an iteration."""
    subdivisions: int = 8
    """Mini-batches, each with its own batch norm, as each of eight GPUs had."""
    epochs: float = 100.0
    rate_of_image: float = 0.1 / 256
    """The learning rate for each image of a batch."""
    steps: tuple[float, ...] = (30.0, 60.0, 90.0)
    """Epochs after which the rate is multiplied by `factor`."""
    factor: float = 0.1
    momentum: float = 0.9
    decay: float = 1e-4
    """Of all arrays, those of batch norm and biases included."""
    width: int = 224
    height: int = 224
    area: tuple[float, ...] = (0.08, 1.0)
    ratio: tuple[float, ...] = (3 / 4, 4 / 3)
    flip: float = 0.5
    smoothing: str = "original"
    epsilon: float = 0.1

    def __post_init__(self) -> None:
        """Raise `UsageError` for a number that cannot be one of these."""
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if not (least <= value <= most and isfinite(value)):
                raise unfit(name, f"{least:g} to {most:g}" if isfinite(most) else f"at least {least:g}", value)
        if self.batch % self.subdivisions:
            raise unfit("batch", f"a multiple of subdivisions={self.subdivisions}", self.batch)
        if self.width % STEP:
            raise unfit("width", f"a multiple of {STEP}", self.width)
        if self.height != self.width:
            raise unfit("height", f"width={self.width}, since an evaluation crops a square", self.height)
        for name in ("area", "ratio"):
            pair, most = getattr(self, name), 1 if name == "area" else 1e4
            if len(pair) != 2 or any(not 0 < value <= most for value in pair) or list(pair) != sorted(pair):
                raise unfit(name, f"two rising numbers above 0, at most {most:g}", ",".join(map(str, pair)))
        if any(not 0 < step < float("inf") for step in self.steps) or list(self.steps) != sorted(set(self.steps)):
            raise unfit("steps", "rising epochs, or none", ",".join(map(str, self.steps)))
        if self.smoothing not in SMOOTHINGS:
            raise unfit("smoothing", " or ".join(SMOOTHINGS), self.smoothing)

    @property
    def augmentation(self) -> Augmentation:
        area, ratio = cast("Range", self.area), cast("Range", self.ratio)
        return Augmentation((self.height, self.width), area, ratio, self.flip)

    @property
    def mode(self) -> Smoothing:
        """That of the loss."""
        return cast("Smoothing", self.smoothing)

    def rate(self, iteration: int, length: int) -> float:
        """The learning rate of an iteration, the first being 1, where an epoch has `length` of them."""
        done = (iteration - 1) / length
        return self.rate_of_image * self.batch * self.factor ** sum(done >= step for step in self.steps)


_ANY = float("inf")
_RANGES = {
    **dict.fromkeys(("batch", "subdivisions"), (1, _ANY)),
    **dict.fromkeys(("width", "height"), (STEP, _ANY)),
    "epochs": (1e-6, _ANY),
    **dict.fromkeys(("rate_of_image", "factor", "decay"), (0, _ANY)),
    "momentum": (0, 1),
    "flip": (0, 1),
    "epsilon": (0, 0.5),
}
