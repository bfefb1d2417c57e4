"""The class part of [yolo]'s gradient (spec training d.4, d.6)."""

from __future__ import annotations

import torch
from torch import Tensor

from cspbench.network.recipe import YoloRecipe
from cspbench.training.losses.rules import Rules

FOCAL_ALPHA = 0.5
TINY = 1e-15


def multipliers(recipe: YoloRecipe, classes: int) -> Tensor | None:
    """(classes,) factors that make up for rare classes; None without counters_per_class."""
    if not recipe.counters_per_class:
        return None
    counters = torch.tensor(recipe.counters_per_class, dtype=torch.float32).clamp(min=1)
    assert len(counters) == classes
    return (counters.max() / counters).clamp(max=recipe.max_delta)


def class_delta(
    before: Tensor, probability: Tensor, true: Tensor, factors: Tensor | None, recipe: YoloRecipe, rules: Rules
) -> Tensor:
    """The (M, classes) gradient of M anchors after a truth of class `true` (M,), from the one `before`.

    Where the true class has a gradient already, by an earlier truth, only that of this class changes.
    """
    classes = probability.shape[1]
    at = true[:, None]
    is_true = torch.zeros_like(probability, dtype=torch.bool).scatter_(1, at, True)
    low, high = 0.0, 1.0
    if recipe.label_smooth_eps:
        rest = recipe.label_smooth_eps
        low, high = (rest / classes, 1 - rest) if rules.smooth_evenly else (rest / 2, 1 - rest / 2)
    aim = torch.where(is_true, high, low)
    plain = aim - probability
    again = plain
    if factors is not None:
        factor = factors[true][:, None]
        again = plain * factor
        plain = torch.where(is_true, plain * factor * recipe.cls_normalizer, plain)
    if recipe.focal_loss:
        own = probability.gather(1, at) + TINY
        slope = -(1 - own) * (2 * own * own.log() + own - 1)
        plain = (is_true.to(probability.dtype) - probability) * FOCAL_ALPHA * slope
    repeated = before.gather(1, at) != 0
    return torch.where(repeated, torch.where(is_true, again, before), plain)
