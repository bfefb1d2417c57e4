"""Losses on a vector of classes: [softmax] and the legacy [cost] (spec training, layers in training mode)."""

from __future__ import annotations

import torch
from torch import Tensor

from cspbench.training.losses.outcome import Outcome


@torch.no_grad()
def cross_entropy(logits: Tensor, labels: Tensor, groups: int = 1, temperature: float = 1.0) -> Outcome:
    """[softmax]: logits (N, ...) and labels (N, classes) that sum to 1.

    The gradient is that of the cross entropy, but without the temperature's 1/T. The cost sums -ln y over all classes
    with a label other than 0, unweighted: of smoothed labels every class counts alike.
    """
    flat = logits.detach().float().flatten(1)
    parts = torch.unflatten(flat, 1, (groups, flat.shape[1] // groups)) / temperature
    logarithms = torch.log_softmax(parts, 2).flatten(1)
    labels = labels.to(flat.dtype)
    gradient = logarithms.exp() - labels
    cost = -torch.where(labels != 0, logarithms, 0).sum()
    return Outcome(gradient.reshape(logits.shape), cost)


@torch.no_grad()
def squared_error(values: Tensor, labels: Tensor, scale: float = 1.0) -> Outcome:
    """[cost] type=sse: values (N, ...) and labels (N, classes)."""
    error = values.detach().float() - labels.float().reshape(values.shape)
    return Outcome(error * scale, error.square().sum())


@torch.no_grad()
def smooth_error(values: Tensor, labels: Tensor, scale: float = 1.0) -> Outcome:
    """[cost] type=smooth: within 1 the squared error, beyond it a slope of 1."""
    error = values.detach().float() - labels.float().reshape(values.shape)
    size = error.abs()
    cost = torch.where(size < 1, error.square(), 2 * size - 1).sum()
    return Outcome(error.clamp(-1, 1) * scale, cost)
