"""Which points of an image learn which truth: by SimOTA, and by Darknet's rule, for a drawing of both.

SimOTA depends on what the network predicts with its weights; Darknet's rule on sides of boxes and anchors alone (spec
yolox d.1, d.3). A YOLOX has no anchors, but for the first steps of the paper, so that YOLOv3's stand for them; a [yolo]
network has its own anchors and recipe, and no SimOTA.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cspbench.network.era import Era
from cspbench.network.layers import Shape, Yolo
from cspbench.network.recipe import YoloRecipe
from cspbench.training.losses import truths as darknet
from cspbench.training.losses.rules import RULES
from cspbench.training.yolox import assignment, boxes, targets
from cspbench.training.yolox.rules import R25, Rules
from cspbench.zoo.panet import ANCHORS_416 as YOLOV3

Anchor = tuple[float, float]


@dataclass(frozen=True)
class Point:
    """A cell that learns a truth."""

    truth: int
    x: float
    y: float
    """The cell's centre in pixels of the input."""
    stride: float
    """Pixels of the input along the cell's width."""
    anchor: Anchor | None = None
    """Width and height in pixels of the input."""


@dataclass(frozen=True, eq=False)
class Shown:
    """An image as the network's input, with its M truths and the points of each assignment by its name."""

    pixels: NDArray[np.uint8]
    """(height, width, 3) in RGB."""
    names: tuple[str, ...]
    boxes: NDArray[np.float64]
    """(M, 4) centre x, y, width and height in pixels of the input."""
    points: dict[str, tuple[Point, ...]]


@dataclass(frozen=True)
class Level:
    """A [yolo] layer with its recipe, and rows and columns of its map."""

    layer: Yolo
    recipe: YoloRecipe
    cells: tuple[int, int]


def simota(raw: Tensor, truths: Tensor, size: tuple[int, int], rules: Rules = R25) -> tuple[Point, ...]:
    """The positives of raw outputs (A, 5 + classes) for truths (M, 5), class and box in pixels of `size`, H and W."""
    at = boxes.points(size)
    if not len(truths):
        return ()
    return _points(assignment.assign(raw, truths, at, rules), at)


def one_to_one(raw: Tensor, truths: Tensor, size: tuple[int, int], anchors: Sequence[Anchor] = ()) -> tuple[Point, ...]:
    """The boxes whose objectness learns a truth where each has one; the arguments are those of `simota`."""
    at = boxes.points(size, anchors=anchors)
    if not len(truths):
        return ()
    return _points(targets.one_of_each(assignment.candidates_of(raw, truths, at, R25)), at)


def _points(chosen: assignment.Assigned, at: Tensor) -> tuple[Point, ...]:
    cells = at[chosen.point].tolist()
    return tuple(
        Point(truth, (column + 0.5) * stride, (row + 0.5) * stride, stride, (own[0], own[1]) if own else None)
        for truth, (column, row, stride, *own) in zip(chosen.truth.tolist(), cells, strict=True)
    )


def by_anchors(
    levels: Sequence[Level], truths: Tensor, size: tuple[int, int], era: Era = Era.HEAD
) -> tuple[Point, ...]:
    """The anchors of Darknet's rule for truths (M, 5), class and box in pixels of `size`, H and W, level by level."""
    height, width = size
    extent = torch.tensor([width, height], dtype=torch.float32)
    every = darknet.Truths(
        torch.zeros(len(truths), dtype=torch.long), truths[:, 1:].float() / extent.repeat(2), truths[:, 0].long()
    )
    points = []
    for level in levels:
        rows, columns = level.cells
        shape = 1, level.layer.used, rows, columns
        pairs = darknet.assign(every, level.layer, level.recipe, RULES[era], shape, extent)
        across, down = width / columns, height / rows
        points += [
            Point(truth, (column + 0.5) * across, (row + 0.5) * down, across, level.layer.anchors[anchor])
            for truth, anchor, column, row in zip(
                *(each.tolist() for each in (pairs.truth, pairs.anchor, pairs.column, pairs.row)), strict=True
            )
        ]
    return tuple(points)


def levels_of_yolov3(strides: Sequence[int], size: tuple[int, int], classes: int) -> list[Level]:
    """YOLOv3's layers on maps of these three strides: its nine anchors, three on each, only the best one learns."""
    return [
        Level(
            Yolo(sources=(-1,), classes=classes, anchors=YOLOV3, mask=(3 * at, 3 * at + 1, 3 * at + 2)),
            YoloRecipe(),
            (size[0] // stride, size[1] // stride),
        )
        for at, stride in enumerate(strides)
    ]


def levels_of(layers: Sequence[object], recipes: Sequence[object], shapes: Sequence[Shape]) -> list[Level]:
    """The [yolo] layers of a list of layers with their recipes and output shapes."""
    return [
        Level(layer, recipe, (shape[1], shape[2]))
        for layer, recipe, shape in zip(layers, recipes, shapes, strict=True)
        if type(layer) is Yolo and isinstance(recipe, YoloRecipe)
    ]
