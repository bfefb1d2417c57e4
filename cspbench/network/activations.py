"""Darknet's activations as torch modules (spec: activations.h, Appendix C)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional


class Activation(nn.Module):
    """Activations that torch lacks or has with other constants; elementwise, or over channels.

    Each applies exactly one of the operators that the counter knows as an activation, and adds no two tensors, which
    it would take for a shortcut.
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        """Any shape to the same shape; dimension 1 is the channels."""
        return _FORMULAS[self.kind](x)


def _hard_mish(x: Tensor) -> Tensor:
    """X above 0, x^2/2 + x down to -2, then 0."""
    return x * functional.hardtanh(x + 2.0, 0.0, 2.0) / 2.0


def _selu(x: Tensor) -> Tensor:
    return 1.0507 * functional.elu(x, alpha=1.6732)


def _gelu(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + torch.tanh(x * (0.035677 * x * x + 0.797885)))


def _ramp(x: Tensor) -> Tensor:
    """1.1 x above 0, 0.1 x below."""
    return 1.1 * functional.leaky_relu(x, 1 / 11)


def _loggy(x: Tensor) -> Tensor:
    return 2 * torch.sigmoid(x) - 1


def _plse(x: Tensor) -> Tensor:
    """Slope 1/8 through (0, 1/2) from -4 to 4, slope 0.01 outside."""
    middle = functional.hardtanh(x, -4.0, 4.0)
    return 0.125 * middle + 0.5 - 0.01 * (middle - x)


def _lhtan(x: Tensor) -> Tensor:
    """X from 0 to 1, slope 0.001 outside."""
    middle = functional.hardtanh(x, 0.0, 1.0)
    return middle - 0.001 * (middle - x)


def _stair(x: Tensor) -> Tensor:
    """Flat above even numbers, slope 1 above odd ones."""
    whole = torch.floor(x)
    return torch.floor(x / 2) - (whole - x) * torch.remainder(whole, 2)


def _normalize(x: Tensor) -> Tensor:
    positive = functional.relu(x)
    return positive / positive.sum(1, keepdim=True).add(1e-4)


def _softmax(x: Tensor) -> Tensor:
    raised = torch.exp(x)
    return raised / raised.sum(1, keepdim=True).add(1e-4)


def _softmax_of_differences(x: Tensor) -> Tensor:
    return _softmax(x - x.amax(1, keepdim=True))


_FORMULAS: dict[str, Callable[[Tensor], Tensor]] = {
    "hard_mish": _hard_mish,
    "selu": _selu,
    "gelu": _gelu,
    "ramp": _ramp,
    "loggy": _loggy,
    "plse": _plse,
    "lhtan": _lhtan,
    "stair": _stair,
    "normalize_channels": _normalize,
    "normalize_channels_softmax": _softmax,
    "normalize_channels_softmax_maxval": _softmax_of_differences,
}
_INPLACE: dict[str, Callable[..., nn.Module]] = {
    "leaky": partial(nn.LeakyReLU, 0.1),
    "revleaky": partial(nn.LeakyReLU, 0.1),
    "relie": partial(nn.LeakyReLU, 0.01),
    "elu": nn.ELU,
    "hardtan": nn.Hardtanh,
    **{"relu": nn.ReLU, "relu6": nn.ReLU6, "swish": nn.SiLU, "mish": nn.Mish},
}
"""torch's activations that can overwrite their input, by Darknet's name."""


def activation(kind: str, *, inplace: bool = True) -> nn.Module | None:
    """The module for an activation by Darknet's name (leaky has slope 0.1); None for `linear`.

    With `inplace` it may overwrite its input, which nothing else may read then.
    """
    if kind == "linear":
        return None
    if kind in _INPLACE:
        return _INPLACE[kind](inplace=inplace)
    return {"logistic": nn.Sigmoid, "tanh": nn.Tanh}.get(kind, partial(Activation, kind))()
