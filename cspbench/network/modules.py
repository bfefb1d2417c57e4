"""Torch modules for layers that torch has no module for."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from cspbench.network.layers import LocalAvgPool, MaxPool, Shortcut


class Conv(nn.Conv2d):
    """A convolution with uninitialised arrays: `load` or `initialise` fills them, and drawing them twice is slow."""

    def reset_parameters(self) -> None:
        pass


class XnorConv(Conv):
    """A convolution with binary weights and input, which is only counted."""


class Linear(nn.Linear):
    """A linear layer with uninitialised arrays, as in `Conv`."""

    def reset_parameters(self) -> None:
        pass


class WindowPool(nn.Module):
    """[maxpool] or [local_avgpool]: the first tap is at -(padding // 2), the remaining padding at the right and bottom.

    Taps outside the image are ignored, which torch's symmetric padding cannot express in general.
    """

    def __init__(self, layer: MaxPool | LocalAvgPool, size: tuple[int, int], output: tuple[int, int]) -> None:
        super().__init__()
        self.mean = isinstance(layer, LocalAvgPool)
        self.size = layer.size
        self.stride = (1, 1) if isinstance(layer, MaxPool) and layer.antialiasing else layer.strides
        before = layer.padding // 2
        # Pixels by which the last window exceeds the far edge, per axis; negative if it ends inside.
        over = [
            (count - 1) * stride + layer.size - before - length
            for length, count, stride in zip(size, output, self.stride, strict=True)
        ]
        self.symmetric = all(after <= before for after in over) and before <= layer.size // 2
        self.padding = before
        self.border = [before, max(0, over[1]), before, max(0, over[0])]  # left, right, top, bottom

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H', W')."""
        if self.symmetric:
            padding = self.padding
        else:
            padding = 0
            x = functional.pad(x, self.border, value=0.0 if self.mean else float("-inf"))
        if not self.mean:
            return functional.max_pool2d(x, self.size, self.stride, padding)
        if self.symmetric:
            return functional.avg_pool2d(x, self.size, self.stride, padding, count_include_pad=False)
        if torch.onnx.is_in_onnx_export():  # whose exporter ignores a divisor
            total = functional.avg_pool2d(x, self.size, self.stride) * self.size**2
        else:
            total = functional.avg_pool2d(x, self.size, self.stride, divisor_override=1)
        return total / self._inside(x)

    def _inside(self, padded: Tensor) -> Tensor:
        """Number of taps inside the image for each window, (N, 1, H', W')."""
        left, right, top, bottom = self.border

        def taps(length: int, before: int, after: int, stride: int) -> Tensor:
            windows = (length - self.size) // stride + 1
            first = torch.arange(windows, dtype=padded.dtype, device=padded.device) * stride
            return (first + self.size).clamp(max=length - after) - first.clamp(min=before)

        rows = taps(padded.shape[2], top, bottom, self.stride[0]).expand(padded.shape[0], 1, -1)
        return rows[..., None] * taps(padded.shape[3], left, right, self.stride[1])


class DepthMaxPool(nn.Module):
    """[maxpool] maxpool_depth=1: the largest of channels g, g + K, g + 2K, ... for each g below K."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, K, H, W)."""
        return torch.unflatten(x, 1, (x.shape[1] // self.channels, self.channels)).amax(1)


class ShortcutSum(nn.Module):
    """[shortcut] before its activation: the sum of the overlapping parts; does not modify its inputs."""

    def __init__(self, layer: Shortcut, inputs: list[tuple[int, int, int]]) -> None:
        super().__init__()
        self.current = inputs[0]
        self.steps = [layer.steps(shape, inputs[0]) for shape in inputs[1:]]
        self.fits = [shape == inputs[0] for shape in inputs[1:]]
        self.as_large = [shape[1:] == inputs[0][1:] for shape in inputs[1:]]
        self.normalization = layer.normalization
        self.weight: nn.Parameter | None = None
        if layer.weighting != "none":
            factors = inputs[0][0] if layer.weighting == "per_channel" else 1
            self.weight = nn.Parameter(torch.ones(len(inputs), factors))

    def factors(self) -> Tensor:
        """Normalised factors of the summands, (summands, channels or 1); relu gives at least 0.001, as in Darknet."""
        assert self.weight is not None
        weight: Tensor = self.weight
        if self.normalization == "relu":
            weight = weight.clamp(min=0.001)
        elif self.normalization == "softmax":
            weight = torch.exp(weight - weight.amax(0, keepdim=True))
        else:
            return weight
        return weight / weight.sum(0, keepdim=True).add(1e-4)

    def _fitted(self, source: Tensor, as_large: bool, stride: int, sample: int) -> Tensor:
        """`source` in the shape of the current map: subsampled or spread out, channels cropped or zero-padded."""
        channels, height, width = self.current
        if as_large:  # nothing that is made for this size
            missing = channels - source.shape[1]
            return source[:, :channels] if missing <= 0 else functional.pad(source, [0, 0, 0, 0, 0, missing])
        source = source[:, :channels, ::stride, ::stride]
        if sample > 1:
            batch, added, rows, columns = source.shape
            spread = source.new_zeros(batch, channels, height, width)
            spread[:, :added, : rows * sample : sample, : columns * sample : sample] = source
            return spread
        source = source[:, :, :height, :width]
        borders = [0, width - source.shape[3], 0, height - source.shape[2], 0, channels - source.shape[1]]
        return functional.pad(source, borders) if any(borders) else source

    def forward(self, x: Tensor, *sources: Tensor) -> Tensor:
        """(N, C, H, W) and the added maps to (N, C, H, W)."""
        fitted = [
            source if fits else self._fitted(source, as_large, *steps)
            for source, fits, as_large, steps in zip(sources, self.fits, self.as_large, self.steps, strict=True)
        ]
        if self.weight is None:
            for source in fitted:
                x = x + source
            return x
        factors = self.factors()[:, None, :, None, None]
        x = x * factors[0]
        for source, factor in zip(fitted, factors[1:], strict=True):
            x = torch.addcmul(x, source, factor)
        return x


def reorg(x: Tensor, stride: int, legacy: bool) -> Tensor:
    """[reorg3d], or [reorg] if `legacy`, which reads its input as if it had the shape of its inverse's output.

    (N, C, H, W) to (N, C s^2, H / s, W / s).
    """
    n, c, h, w = x.shape
    s = stride
    shape = (n, c // (s * s), h, s, w, s) if legacy else (n, c, h // s, s, w // s, s)
    return x.reshape(shape).permute(0, 3, 5, 1, 2, 4).reshape(n, c * s * s, h // s, w // s)


def centre_crop(x: Tensor, height: int, width: int, adjust: bool) -> Tensor:
    """[crop] at inference: (N, C, H, W) to (N, C, height, width)."""
    top, left = (x.shape[2] - height) // 2, (x.shape[3] - width) // 2
    x = x[:, :, top : top + height, left : left + width]
    return x * 2 - 1 if adjust else x


def group_softmax(x: Tensor, groups: int, temperature: float) -> Tensor:
    """[softmax] over each of `groups` equal parts of the flattened input; any shape to the same shape."""
    flat = x.flatten(1)
    parts = torch.unflatten(flat, 1, (groups, flat.shape[1] // groups)) / temperature
    return torch.softmax(parts, 2).reshape(x.shape)


def block_sum(x: Tensor, stride: int) -> Tensor:
    """[upsample] with a negative stride: the sum of each block, (N, C, H, W) to (N, C, H / stride, W / stride)."""
    n, c, height, width = x.shape
    return x.reshape(n, c, height // stride, stride, width // stride, stride).sum((3, 5))


def shuffle(x: Tensor, groups: int) -> Tensor:
    """[shuffle]: interleaves `groups` groups of channels, (N, C, H, W) to the same shape."""
    return torch.unflatten(x, 1, (x.shape[1] // groups, groups)).transpose(1, 2).flatten(1, 2)


class Vector(nn.Module):
    """[implicit]: a stored vector, independent of the input."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(size))

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) to (N, size, 1, 1)."""
        return self.weight.view(1, -1, 1, 1).expand(x.shape[0], -1, 1, 1)


class Blur(nn.Module):
    """The fixed depthwise kernel of antialiasing: [1 2 1] x [1 2 1] / 16 with padding 1, or a 2x2 mean."""

    kernel: Tensor

    def __init__(self, channels: int, size: int, stride: tuple[int, int]) -> None:
        super().__init__()
        row = torch.tensor([1.0, 2.0, 1.0] if size == 3 else [1.0, 1.0])
        kernel = torch.outer(row, row)
        self.register_buffer(
            "kernel", (kernel / kernel.sum()).expand(channels, 1, size, size).contiguous(), persistent=False
        )
        self.stride, self.padding = stride, (size - 1) // 2

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H', W')."""
        return functional.conv2d(x, self.kernel, stride=self.stride, padding=self.padding, groups=self.kernel.shape[0])


class SharedConv(nn.Module):
    """A convolution with the arrays of another one (share_index) and its own stride, padding and dilation.

    The owner is kept in a tuple so that it is not registered as a child: its arrays keep one name.
    """

    def __init__(self, owner: nn.Conv2d, stride: tuple[int, int], padding: int, dilation: int) -> None:
        super().__init__()
        self.owner = (owner,)
        self.stride, self.padding, self.dilation = stride, padding, dilation

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, filters, H', W')."""
        (owner,) = self.owner
        return functional.conv2d(x, owner.weight, owner.bias, self.stride, self.padding, self.dilation, owner.groups)


class SharedBatchNorm(nn.Module):
    """The batch norm of the convolution whose arrays are shared; in training its statistics count twice."""

    def __init__(self, owner: nn.BatchNorm2d) -> None:
        super().__init__()
        self.owner = (owner,)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        (owner,) = self.owner
        statistics = (owner.running_mean, owner.running_var)
        momentum = 0.0 if owner.momentum is None else owner.momentum
        return functional.batch_norm(x, *statistics, owner.weight, owner.bias, self.training, momentum, owner.eps)
