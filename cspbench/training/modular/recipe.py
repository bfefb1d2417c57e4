"""How a YOLOX is trained, by the version of Megvii's code (spec yolox 0, d)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import isfinite

from cspbench.data.augment.yolox.rules import HEAD, Augmentation, Range, Scales, august_2021, july_2021
from cspbench.training.modular.settings import unfit
from cspbench.training.yolox.box_losses import BOX_LOSSES
from cspbench.training.yolox.fixed import Fixed
from cspbench.training.yolox.rules import MMDET, R15, R25
from cspbench.training.yolox.schedule import RATE_OF_IMAGE, Schedule
from cspbench.training.yolox.targets import Assignment, OneToOne
from cspbench.training.yolox.yolov3 import Anchored

STEP = 32
"""Sides of the network's input are multiples of it."""
MMDETECTIONS = "simota-mmdet"
ASSIGNMENTS: dict[str, Assignment] = {
    "simota": R25,
    "simota-r15": R15,
    MMDETECTIONS: MMDET,
    "multi": Fixed(reach=1),
    "centre": Fixed(reach=0),
    "anchors": Anchored(),
    "one": OneToOne(),
}
"""By the value of `assignment`: SimOTA, the steps before it in the paper's roadmap, and its form without NMS."""
HEADS = ("decoupled", "coupled")
POSITIVES = ("own", "mean")
"""Whose number divides the losses of a mini-batch: its own, or the mean of all of an iteration."""


class Version(StrEnum):
    """Of Megvii's code."""

    JULY2021 = "july2021"
    """Of the first weights."""
    AUGUST2021 = "august2021"
    """Most likely of the weights of that month."""
    HEAD = "head"


@dataclass(frozen=True, kw_only=True)
class YoloxRecipe:
    """The settings of a training; the defaults are those of s, m, l, x and DarkNet53 today."""

    batch: int = 64
    """Images of an iteration."""
    subdivisions: int = 8
    """Mini-batches, each with its own positives and batch norm, as each of the original's eight GPUs had."""
    epochs: float = 300.0
    warmup: float = 5.0
    closing: float = 15.0
    """Epochs at the end at the lowest rate; one epoch more is without mosaic, and with `l1`."""
    rate_of_image: float = RATE_OF_IMAGE
    """The learning rate for each image of a batch."""
    lowest_rate: float = 0.05
    momentum: float = 0.9
    decay: float = 5e-4
    width: int = 640
    height: int = 640
    sizes: tuple[int, ...] = (15, 25)
    """Smallest and largest height of multi-scale training, in 32 pixels."""
    mosaic: float = 1.0
    mosaic_scale: tuple[float, ...] = (0.1, 2.0)
    mixup: tuple[float, ...] = (0.5, 1.5)
    """The scale of the second image; empty for none."""
    degrees: float = 10.0
    shear: float = 2.0
    shift: float = 0.1
    shortest: float = 1.0
    early: bool = False
    max: int = 120
    assignment: str = "simota"
    positives: str = "own"
    box_loss: str = "iou"
    l1: bool = True
    head: str = "decoupled"

    def __post_init__(self) -> None:
        """Raise `UsageError` for a number that cannot be one of these."""
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if not (least <= value and isfinite(value)):
                raise unfit(name, f"at least {least:g}", value)
        if self.batch % self.subdivisions:
            raise unfit("batch", f"a multiple of subdivisions={self.subdivisions}", self.batch)
        for name in ("width", "height"):
            if getattr(self, name) % STEP:
                raise unfit(name, f"a multiple of {STEP}", getattr(self, name))
        for name in ("sizes", "mosaic_scale", "mixup"):
            pair = getattr(self, name)
            allowed = (0, 2) if name == "mixup" else (2,)
            if len(pair) not in allowed or any(not 0 < side < 1e4 for side in pair) or list(pair) != sorted(pair):
                raise unfit(name, _PAIRS[name], ",".join(map(str, pair)))
        for name, values in _CHOICES.items():
            if getattr(self, name) not in values:
                raise unfit(name, " or ".join(values), getattr(self, name))
        if self.assignment == "one" and self.positives == "mean":
            # its objectness has positives of its own, so that one divisor does not serve all losses
            raise unfit("positives", "own, with assignment=one", self.positives)

    @property
    def rules(self) -> Assignment:
        """Which points learn a truth."""
        return ASSIGNMENTS[self.assignment]

    @property
    def scales(self) -> Scales:
        return Scales(self.sizes[0], self.sizes[1], STEP)

    def augmentation(self, *, normalised: bool) -> Augmentation:
        """Of the pictures; `normalised` ones are those of the first generation of weights."""
        scale: Range = (self.mosaic_scale[0], self.mosaic_scale[1])
        return Augmentation(
            size=(self.height, self.width),
            mosaic=self.mosaic,
            scale=scale,
            mixup=(self.mixup[0], self.mixup[1]) if self.mixup else None,
            degrees=self.degrees,
            shear=self.shear,
            shift=self.shift,
            shortest=self.shortest,
            early=self.early,
            most=self.max,
            normalised=normalised,
        )

    def schedule(self, length: int) -> Schedule:
        """Of a run with `length` iterations an epoch."""
        return Schedule(
            length, self.batch, self.epochs, self.warmup, self.closing, self.lowest_rate, self.rate_of_image
        )


_LEAST = {
    **dict.fromkeys(("batch", "subdivisions", "max"), 1),
    **dict.fromkeys(("width", "height"), STEP),
    **dict.fromkeys(("epochs",), 1e-6),
    **dict.fromkeys(("warmup", "closing", "rate_of_image", "lowest_rate", "momentum", "decay", "mosaic"), 0),
    **dict.fromkeys(("degrees", "shear", "shift", "shortest"), 0),
}


_PAIRS = {
    **dict.fromkeys(("sizes", "mosaic_scale"), "two numbers above 0, the smaller first"),
    "mixup": "two numbers above 0, the smaller first, or none",
}
_CHOICES = {"assignment": tuple(ASSIGNMENTS), "positives": POSITIVES, "box_loss": BOX_LOSSES, "head": HEADS}


def of_version(size: str, version: Version) -> YoloxRecipe:
    """The recipe of the model of this size (nano, s, darknet53, ...)."""
    rules, scales = {
        Version.JULY2021: july_2021,
        Version.AUGUST2021: august_2021,
        Version.HEAD: HEAD.__getitem__,
    }[version](size)
    return YoloxRecipe(
        width=rules.size[1],
        height=rules.size[0],
        sizes=(scales.lowest, scales.highest),
        mosaic=rules.mosaic,
        mosaic_scale=rules.scale,
        mixup=rules.mixup or (),
        shortest=rules.shortest,
        early=rules.early,
        assignment="simota-r15" if version is Version.HEAD else "simota",
    )
