"""What a detector with [yolo] layers should have said, and how far from it what it says is.

Boxes are in shares of the network's input. Each thing is to be found by every anchor of about its size, in the cell of
its centre and in the two cells nearest to it (as in YOLOv5); the box is judged by complete IoU (arXiv 1911.08287).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from cspbench.network.layers import Yolo
from cspbench.network.network import Network

CLOSE = 3.0
"""An anchor is meant where its width and height are within this factor of the thing's."""
ALREADY = 0.7
"""A box that overlaps a thing by this much may be there without being meant."""
BOX, CLASS = 4.0, 1.0
"""Weights beside that of objectness."""


class Head(NamedTuple):
    """A [yolo] layer: anchors (A, 2) in shares of the input, and how far centres are spread."""

    anchors: Tensor
    spread: float
    classes: int


class Losses(NamedTuple):
    """The parts of the loss of a batch."""

    box: Tensor
    objectness: Tensor
    category: Tensor

    @property
    def total(self) -> Tensor:
        """What is to become small."""
        return BOX * self.box + self.objectness + CLASS * self.category


def heads(network: Network) -> list[Head]:
    """The network's [yolo] layers in its order."""
    _, height, width = network.input
    layers = [layer for layer in network.layers if isinstance(layer, Yolo)]
    size = torch.tensor([width, height])
    return [
        Head(torch.tensor([layer.anchors[at] for at in layer.mask]) / size, layer.scale_x_y, layer.classes)
        for layer in layers
    ]


def losses(outputs: tuple[Tensor, ...], layers: list[Head], found: Tensor, crowds: Tensor) -> Losses:
    """The loss of a batch; `outputs` are the heads' raw values, (N, A * (5 + classes), h, w) each.

    `found` is (objects, 6): image, category, and centre, width and height; `crowds` (crowds, 5): image and corners.
    """
    nearest = _nearest(found, layers)
    boxes, objectness, categories, count = [], [], [], 0
    for at, (raw, head) in enumerate(zip(outputs, layers, strict=True)):
        images, _, height, width = raw.shape
        values = raw.reshape(images, len(head.anchors), -1, height, width).permute(0, 1, 3, 4, 2)
        predicted = _boxes(values, head)
        target = torch.zeros(values.shape[:-1])
        counts = ~_excused(predicted.detach(), found, crowds)
        meant, (anchor, row, column) = _meant(found, head, nearest == at, (height, width))
        image = meant[:, 0].long()
        place = (image, anchor, row, column)
        if len(meant):
            overlap = complete_iou(predicted[place], meant[:, 2:])
            boxes.append(1 - overlap)
            wanted = torch.zeros(len(meant), head.classes)
            wanted[torch.arange(len(meant)), meant[:, 1].long()] = 1
            categories.append(cross_entropy(values[place][:, 5:], wanted, reduction="none").sum(1))
            # where several things want one cell the best found one counts, whatever their order
            flat = ((image * len(head.anchors) + anchor) * height + row) * width + column
            target.view(-1).scatter_reduce_(0, flat, overlap.detach().clamp(0, 1), "amax")
            counts[place] = True
            count += len(meant)
        objectness.append(cross_entropy(values[..., 4], target, reduction="none")[counts].sum())
    total = max(1, count)
    nothing = outputs[0].sum() * 0
    return Losses(
        torch.cat(boxes).sum() / total if boxes else nothing,
        torch.stack(objectness).sum() / total,
        torch.cat(categories).sum() / total if categories else nothing,
    )


def _boxes(values: Tensor, head: Head) -> Tensor:
    """Centres and sizes (N, A, h, w, 4) as Darknet decodes them."""
    height, width = values.shape[2:4]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    corner = torch.stack((columns, rows), 2)
    within = values[..., :2].sigmoid() * head.spread - (head.spread - 1) / 2
    centre = (corner + within) / torch.tensor([width, height])
    return torch.cat((centre, values[..., 2:4].clamp(max=6).exp() * head.anchors[:, None, None]), 4)


