"""Targets and loss of a detector with [yolo] layers.

Boxes are fractions of the network's input. An object is assigned to every anchor of about its size, in the cell of its
centre and the two cells nearest to that (as in YOLOv5). The loss of a box is its complete IoU (arXiv 1911.08287).
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
"""An anchor is assigned if its width and height are within this factor of the object's."""
IGNORED_IOU = 0.7
"""IoU with an object from which an unassigned box is not penalized."""
BOX, CLASS = 4.0, 1.0
"""Weights of these losses relative to objectness."""


class Head(NamedTuple):
    """A [yolo] layer: anchors (A, 2) as fractions of the input, scale_x_y, and the number of classes."""

    anchors: Tensor
    spread: float
    classes: int


class Losses(NamedTuple):
    """The losses of a batch."""

    box: Tensor
    objectness: Tensor
    category: Tensor

    @property
    def total(self) -> Tensor:
        """The weighted sum to minimize."""
        return BOX * self.box + self.objectness + CLASS * self.category


def heads(network: Network) -> list[Head]:
    """The network's [yolo] layers in order."""
    _, height, width = network.input
    layers = [layer for layer in network.layers if isinstance(layer, Yolo)]
    size = torch.tensor([width, height])
    return [
        Head(torch.tensor([layer.anchors[index] for index in layer.mask]) / size, layer.scale_x_y, layer.classes)
        for layer in layers
    ]


def losses(outputs: tuple[Tensor, ...], layers: list[Head], objects: Tensor, crowds: Tensor) -> Losses:
    """The loss of a batch; `outputs` are the heads' raw values, each (N, A * (5 + classes), h, w).

    `objects` is (objects, 6): image, category, and centre, width and height; `crowds` (crowds, 5): image and corners.
    """
    nearest = _nearest(objects, layers)
    boxes, objectness, categories, count = [], [], [], 0
    for index, (raw, head) in enumerate(zip(outputs, layers, strict=True)):
        images, _, height, width = raw.shape
        values = raw.reshape(images, len(head.anchors), -1, height, width).permute(0, 1, 3, 4, 2)
        predicted = _boxes(values, head)
        target = torch.zeros(values.shape[:-1])
        counts = ~_ignored(predicted.detach(), objects, crowds)
        assigned, (anchor, row, column) = _assigned(objects, head, nearest == index, (height, width))
        image = assigned[:, 0].long()
        place = (image, anchor, row, column)
        if len(assigned):
            overlap = complete_iou(predicted[place], assigned[:, 2:])
            boxes.append(1 - overlap)
            one_hot = torch.zeros(len(assigned), head.classes)
            one_hot[torch.arange(len(assigned)), assigned[:, 1].long()] = 1
            categories.append(cross_entropy(values[place][:, 5:], one_hot, reduction="none").sum(1))
            # if a cell is assigned several objects, the best overlap counts, whatever their order
            flat = ((image * len(head.anchors) + anchor) * height + row) * width + column
            target.view(-1).scatter_reduce_(0, flat, overlap.detach().clamp(0, 1), "amax")
            counts[place] = True
            count += len(assigned)
        objectness.append(cross_entropy(values[..., 4], target, reduction="none")[counts].sum())
    total = max(1, count)
    zero = outputs[0].sum() * 0
    return Losses(
        torch.cat(boxes).sum() / total if boxes else zero,
        torch.stack(objectness).sum() / total,
        torch.cat(categories).sum() / total if categories else zero,
    )


def _boxes(values: Tensor, head: Head) -> Tensor:
    """Centres and sizes (N, A, h, w, 4) as Darknet decodes them."""
    height, width = values.shape[2:4]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    corner = torch.stack((columns, rows), 2)
    within = values[..., :2].sigmoid() * head.spread - (head.spread - 1) / 2
    centre = (corner + within) / torch.tensor([width, height])
    return torch.cat((centre, values[..., 2:4].clamp(max=6).exp() * head.anchors[:, None, None]), 4)


def _factor(objects: Tensor, anchors: Tensor) -> Tensor:
    """The factor by which each object's width or height differs from each anchor's, (objects, A)."""
    ratio = objects[:, None, 4:] / anchors
    return torch.maximum(ratio, 1 / ratio).amax(2)


def _nearest(objects: Tensor, layers: list[Head]) -> Tensor:
    """For each object the index of the head with the most similar anchor."""
    return torch.stack([_factor(objects, head.anchors).amin(1) for head in layers], 1).argmin(1)


def _assigned(
    objects: Tensor, head: Head, nearest: Tensor, grid: tuple[int, int]
) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
    """The objects (assigned, 6) of a head, one for each cell, and the anchor, row and column of each."""
    factor = _factor(objects, head.anchors)
    close = factor < CLOSE
    # an object without a close anchor gets the nearest one
    close[nearest, factor[nearest].argmin(1)] = True
    index, anchor = close.nonzero(as_tuple=True)
    height, width = grid
    x, y = objects[index, 2] * width, objects[index, 3] * height
    column, row = x.long().clamp(0, width - 1), y.long().clamp(0, height - 1)
    aside = torch.where(x - column < 0.5, -1, 1)
    above = torch.where(y - row < 0.5, -1, 1)
    columns, rows = torch.cat((column, column + aside, column)), torch.cat((row, row, row + above))
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    return objects[index.repeat(3)[inside]], (anchor.repeat(3)[inside], rows[inside], columns[inside])


@torch.no_grad()
def _ignored(predicted: Tensor, objects: Tensor, crowds: Tensor) -> Tensor:
    """Predictions (N, A, h, w) that are no negatives: they overlap an object, or lie mostly in a crowd."""
    images = predicted.shape[0]
    low, high = predicted[..., :2] - predicted[..., 2:] / 2, predicted[..., :2] + predicted[..., 2:] / 2
    area = predicted[..., 2] * predicted[..., 3]
    ignored = torch.zeros(area.shape, dtype=torch.bool)
    centre, half = objects[:, 2:4], objects[:, 4:] / 2
    boxes = torch.cat((objects[:, :1], centre - half, centre + half), 1)
    for rows, crowd in ((boxes, False), (crowds, True)):
        for image in range(images):
            truth = rows[rows[:, 0] == image, 1:]
            if not len(truth):
                continue
            corners = truth[:, None, None, None]
            first, last = torch.maximum(low[image], corners[..., :2]), torch.minimum(high[image], corners[..., 2:])
            shared = (last - first).clamp(min=0).prod(-1)
            whole = (truth[:, 2] - truth[:, 0]) * (truth[:, 3] - truth[:, 1])
            reference = area[image] if crowd else area[image] + whole[:, None, None, None] - shared
            ignored[image] |= (shared > (0.5 if crowd else IGNORED_IOU) * reference).any(0)
    return ignored


def complete_iou(mine: Tensor, theirs: Tensor) -> Tensor:
    """IoU minus penalties for distant centres and different aspect ratios, of boxes (M, 4: centre, size)."""
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
