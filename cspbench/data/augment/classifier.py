"""A classifier's training pictures and labels, chunk by chunk as Darknet's loader threads make them (spec b).

A plan holds everything random of a chunk; any of its pictures can then be made alone, in any process.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cspbench.data.augment import mixing
from cspbench.data.augment.blur import bilateral, gaussian
from cspbench.data.augment.colour import distort
from cspbench.data.augment.draws import Draws, Scalar, uniform
from cspbench.data.augment.mixing import Cut, Mix, Mixing
from cspbench.data.augment.window import Window, sample
from cspbench.data.resize import resize_planes

Pixels = NDArray[np.uint8]


class Blur(NamedTuple):
    """A blur of one in `one_in` pictures, by a Gaussian of `size` taps or by the bilateral filter."""

    one_in: int = 4
    size: int = 15
    bilateral: bool = False

    @classmethod
    def head(cls, blur: int) -> Self | None:
        """Of the key blur= of [net] today: 1 is a Gaussian of 15 taps, any other number the taps, made odd."""
        return cls(size=15 if blur == 1 else blur // 2 * 2 + 1) if blur else None

    @classmethod
    def published(cls) -> Self:
        """Of the published row, from December 2019."""
        return cls(2, 17, True)


@dataclass(frozen=True)
class Augmentation:
    """What a cfg's [net] says about a classifier's pictures; the defaults are Darknet's.

    `angle` is in degrees; `min_crop` and `max_crop` are pixels of the image's shorter side, and default to once and
    twice the width. `mix_always` leaves out the coin that a chunk with `mixing` tosses.
    """

    width: int
    height: int
    angle: float = 0
    aspect: float = 1
    min_crop: int = 0
    max_crop: int = 0
    flip: bool = True
    hue: float = 0
    saturation: float = 1
    exposure: float = 1
    mixing: Mixing = Mixing.NONE
    mix_always: bool = False
    cut: Cut = Cut.FREE
    blur: Blur | None = None
    smoothing: float = 0
    """label_smooth_eps."""

    @property
    def crop(self) -> tuple[int, int]:
        """The range of the shorter side."""
        return self.min_crop or self.width, self.max_crop or 2 * self.width


class View(NamedTuple):
    """What is drawn for one image; `across` and `down` are integers, as their range depends on the image."""

    image: int
    aspect: Scalar
    side: int
    angle: Scalar
    across: int
    down: int
    mirror: bool
    hue: Scalar
    saturation: Scalar
    exposure: Scalar


class Plan(NamedTuple):
    """One picture: the views it is made of, how they are mixed, and whether it is blurred."""

    views: tuple[View, ...]
    mix: Mix | None
    blurred: bool


def plan(draws: Draws, augmentation: Augmentation, count: int, images: int) -> list[Plan]:
    """The `count` pictures of a chunk, of some of `images` images; draws in Darknet's order."""
    sets = [_views(draws, augmentation, count, images)]
    mixes: Sequence[Mix | None] = [None] * count
    wanted = augmentation.mixing
    if wanted is not Mixing.NONE and (augmentation.mix_always or draws.coin()):
        sets += [_views(draws, augmentation, count, images) for _ in range(wanted.partners)]
        mixes = mixing.plan(draws, wanted, augmentation.cut, count, (augmentation.width, augmentation.height))
    blurred = [augmentation.blur is not None and draws.below(augmentation.blur.one_in) == 0 for _ in range(count)]
    return [Plan(*parts) for parts in zip(zip(*sets, strict=True), mixes, blurred, strict=True)]


def _views(draws: Draws, augmentation: Augmentation, count: int, images: int) -> list[View]:
    chosen = [draws.below(images) for _ in range(count)]
    return [view(draws, augmentation, image) for image in chosen]


def view(draws: Draws, augmentation: Augmentation, image: int) -> View:
    """The random numbers of one image (spec b.3)."""
    return View(
        image,
        draws.scale(augmentation.aspect),
        draws.between(*augmentation.crop),
        draws.uniform(-augmentation.angle, augmentation.angle),
        draws.integer(),
        draws.integer(),
        augmentation.flip and draws.coin(),
        draws.uniform(-augmentation.hue, augmentation.hue),
        draws.scale(augmentation.saturation),
        draws.scale(augmentation.exposure),
    )


def window(chosen: View, size: int, width: int, height: int) -> Window:
    """Where a view looks at an image of this width and height."""
    aspect = chosen.aspect
    shorter = int(Scalar(width) * aspect) if Scalar(width) * aspect < height else height
    scale = Scalar(chosen.side) / Scalar(max(shorter, 1))
    across = max(Scalar(0), (Scalar(width) * scale / aspect - Scalar(size)) / Scalar(2))
    down = max(Scalar(0), (Scalar(height) * scale - Scalar(size)) / Scalar(2))
    angle = Scalar(float(chosen.angle) * 2 * math.pi / 360)  # in double precision
    offsets = uniform(chosen.across, -across, across), uniform(chosen.down, -down, down)
    return Window(size, scale, angle, *offsets, aspect)


def picture(chosen: View, augmentation: Augmentation, planes: Tensor) -> Tensor:
    """One augmented image, float32 (3, H, W) from 0 to 1, of an image (3, h, w) of uint8 or of floats from 0 to 1."""
    size = max(augmentation.width, augmentation.height)
    shown = sample(planes, window(chosen, size, planes.shape[2], planes.shape[1]), chosen.mirror)
    if planes.dtype == torch.uint8:
        shown.div_(255)
    shown = distort(shown, float(chosen.hue), float(chosen.saturation), float(chosen.exposure))
    if augmentation.width != augmentation.height:
        shown = torch.from_numpy(resize_planes(shown.numpy(), augmentation.width, augmentation.height))
    return shown


def mixed(
    made: Plan, augmentation: Augmentation, load: Callable[[int], Pixels], label: Callable[[int], Tensor]
) -> tuple[Tensor, Tensor]:
    """The picture (3, H, W) and the label (classes,) of a plan.

    `load` gives an image's pixels, uint8 (h, w, 3), and `label` its `label_of`.
    """
    views = [(view, torch.from_numpy(load(view.image)).permute(2, 0, 1)) for view in made.views]
    pictures = [picture(view, augmentation, planes) for view, planes in views]
    labels = [label(view.image) for view in made.views]
    shown, mean = (pictures[0], labels[0]) if made.mix is None else mixing.mix(made.mix, pictures, labels)
    if made.blurred:
        assert augmentation.blur is not None
        shown = _blurred(shown, augmentation.blur)
    return shown, mean


def _blurred(shown: Tensor, blur: Blur) -> Tensor:
    levels = (shown * 255).to(torch.uint8).permute(1, 2, 0).contiguous().numpy()  # rounded down, as in Darknet
    pixels = bilateral(levels, blur.size) if blur.bilateral else gaussian(levels, blur.size)
    return torch.from_numpy(pixels).permute(2, 0, 1).float().div_(255)


def label_of(classes: Sequence[int], count: int, smoothing: float) -> Tensor:
    """The label (count,) of an image with these classes: mostly one, and as in Darknet every one counts whole."""
    label = torch.full((count,), smoothing / (count - 1) if count > 1 else 0.0)
    label[list(classes)] = 1 - smoothing
    return label
