"""The loss of [yolo] (spec training d)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cspbench.network.layers import Yolo
from cspbench.network.recipe import YoloRecipe
from cspbench.training.losses import boxes
from cspbench.training.losses.class_delta import class_delta, multipliers
from cspbench.training.losses.outcome import Outcome
from cspbench.training.losses.overlap import best_overlap
from cspbench.training.losses.rules import Division, Rules
from cspbench.training.losses.similarity import similarity
from cspbench.training.losses.truths import Truths, assign, truths

OBJECTNESS = 4
CERTAIN = 0.25
"""Some class must be more probable than this for an overlap to be ignored."""


@dataclass(frozen=True)
class _Maps:
    """What a layer predicts for a mini-batch."""

    values: Tensor
    """(N, anchors, 5 + classes, H, W) raw."""
    objectness: Tensor
    """(N, anchors, H, W) probabilities."""
    objectness_delta: Tensor
    """In the same shape: first of all anchors as negatives."""
    size: Tensor
    """Width and height of the network input in pixels."""

    def of(self, cell: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Image, anchor, row and column of cells, which are flat indices into `objectness`."""
        _, anchors, rows, columns = self.objectness.shape
        image, rest = cell // (anchors * rows * columns), cell % (anchors * rows * columns)
        return image, rest // (rows * columns), rest % (rows * columns) // columns, rest % columns


@dataclass(frozen=True)
class _Positives:
    """U anchors that truths train, ascending in `cell`, and their deltas so far, which are minus gradients."""

    cell: Tensor
    objectness: Tensor
    classes: Tensor
    """(U, classes) probabilities."""
    objectness_delta: Tensor
    box_delta: Tensor
    class_delta: Tensor


