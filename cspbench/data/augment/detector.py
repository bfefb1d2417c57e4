"""A detector's training pictures and truths, chunk by chunk as Darknet's loader threads make them (spec c).

As for classifiers a plan holds everything random of a chunk, and any of its pictures can then be made alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cspbench.data.augment import mosaic, truths
from cspbench.data.augment.blur import gaussian
from cspbench.data.augment.colour import distort_8bit
from cspbench.data.augment.crop import Margins, crop
from cspbench.data.augment.draws import Draws, Scalar, uniform
from cspbench.data.augment.mixing import cut_point
from cspbench.data.augment.truths import COLUMNS, Limits, Truths

Pixels = NDArray[np.uint8]
BACKGROUND = 17
"""Taps of the Gaussian that blurs all but the objects."""


class Mixing(StrEnum):
    """How pictures are mixed."""

    NONE = "none"
    MIXUP = "mixup"
    MOSAIC = "mosaic"

    @property
    def pictures(self) -> int:
        """How many images a mixed picture shows."""
        return {Mixing.MIXUP: 2, Mixing.MOSAIC: mosaic.TILES}.get(self, 1)


@dataclass(frozen=True)
class Augmentation:
    """What a cfg's [net] and its last detection layer say about a detector's pictures; the defaults are Darknet's."""

    classes: int
    most: int = 200
    """max= of the layer."""
    jitter: float = 0.2
    resize: float = 1
    """The limit of a zoom in addition to the jitter; below 1 it only shrinks (since 2020-05-10)."""
    flip: bool = True
    hue: float = 0
    saturation: float = 1
    exposure: float = 1
    letterbox: bool = False
    mixing: Mixing = Mixing.NONE
    mosaic_bound: bool = False
    blur: int = 0


class Blur(StrEnum):
    """What of a picture is blurred."""

    NOTHING = "nothing"
    BACKGROUND = "background"
    ALL = "all"


class View(NamedTuple):
    """What is drawn for one image; zoom and margins are integers of rand(), since their range depends on the image.

    `order` is that of the image's objects; `cornered`: a mosaic's tile is moved to its corner.
    """

    image: int
    zoom: tuple[int, int]
    margins: tuple[int, int, int, int]
    mirror: bool
    hue: Scalar
    saturation: Scalar
    exposure: Scalar
    blur: Blur
    cornered: bool
    order: list[int]


class Plan(NamedTuple):
    """One picture: the views it is made of, and where a mosaic is cut."""

    views: tuple[View, ...]
    cut: tuple[int, int] | None


def plan(
    draws: Draws,
    augmentation: Augmentation,
    count: int,
    images: int,
    size: tuple[int, int],
    objects: Callable[[int], int],
) -> list[Plan]:
    """The `count` pictures of a chunk, of some of `images` images, each with as many objects as `objects` says.

    `size` is the network's input, width and height. Draws in Darknet's order.
    """
    draws.integer()  # of a feature that no published network uses
    mixing = augmentation.mixing if draws.coin() else Mixing.NONE
    cuts = [cut_point(draws, size) if mixing is Mixing.MOSAIC else None for _ in range(count)]
    sets = [_views(draws, augmentation, mixing, count, images, objects) for _ in range(mixing.pictures)]
    return [Plan(*parts) for parts in zip(zip(*sets, strict=True), cuts, strict=True)]


def _views(
    draws: Draws, augmentation: Augmentation, mixing: Mixing, count: int, images: int, objects: Callable[[int], int]
) -> list[View]:
    chosen = [draws.below(images) for _ in range(count)]
    return [_view(draws, augmentation, mixing, image, objects(image)) for image in chosen]


def _view(draws: Draws, augmentation: Augmentation, mixing: Mixing, image: int, objects: int) -> View:
    zoom = draws.integer(), draws.integer()
    left, right, top, bottom = (draws.integer() for _ in range(4))
    mirror = augmentation.flip and draws.coin()
    draws.integer()
    return View(
        image,
        zoom,
        (left, right, top, bottom),
        mirror,
        draws.uniform(-augmentation.hue, augmentation.hue),
        draws.scale(augmentation.saturation),
        draws.scale(augmentation.exposure),
        tuple(Blur)[draws.below(3)] if augmentation.blur else Blur.NOTHING,
        mixing is Mixing.MOSAIC and not draws.coin(),
        truths.shuffled(draws, objects),
    )


