"""The true boxes of a mini-batch, and the anchors of a [yolo] layer that answer for them (spec training d.3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cspbench.network.layers import Yolo
from cspbench.network.recipe import YoloRecipe
from cspbench.training.losses.rules import Rules
from cspbench.training.losses.similarity import PRINTED_POWER, similarity


@dataclass(frozen=True)
class Truths:
    """The T true boxes of all images, image by image, in the order of their lists."""

    image: Tensor
    boxes: Tensor
    """(T, 4): x, y, width, height as fractions of the network input."""
    classes: Tensor

    def __len__(self) -> int:
        return len(self.image)


def truths(rows: Tensor, classes: int) -> Truths:
    """From rows (N, max, 5 or more) of x, y, w, h, class; an image's list ends at the first x = 0.

    Boxes of a class that the layer does not have are left out.
    """
    rows = rows.float()
    listed = (rows[..., 0] != 0).cumprod(1).bool()
    known = (rows[..., 4] >= 0) & (rows[..., 4] < classes)
    image, at = torch.nonzero(listed & known, as_tuple=True)
    chosen = rows[image, at]
    return Truths(image, chosen[:, :4], chosen[:, 4].long())


@dataclass(frozen=True)
class Pairs:
    """P pairs of a truth and an anchor in a cell; those of one cell are in the order in which they count."""

    truth: Tensor
    anchor: Tensor
    """Index among all anchors."""
    column: Tensor
    row: Tensor
    cell: Tensor
    """Index in the maps (images, used anchors, rows, columns), flattened."""
    turn: Tensor
    """How many pairs of the same cell precede."""


def assign(found: Truths, layer: Yolo, recipe: YoloRecipe, rules: Rules, shape: tuple[int, ...], size: Tensor) -> Pairs:
    """The anchors of this layer that each truth trains.

    That is the anchor with the largest IoU of sides among *all* anchors, if it is one of this layer's; and with
    iou_thresh below 1 every other one of this layer whose similarity is above. `shape` is (images, used anchors, rows,
    columns), `size` the network input's (width, height) in pixels.
    """
    device = found.boxes.device
    anchors = torch.tensor(layer.anchors, device=device) / size
    sides = torch.cat((torch.zeros_like(anchors), anchors), 1)[None]
    true = torch.cat((torch.zeros_like(found.boxes[:, :2]), found.boxes[:, 2:]), 1)[:, None]
    overlap = similarity("iou", sides, true)
    best = overlap.argmax(1) if len(found) else torch.zeros(0, dtype=torch.long, device=device)  # the first, if equal
    chosen = torch.zeros_like(overlap, dtype=torch.bool)
    if rules.several_anchors and recipe.iou_thresh < 1:
        kind = recipe.iou_thresh_kind
        alike = overlap if kind == "iou" else similarity(kind, sides, true, PRINTED_POWER)
        chosen = alike > recipe.iou_thresh
    place = torch.full((len(layer.anchors),), -1, device=device)
    # of an anchor that is listed twice, the first place counts
    for at, number in reversed(list(enumerate(layer.mask))):
        place[number] = at
    chosen[torch.arange(len(found), device=device), best] = True
    chosen &= place >= 0
    truth, anchor = _best_first(chosen, best)
    _, used, rows, columns = shape
    column = (found.boxes[truth, 0] * columns).long()
    row = (found.boxes[truth, 1] * rows).long()
    # a truth at the far edge falls into the next row, map or image, as in Darknet; after the last there is nothing
    cell = ((found.image[truth] * used + place[anchor]) * rows + row) * columns + column
    inside = (cell >= 0) & (cell < shape[0] * used * rows * columns)
    truth, anchor, column, row, cell = (each[inside] for each in (truth, anchor, column, row, cell))
    return Pairs(truth, anchor, column, row, cell, _turns(cell))


def _best_first(chosen: Tensor, best: Tensor) -> tuple[Tensor, Tensor]:
    """Truth and anchor of every choice (T, anchors), by truth, with the best anchor before the others."""
    count = chosen.shape[1]
    order = torch.arange(count, device=chosen.device).repeat(len(chosen), 1)
    order[torch.arange(len(chosen), device=chosen.device), best] = -1
    order = order.argsort(1)
    truth, at = torch.nonzero(chosen.gather(1, order), as_tuple=True)
    return truth, order[truth, at]


def _turns(cell: Tensor) -> Tensor:
    """For each item, how many equal ones precede it."""
    order = cell.argsort(stable=True)
    in_order = cell[order]
    first = torch.searchsorted(in_order, in_order)  # of its run
    turns = torch.empty_like(cell)
    turns[order] = torch.arange(len(cell), device=cell.device) - first
    return turns