class YoloLoss:
    """The loss of one [yolo] layer.

    `exact` replaces the box gradients by the derivatives of the similarity, or of the squared error, through the
    decoding of the box.
    """

    def __init__(self, layer: Yolo, recipe: YoloRecipe, rules: Rules, *, exact: bool = False) -> None:
        self.layer, self.recipe, self.rules = layer, recipe, rules
        self.gradient = boxes.exact_gradient if exact else boxes.gradient
        self.weight = recipe.cls_normalizer if rules.objectness_by_cls else recipe.obj_normalizer
        self.factors = multipliers(recipe, layer.classes)

    @torch.no_grad()
    def __call__(self, raw: Tensor, rows: Tensor, size: tuple[int, int]) -> Outcome:
        """`raw` (N, anchors x (5 + classes), H, W), `rows` (N, max, 5 or more) of x, y, w, h, class; `size` H, W."""
        layer, recipe = self.layer, self.recipe
        values = torch.unflatten(raw.detach().float(), 1, (layer.used, OBJECTNESS + 1 + layer.classes))
        objectness = self._activated(values[:, :, OBJECTNESS]).contiguous()
        pixels = torch.tensor([size[1], size[0]], dtype=torch.float32, device=raw.device)
        maps = _Maps(values, objectness, -self.weight * objectness, pixels)
        found = truths(rows, layer.classes)
        cell, truth, overlap = self._overlaps(maps, found)
        pairs = assign(found, layer, recipe, self.rules, tuple(objectness.shape), pixels)
        positives = self._positives(maps, torch.cat((cell, pairs.cell)))
        self._overlapping(maps, found, positives, cell, truth, overlap)
        anchors = torch.tensor(layer.anchors, device=raw.device)
        at = self._places(maps, pairs.cell, anchors[pairs.anchor], torch.stack((pairs.column, pairs.row), 1))
        true, classes = found.boxes[pairs.truth], found.classes[pairs.truth]
        self._assigned(positives, pairs.cell, pairs.turn, classes, self._box_delta(at, true, classes))
        self._divide(positives)
        maps.objectness_delta.view(-1)[positives.cell] = positives.objectness_delta
        cost = self._cost(maps, positives, boxes.decode(layer, at, at.raw), true)
        return Outcome(self._spread(maps, positives).reshape(raw.shape), cost)

    def _activated(self, values: Tensor) -> Tensor:
        return values if self.layer.new_coords else torch.sigmoid(values)

    def _places(self, maps: _Maps, cell: Tensor, anchor: Tensor, corner: Tensor) -> boxes.Places:
        image, used, row, column = maps.of(cell)
        grid = torch.tensor(maps.objectness.shape[:1:-1], dtype=torch.float32, device=cell.device)
        raw = maps.values[image, used, :OBJECTNESS, row, column]
        return boxes.Places(corner.float(), anchor, raw, grid, maps.size)

    def _places_of_cells(self, maps: _Maps, cell: Tensor) -> boxes.Places:
        _, used, row, column = maps.of(cell)
        anchors = torch.tensor([self.layer.anchors[number] for number in self.layer.mask], device=cell.device)
        return self._places(maps, cell, anchors[used], torch.stack((column, row), 1))

    def _overlaps(self, maps: _Maps, found: Truths) -> tuple[Tensor, Tensor, Tensor]:
        """Ignore anchors whose box overlaps a truth; cell, truth and IoU of those above truth_thresh."""
        everywhere = self.recipe.truth_thresh < 1
        certain = torch.ones_like(maps.objectness, dtype=torch.bool)
        if not self.rules.ignores_any_class:
            certain = self._activated(maps.values[:, :, OBJECTNESS + 1 :].amax(2)) > CERTAIN
        certain = certain.flatten(1)
        predicted = boxes.decode_maps(self.layer, maps.values, maps.size)
        counts = torch.bincount(found.image, minlength=len(certain)).tolist()
        above, first = [], 0
        for image, count in enumerate(counts):
            cell = torch.nonzero(certain[image] | everywhere)[:, 0]
            if count and len(cell):
                tested = predicted[image] if len(cell) == certain.shape[1] else predicted[image][:, cell]
                overlap, truth = best_overlap(tested, found.boxes[first : first + count])
                self._ignore(maps, image, cell, overlap, certain[image, cell])
                if everywhere:
                    alike = overlap > self.recipe.truth_thresh
                    above.append((cell[alike] + image * certain.shape[1], truth[alike] + first, overlap[alike]))
            first += count
        if not above:
            none = found.image[:0]
            return none, none, predicted.new_zeros(0)
        cells, truths, overlaps = zip(*above, strict=True)
        return torch.cat(cells), torch.cat(truths), torch.cat(overlaps)

    def _ignore(self, maps: _Maps, image: int, cell: Tensor, overlap: Tensor, certain: Tensor) -> None:
        """Take back the negative gradient where the overlap of an image's cells is above ignore_thresh."""
        delta = maps.objectness_delta.view(len(maps.values), -1)[image]
        ignored = (overlap > self.recipe.ignore_thresh) & certain
        cell, overlap = cell[ignored], overlap[ignored]
        if self.recipe.objectness_smooth:
            own = maps.objectness.view(len(maps.values), -1)[image, cell]
            delta[cell] = torch.maximum(delta[cell], self.weight * (overlap - own))
        else:
            delta[cell] = 0

    def _positives(self, maps: _Maps, cell: Tensor) -> _Positives:
        cell = torch.unique(cell)
        image, used, row, column = maps.of(cell)
        classes = self._activated(maps.values[image, used, OBJECTNESS + 1 :, row, column])
        return _Positives(
            cell,
            maps.objectness.view(-1)[cell],
            classes,
            maps.objectness_delta.view(-1)[cell],
            torch.zeros_like(classes[:, :1]).repeat(1, 4),
            torch.zeros_like(classes),
        )

    def _weights(self, classes: Tensor) -> Tensor:
        """Factors (M,) of true classes: 1 without counters_per_class."""
        if self.factors is None:
            return torch.ones(len(classes), device=classes.device)
        return self.factors.to(classes.device)[classes]

    def _class_delta(self, before: Tensor, probability: Tensor, true: Tensor) -> Tensor:
        factors = None if self.factors is None else self.factors.to(true.device)
        delta = class_delta(before, probability, true, factors, self.recipe, self.rules)
        return torch.where(torch.isfinite(delta), delta, before)

    def _box_delta(self, at: boxes.Places, true: Tensor, classes: Tensor) -> Tensor:
        return self.gradient(self.layer, self.recipe, self.rules, at, true, self._weights(classes))

    def _overlapping(
        self, maps: _Maps, found: Truths, positives: _Positives, cell: Tensor, truth: Tensor, overlap: Tensor
    ) -> None:
        """Train the anchors above truth_thresh, each by the truth that it overlaps most."""
        at = torch.searchsorted(positives.cell, cell)
        classes = found.classes[truth]
        aim = overlap.square() if self.recipe.objectness_smooth else torch.ones_like(overlap)
        positives.objectness_delta[at] = self.weight * (aim - positives.objectness[at])
        delta = self._class_delta(positives.class_delta[at], positives.classes[at], classes)
        if self.recipe.objectness_smooth:
            own = positives.classes[at].gather(1, classes[:, None])
            delta.scatter_(1, classes[:, None], self._weights(classes)[:, None] * (aim[:, None] - own))
        positives.class_delta[at] = delta
        positives.box_delta[at] = self._box_delta(self._places_of_cells(maps, cell), found.boxes[truth], classes)

    def _assigned(self, positives: _Positives, cell: Tensor, turn: Tensor, classes: Tensor, box_delta: Tensor) -> None:
        """Train the anchors of pairs; those of one anchor in turn, since later ones depend on earlier."""
        at = torch.searchsorted(positives.cell, cell)
        for each in range(int(turn.max()) + 1 if len(turn) else 0):
            now = turn == each
            where, true = at[now], classes[now]
            if self.rules.last_truth_wins:
                positives.box_delta[where] = box_delta[now]
            else:
                positives.box_delta[where] += box_delta[now]
            delta = self._weights(true) * self.weight * (1 - positives.objectness[where])
            before = positives.objectness_delta[where]
            kept = (before != 0) & self.recipe.objectness_smooth
            positives.objectness_delta[where] = torch.where(kept, before, delta)
            positives.class_delta[where] = self._class_delta(
                positives.class_delta[where], positives.classes[where], true
            )

    def _divide(self, positives: _Positives) -> None:
        """Divide box gradients by the number of true classes of the anchor."""
        division = self.rules.division
        several = self.recipe.iou_thresh < 1
        if division is Division.ALWAYS or (division is Division.SEVERAL_ANCHORS and several):
            count = (positives.class_delta > 0).sum(1).clamp(min=1)
            count = torch.where(positives.objectness_delta != 0, count, 1)
            positives.box_delta.div_(count[:, None])

    def _cost(self, maps: _Maps, positives: _Positives, predicted: Tensor, true: Tensor) -> Tensor:
        """What is printed: squared gradients, and unless for MSE the mean of 1 - IoU, or 1 - GIoU, over all pairs."""
        squares = maps.objectness_delta.square().sum() + positives.class_delta.square().sum()
        if self.recipe.iou_loss == "mse":
            return squares + positives.box_delta.square().sum()
        kind = "giou" if self.recipe.iou_loss == "giou" else "iou"
        apart = (1 - similarity(kind, predicted, true)).mean() if len(true) else squares.new_zeros(())
        return self.recipe.iou_normalizer * apart + self.weight * squares

    def _spread(self, maps: _Maps, positives: _Positives) -> Tensor:
        """The gradient of the loss in the shape of the raw values."""
        gradient = torch.zeros_like(maps.values)
        torch.neg(maps.objectness_delta, out=gradient[:, :, OBJECTNESS])
        image, used, row, column = maps.of(positives.cell)
        gradient[image, used, :OBJECTNESS, row, column] = -positives.box_delta
        gradient[image, used, OBJECTNESS + 1 :, row, column] = -positives.class_delta
        return gradient
