"""Checkpoints of timm's three networks, written down from their structure: names, shapes and order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import prod

import torch
from torch import Tensor


@dataclass(frozen=True)
class Shape:
    """Widths and depths of a network."""

    stem: int
    kernel: int
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    expanded: tuple[int, ...]
    """Channels of the expansion that both parts of a stage are halves of."""
    middles: tuple[int, ...]
    """Channels within a block."""
    groups: int = 1

    @property
    def dark(self) -> bool:
        """CSPDarkNet's stages and blocks."""
        return self.kernel == 3


SHAPES = {
    "timm/cspdarknet53": Shape(
        32, 3, (64, 128, 256, 512, 1024), (1, 2, 8, 8, 4), (128, 128, 256, 512, 1024), (32, 64, 128, 256, 512)
    ),
    "timm/cspresnet50": Shape(64, 7, (128, 256, 512, 1024), (3, 3, 5, 2), (256, 512, 1024, 2048), (64, 128, 256, 512)),
    "timm/cspresnext50": Shape(
        64, 7, (256, 512, 1024, 2048), (3, 3, 5, 2), (256, 512, 1024, 2048), (128, 256, 512, 1024), 32
    ),
}


@cache
def tensors(name: str, mmpretrain: bool = False) -> dict[str, Tensor]:
    """Random tensors under the names of timm's or mmpretrain's checkpoint, in its order."""
    shape, made = SHAPES[name], {}
    generator = torch.Generator().manual_seed(0)

    def unit(timms: str, mms: str, filters: int, channels: int, size: int) -> None:
        conv, bn = f"{timms}.conv", f"{timms}.bn"
        if mmpretrain:
            conv, bn = (f"backbone.{mms.format(part)}" for part in ("conv", "bn"))
        kernel = filters, channels, size, size
        made[f"{conv}.weight"] = torch.randn(kernel, generator=generator) * (2 / prod(kernel[1:])) ** 0.5
        for role, low in (("weight", 0.5), ("bias", -0.5), ("running_mean", -0.5), ("running_var", 0.5)):
            made[f"{bn}.{role}"] = torch.rand(filters, generator=generator) + low
        made[f"{bn}.num_batches_tracked"] = torch.tensor(7)

    unit("stem.conv1", "stem.{}" if shape.dark else "stem.0.{}", shape.stem, 3, shape.kernel)
    before = shape.stem
    for stage, (width, depth) in enumerate(zip(shape.widths, shape.depths, strict=True)):
        at, half, middle = f"stages.{stage}", shape.expanded[stage] // 2, shape.middles[stage]
        entry = width if shape.dark else before
        if shape.dark or stage:
            unit(f"{at}.conv_down", f"{at}.downsample_conv.{{}}", entry, before // shape.groups, 3)
        unit(f"{at}.conv_exp", f"{at}.expand_conv.{{}}", 2 * half, entry, 1)
        for block in range(depth):
            sizes = [(middle, half, 1), (half, middle, 3)]
            if not shape.dark:
                sizes = [(middle, half, 1), (middle, middle // shape.groups, 3), (half, middle, 1)]
            for number, each in enumerate(sizes, 1):
                theirs = f"{at}.blocks.{block}.conv{number}.{{}}" if shape.dark else f"{at}.blocks.{block}.{{}}{number}"
                unit(f"{at}.blocks.{block}.conv{number}", theirs, *each)
        unit(f"{at}.conv_transition_b", f"{at}.atfer_blocks_conv.{{}}", half, half, 1)
        unit(f"{at}.conv_transition", f"{at}.final_conv.{{}}", width, 2 * half, 1)
        before = width
    made["head.fc.weight"] = torch.randn((1000, before), generator=generator) / before**0.5
    made["head.fc.bias"] = torch.randn(1000, generator=generator)
    return made


def constants(name: str, value: float = 0.25) -> dict[str, Tensor]:
    """Tensors of the same names and shapes that hold one number each, which makes a small file."""
    return {
        each: torch.tensor(value + at / 1024).expand(result.shape) if result.ndim else result
        for at, (each, result) in enumerate(tensors(name).items())
    }
