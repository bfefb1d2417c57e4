"""Torch modules for the layers of the oldest networks."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from cspbench.network.layers import Local, ResponseNorm, Shape


class LocalConv(nn.Module):
    """[local] before its activation; its arrays are uninitialised."""

    def __init__(self, layer: Local, shape: Shape) -> None:
        super().__init__()
        bias, weight = layer.weights([shape])
        self.layer = layer
        self.bias = nn.Parameter(torch.empty(bias.shape))
        self.weight = nn.Parameter(torch.empty(weight.shape))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, filters, H', W')."""
        taps = functional.unfold(x, self.layer.size, padding=self.layer.padding, stride=self.layer.stride)
        places = taps.transpose(1, 2)[..., None]  # (N, places, C * size^2, 1)
        product = torch.matmul(self.weight, places)[..., 0].transpose(1, 2)
        # a difference: the counter takes the sum of two maps for a shortcut
        return torch.unflatten(product, 2, self.bias.shape[1:]) - (-self.bias)


class ResponseNormalisation(nn.Module):
    """[normalization]: each value divided by a power of its neighbours' sum of squares over channels."""

    def __init__(self, layer: ResponseNorm) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        layer, channels = self.layer, x.shape[1]
        squares = x.square()
        until = functional.pad(squares.cumsum(1), (0, 0, 0, 0, 1, 0))  # of the channels before each
        at = torch.arange(channels, device=x.device)
        first, end = at - (layer.size - 1) // 2, at + layer.size // 2 + 1
        total = until[:, end.clamp(max=channels)] - until[:, first.clamp(min=0)]
        if layer.size // 2 < channels:
            total = total - squares[:, layer.size // 2, None]
        return x * (layer.alpha * total + layer.kappa).pow(-layer.beta)