def _factor(found: Tensor, anchors: Tensor) -> Tensor:
    """By what factor each thing's width or height differs from each anchor's, (objects, A)."""
    ratio = found[:, None, 4:] / anchors
    return torch.maximum(ratio, 1 / ratio).amax(2)


def _nearest(found: Tensor, layers: list[Head]) -> Tensor:
    """The head that has the anchor most like each thing."""
    return torch.stack([_factor(found, head.anchors).amin(1) for head in layers], 1).argmin(1)


def _meant(
    found: Tensor, head: Head, nearest: Tensor, grid: tuple[int, int]
) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
    """Which things a head is to find, (meant, 6), and at which anchor, row and column each of them."""
    factor = _factor(found, head.anchors)
    wanted = factor < CLOSE
    # a thing that no anchor is like has the nearest one
    wanted[nearest, factor[nearest].argmin(1)] = True
    thing, anchor = wanted.nonzero(as_tuple=True)
    height, width = grid
    x, y = found[thing, 2] * width, found[thing, 3] * height
    column, row = x.long().clamp(0, width - 1), y.long().clamp(0, height - 1)
    aside = torch.where(x - column < 0.5, -1, 1)
    above = torch.where(y - row < 0.5, -1, 1)
    columns, rows = torch.cat((column, column + aside, column)), torch.cat((row, row, row + above))
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    return found[thing.repeat(3)[inside]], (anchor.repeat(3)[inside], rows[inside], columns[inside])


@torch.no_grad()
def _excused(predicted: Tensor, found: Tensor, crowds: Tensor) -> Tensor:
    """Predictions (N, A, h, w) that are not told to be nothing: on a thing, or for the most part in a crowd."""
    images = predicted.shape[0]
    low, high = predicted[..., :2] - predicted[..., 2:] / 2, predicted[..., :2] + predicted[..., 2:] / 2
    area = predicted[..., 2] * predicted[..., 3]
    excused = torch.zeros(area.shape, dtype=torch.bool)
    centre, half = found[:, 2:4], found[:, 4:] / 2
    things = torch.cat((found[:, :1], centre - half, centre + half), 1)
    for rows, crowd in ((things, False), (crowds, True)):
        for at in range(images):
            some = rows[rows[:, 0] == at, 1:]
            if not len(some):
                continue
            corners = some[:, None, None, None]
            size = (torch.minimum(high[at], corners[..., 2:]) - torch.maximum(low[at], corners[..., :2])).clamp(min=0)
            shared = size[..., 0] * size[..., 1]
            whole = (some[:, 2] - some[:, 0]) * (some[:, 3] - some[:, 1])
            reference = area[at] if crowd else area[at] + whole[:, None, None, None] - shared
            excused[at] |= (shared > (0.5 if crowd else ALREADY) * reference).any(0)
    return excused


def complete_iou(mine: Tensor, theirs: Tensor) -> Tensor:
    """IoU less what centres and aspect ratios differ, of boxes (M, 4: centre, size)."""
    low = torch.maximum(mine[:, :2] - mine[:, 2:] / 2, theirs[:, :2] - theirs[:, 2:] / 2)
    high = torch.minimum(mine[:, :2] + mine[:, 2:] / 2, theirs[:, :2] + theirs[:, 2:] / 2)
    shared = (high - low).clamp(min=0).prod(1)
    overlap = shared / (mine[:, 2:].prod(1) + theirs[:, 2:].prod(1) - shared + 1e-9)
    outer_low = torch.minimum(mine[:, :2] - mine[:, 2:] / 2, theirs[:, :2] - theirs[:, 2:] / 2)
    outer_high = torch.maximum(mine[:, :2] + mine[:, 2:] / 2, theirs[:, :2] + theirs[:, 2:] / 2)
    diagonal = (outer_high - outer_low).square().sum(1) + 1e-9
    distance = (mine[:, :2] - theirs[:, :2]).square().sum(1) / diagonal
    angles = torch.atan(theirs[:, 2] / theirs[:, 3]) - torch.atan(mine[:, 2] / (mine[:, 3] + 1e-9))
    shape = 4 / math.pi**2 * angles.square()
    with torch.no_grad():
        weight = shape / (1 - overlap + shape + 1e-9)
    return overlap - distance - weight * shape
