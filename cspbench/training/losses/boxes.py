"""Boxes that a [yolo] layer predicts at chosen anchors, and the gradients of these boxes (spec training d.1, d.5)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cspbench.network.layers import Yolo
from cspbench.network.recipe import YoloRecipe
from cspbench.training.losses.box_delta import box_delta
from cspbench.training.losses.rules import Rules
from cspbench.training.losses.similarity import similarity


@dataclass(frozen=True)
class Places:
    """M anchors in cells: column and row (M, 2), sides (M, 2) in pixels, and their `raw` box values (M, 4)."""

    corner: Tensor
    anchor: Tensor
    raw: Tensor
    grid: Tensor
    """Columns and rows of the map."""
    size: Tensor
    """Width and height of the network input in pixels."""


def offsets(layer: Yolo, raw: Tensor) -> Tensor:
    """Of raw x, y: the position in the cell, spread by scale_x_y."""
    inside = raw if layer.new_coords else torch.sigmoid(raw)
    return inside if layer.scale_x_y == 1 else inside * layer.scale_x_y - 0.5 * (layer.scale_x_y - 1)


def decode(layer: Yolo, at: Places, raw: Tensor) -> Tensor:
    """The boxes (M, 4) as fractions of the network input, from raw values (M, 4)."""
    centre = (at.corner + offsets(layer, raw[:, :2])) / at.grid
    sides = raw[:, 2:].square() * 4 if layer.new_coords else torch.exp(raw[:, 2:])
    return torch.cat((centre, sides * at.anchor / at.size), 1)


def decode_maps(layer: Yolo, values: Tensor, size: Tensor) -> Tensor:
    """All boxes (N, 4, anchors x H x W), from raw values (N, anchors, 5 + classes, H, W)."""
    _, _, _, rows, columns = values.shape
    column = torch.arange(columns, dtype=values.dtype, device=values.device)
    row = torch.arange(rows, dtype=values.dtype, device=values.device)
    anchors = torch.tensor([layer.anchors[number] for number in layer.mask], device=values.device) / size
    centre = offsets(layer, values[:, :, :2])
    raw = values[:, :, 2:4]
    sides = (raw.square() * 4 if layer.new_coords else torch.exp(raw)) * anchors[None, :, :, None, None]
    x, y = (centre[:, :, 0] + column) / columns, (centre[:, :, 1] + row[:, None]) / rows
    return torch.stack((x, y, sides[:, :, 0], sides[:, :, 1]), 1).flatten(2)


def gradient(layer: Yolo, recipe: YoloRecipe, rules: Rules, at: Places, true: Tensor, weight: Tensor) -> Tensor:
    """The delta (M, 4), minus the gradient, at the raw values for each true box (M, 4); `weight` (M,) multiplies it."""
    if recipe.iou_loss == "mse":
        delta = _squared_error(layer, at, at.raw, true)
        factor = (2 - true[:, 2] * true[:, 3]) * (weight * recipe.iou_normalizer if rules.mse_normalised else weight)
        return delta * factor[:, None]
    delta = box_delta(recipe.iou_loss, decode(layer, at, at.raw), true, rules)
    if not layer.new_coords:
        delta[:, 2:] *= torch.exp(at.raw[:, 2:])
    return _bounded(delta * (recipe.iou_normalizer * weight)[:, None], recipe, rules)


def exact_gradient(layer: Yolo, recipe: YoloRecipe, rules: Rules, at: Places, true: Tensor, weight: Tensor) -> Tensor:
    """As `gradient`, but the derivative of the similarity, or of half the squared error, through the decoding."""
    with torch.enable_grad():
        raw = at.raw.detach().clone().requires_grad_()
        if recipe.iou_loss == "mse":
            error = _squared_error(layer, at, raw, true)
            value = -0.5 * (2 - true[:, 2] * true[:, 3]) * error.square().sum(1)
            factor = weight * recipe.iou_normalizer if rules.mse_normalised else weight
        else:
            value = similarity(recipe.iou_loss, decode(layer, at, raw), true)
            factor = weight * recipe.iou_normalizer
        (delta,) = torch.autograd.grad((value * factor).sum(), raw)
    return _bounded(delta, recipe, rules)


def _squared_error(layer: Yolo, at: Places, raw: Tensor, true: Tensor) -> Tensor:
    """What the true box (M, 4) would have predicted, minus what is predicted: x, y after the sigmoid, w, h raw."""
    sides = true[:, 2:] * at.size / at.anchor
    aim = (sides / 4).sqrt() if layer.new_coords else sides.log()
    return torch.cat((true[:, :2] * at.grid - at.corner - offsets(layer, raw[:, :2]), aim - raw[:, 2:]), 1)


def _bounded(delta: Tensor, recipe: YoloRecipe, rules: Rules) -> Tensor:
    """Without NaN and infinity, within max_delta."""
    delta = torch.where(torch.isfinite(delta), delta, 0)
    return delta.clamp(-recipe.max_delta, recipe.max_delta) if rules.limited else delta