def margins(view: View, augmentation: Augmentation, extent: tuple[int, int], size: tuple[int, int]) -> Margins:
    """What is cut off an image of `extent`, width and height, for an input of `size`, and what is added."""
    width, height = extent
    smallest, largest = min(augmentation.resize, 1 / augmentation.resize), max(1.0, augmentation.resize)
    sides = []
    for place, number in enumerate(view.margins):
        length = (width, width, height, height)[place]
        limit = int(Scalar(length) * Scalar(augmentation.jitter))
        low, high = (int(Scalar(length) * Scalar(1 - 1 / factor) / 2) for factor in (smallest, largest))
        sides.append(int(uniform(number, -limit, limit)) + int(uniform(view.zoom[place % 2], low, high)))
    if augmentation.letterbox:
        ratio = Scalar(size[0]) / Scalar(size[1])
        if Scalar(width) / Scalar(height) / ratio > 1:
            added, axis = (width / ratio - Scalar(height)) / 2, 2
        else:
            added, axis = (height * ratio - Scalar(width)) / 2, 0
        sides[axis : axis + 2] = [int(Scalar(side) - added) for side in sides[axis : axis + 2]]
    return Margins(*sides)


def picture(
    made: Plan,
    augmentation: Augmentation,
    size: tuple[int, int],
    load: Callable[[int], Pixels],
    boxes: Callable[[int], Truths],
) -> tuple[Tensor, Truths]:
    """The picture of a plan, float32 (3, H, W) from 0 to 1, and its truths (n, 6).

    `load` gives an image's pixels, uint8 (h, w, 3), and `boxes` its objects, float32 (n, 5): class, x, y, width, height
    as parts of the image.
    """
    limits = Limits(*size, augmentation.classes, augmentation.most)
    shown, whole = [], np.zeros((0, COLUMNS), np.float32)
    for number, view in enumerate(made.views):
        image = load(view.image)
        extent = image.shape[1], image.shape[0]
        sides = margins(view, augmentation, extent, size)
        if view.cornered:
            sides = mosaic.to_corner(sides, number, view.mirror)
        if sides.left + sides.right >= extent[0] or sides.top + sides.bottom >= extent[1]:
            sides = Margins(0, 0, 0, 0)
        found = truths.kept(truths.moved(boxes(view.image), view.order, sides, extent, view.mirror), limits)
        pixels = crop(image, sides, *size, view.mirror)
        pixels = distort_8bit(pixels, float(view.hue), float(view.saturation), float(view.exposure))
        shown.append(_blurred(pixels, view.blur, augmentation.blur, found, limits))
        if made.cut is not None:
            tile = mosaic.tile(number, made.cut, sides, view.mirror, extent, limits)
            if number:
                mosaic.paste(shown[0], shown.pop(), tile)
            else:
                canvas = np.empty_like(pixels)
                mosaic.paste(canvas, shown[0], tile)
                shown[0] = canvas
            room = max(limits.most - len(whole), 0)
            found = mosaic.moved(found[:room], tile, limits, augmentation.mosaic_bound)
        whole = truths.joined(whole, found, limits.most) if number or made.cut is not None else found
    planes = _planes(shown[0])
    if len(shown) > 1:
        planes.add_(_planes(shown[1])).div_(2)
    return planes, whole


def _planes(pixels: Pixels) -> Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1).float().div_(255)


def _blurred(shown: Pixels, blur: Blur, taps: int, found: Truths, limits: Limits) -> Pixels:
    """The picture blurred as drawn; less where an object is small, down to the background alone and to nothing."""
    if blur is Blur.NOTHING:
        return shown
    if blur is Blur.ALL and taps > 1:
        taps = min(taps, truths.smallest_side(found, limits) // 8)
        if taps != 1:
            return gaussian(shown, taps // 2 * 2 + 1) if taps else shown
    blurred = gaussian(shown, BACKGROUND)
    for x, y, width, height in found[:, :4]:
        left = int((float(x) - float(width) / 2) * limits.width)
        top = int((float(y) - float(height) / 2) * limits.height)
        right, bottom = left + int(width * Scalar(limits.width)), top + int(height * Scalar(limits.height))
        box = slice(max(top, 0), max(bottom, 0)), slice(max(left, 0), max(right, 0))
        blurred[box] = shown[box]
    return blurred
