"""YOLOX's training pictures with their labels: what is drawn for one, and what it becomes (spec yolox d.4).

As for Darknet's detectors a plan holds everything random of a picture. The random numbers are a sequence of our own:
the original's cannot be repeated, since each of its workers draws from one that depends on the machine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cspbench.data import opencv
from cspbench.data.augment.draws import Draws
from cspbench.data.augment.yolox.affine import Affine, enough, mapped, warp
from cspbench.data.augment.yolox.boxes import Boxes, Objects, labels, mirrored, moved, of_objects
from cspbench.data.augment.yolox.hsv import Colour, colour, recoloured
from cspbench.data.augment.yolox.mixup import Partner, mixed, partner
from cspbench.data.augment.yolox.mosaic import TILES, mosaic
from cspbench.data.augment.yolox.rules import Augmentation

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
SHORTEST = 2.0
"""Pixels that both sides of a box must exceed after the affine map, in 2021."""
ATTEMPTS = 100
"""At finding an image with objects to mix in."""


class Mosaic(NamedTuple):
    """What is drawn for a mosaic: three more images, the point x, y where all meet, and the map of its canvas."""

    others: tuple[int, int, int]
    point: tuple[int, int]
    affine: Affine
    partner: Partner | None


class Plan(NamedTuple):
    """One picture, of an image alone or the first of a mosaic."""

    image: int
    mosaic: Mosaic | None
    colour: Colour
    mirror: bool


def plan(draws: Draws, rules: Augmentation, image: int, images: int, objects: Callable[[int], int]) -> Plan:
    """The picture of an image of some of `images`, each with as many objects as `objects` says."""
    wanted = float(draws.uniform(0, 1)) < rules.mosaic
    return Plan(
        image, _mosaic(draws, rules, images, objects) if wanted else None, colour(draws, rules.early), draws.coin()
    )


def _mosaic(draws: Draws, rules: Augmentation, images: int, objects: Callable[[int], int]) -> Mosaic:
    down, across = (int(draws.uniform(0.5 * side, 1.5 * side)) for side in rules.size)
    first, second, third = (draws.below(images) for _ in range(TILES - 1))
    angle, scale = float(draws.uniform(-rules.degrees, rules.degrees)), float(draws.uniform(*rules.scale))
    along, up = (float(draws.uniform(-rules.shear, rules.shear)) for _ in range(2))
    right, below = (float(draws.uniform(-rules.shift, rules.shift)) for _ in range(2))
    other = None
    if rules.mixup is not None:
        candidates = (draws.below(images) for _ in range(ATTEMPTS))
        number = next((candidate for candidate in candidates if objects(candidate)), None)
        other = None if number is None else partner(draws, number, rules.mixup, rules.size)
    affine = Affine(angle, scale, (along, up), (right, below))
    return Mosaic((first, second, third), (across, down), affine, other)


def picture(
    made: Plan, rules: Augmentation, load: Callable[[int], Pixels], objects: Callable[[int], Objects]
) -> tuple[Floats, Floats]:
    """The network's input (3, H, W) and the labels (`most`, 5): class, centre x, y, width, height in pixels of it.

    `load` gives an image's RGB pixels, uint8 (h, w, 3), and `objects` its objects, float32 (n, 5): class, centre,
    width and height as parts of the image. A picture without boxes, or without any that is large enough at the end, is
    neither recoloured nor mirrored, and in the latter case keeps its boxes.
    """

    def opened(number: int) -> tuple[Pixels, Boxes]:
        return _fitted(load(number), objects(number), rules.size)

    height, width = rules.size
    pixels, boxes = opened(made.image) if made.mosaic is None else _together(made.image, made.mosaic, rules, opened)
    ratio = opencv.letterbox_ratio(rules.size, (pixels.shape[1], pixels.shape[0]))
    own = moved(boxes, ratio, 0, 0)
    if len(boxes):
        turned = moved(mirrored(boxes, pixels.shape[1]) if made.mirror else boxes, ratio, 0, 0)
        large = (turned[:, 2:4] - turned[:, :2]).min(1) > rules.shortest
        if large.any():
            shown = recoloured(pixels, made.colour)
            pixels, own = shown[:, ::-1] if made.mirror else shown, turned[large]
    shown = opencv.letterbox(pixels, width, height)
    return opencv.planes(shown, rules.normalised), labels(own, rules.most)


def _fitted(image: Pixels, objects: Objects, size: tuple[int, int]) -> tuple[Pixels, Boxes]:
    """An image resized to fit into a picture of `size`, without a border, and its boxes."""
    extent = image.shape[1], image.shape[0]
    width, height = opencv.letterbox_extent(size, extent)
    boxes = moved(of_objects(objects, extent), opencv.letterbox_ratio(size, extent), 0, 0)
    return opencv.resize(image, max(width, 1), max(height, 1)), boxes


def _together(
    image: int, drawn: Mosaic, rules: Augmentation, opened: Callable[[int], tuple[Pixels, Boxes]]
) -> tuple[Pixels, Boxes]:
    """A mosaic, mapped, with another image mixed in if it has boxes."""
    canvas, boxes = mosaic([opened(number) for number in (image, *drawn.others)], drawn.point, rules.size)
    matrix = drawn.affine.matrix(canvas.shape[:2], rules.size, rules.early)
    edges = mapped(boxes[:, :4], matrix, rules.size)
    if rules.early:
        kept = enough(boxes[:, :4] * drawn.affine.scale, edges, SHORTEST)
        edges, boxes = edges[kept], boxes[kept]
    result = warp(canvas, matrix, rules.size), np.concatenate((edges, boxes[:, 4:]), 1)
    if drawn.partner is None or not len(boxes):
        return result
    return mixed(result, opened(drawn.partner.image), drawn.partner, rules.early)
