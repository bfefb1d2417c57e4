"""Hue, saturation and exposure: in floats for classifiers (spec training b.4), in 8 bits for detectors (c.2)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Pixels = NDArray[np.uint8]


def distort(planes: Tensor, hue: float, saturation: float, exposure: float) -> Tensor:
    """An RGB image float32 (3, H, W) from 0 to 1 with its hue turned by `hue`, of a whole circle of 1.

    Saturation and brightness are multiplied. An image of one channel only becomes brighter or darker.
    """
    if len(planes) == 1:
        return (planes * exposure).clamp_(0, 1)
    red, green, blue = planes
    value = torch.maximum(torch.maximum(red, green), blue)
    lowest = torch.minimum(torch.minimum(red, green), blue)
    sixths = _sixths(red, green, blue, value, value - lowest)
    # Darknet has 0 / 0 for the hue of grey; here it is 0, and the saturation of 0 makes it irrelevant
    turn = sixths.add_(sixths < 0, alpha=6).div_(6).add_(hue)
    turn.add_(turn > 1, alpha=-1).add_(turn < 0).mul_(6)
    strength = (value - lowest).div_(value.clamp(min=torch.finfo().tiny)).mul_(saturation)
    return _from_hue(turn, strength, value.mul_(exposure)).clamp_(0, 1)


def _sixths(red: Tensor, green: Tensor, blue: Tensor, value: Tensor, spread: Tensor) -> Tensor:
    """The hue in sixths of a circle, from -1 to 5; 0 for grey."""
    spread = spread.clamp(min=torch.finfo().tiny)
    sixths = torch.where(value == green, (blue - red).div_(spread).add_(2), (red - green).div_(spread).add_(4))
    return torch.where(value == red, (green - blue).div_(spread), sixths)


def _from_hue(sixths: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """HSV to RGB (3, H, W), with the hue in sixths from 0 to 6."""
    planes = sixths.new_empty((3, *sixths.shape))
    # the share of the saturation that darkens each colour: 0 in its two sixths, 1 in the opposite ones
    torch.sub(sixths, 3, out=planes[0]).abs_().neg_().add_(2)
    torch.sub(sixths, 2, out=planes[1]).abs_().sub_(1)
    torch.sub(sixths, 4, out=planes[2]).abs_().sub_(1)
    # in Darknet a hue of exactly one turn is the end of the last sixth, magenta, not the start of the first
    planes[2].mul_(sixths < 6)
    return planes.clamp_(0, 1).mul_(saturation).neg_().add_(1).mul_(value)


def distort_8bit(image: Pixels, hue: float, saturation: float, exposure: float) -> Pixels:
    """The same for uint8 (H, W, 3) as OpenCV computes it: hue in 180 steps, every result in 8 bits.

    The hue does not go round: below 0 it stays 0, and above 179 only the way back to RGB takes it round.
    """
    if hue == 0 and saturation == exposure == 1:
        return image
    planes = torch.from_numpy(image).permute(2, 0, 1).to(torch.float32, memory_format=torch.contiguous_format)
    red, green, blue = planes
    value = torch.maximum(torch.maximum(red, green), blue)
    spread = value - torch.minimum(torch.minimum(red, green), blue)
    # integers all, exact in floats: OpenCV divides by multiplying with rounded reciprocals, in units of 1 / 4096
    strength = _divided(spread, value, 255)
    sixths = torch.where(value == green, blue - red + 2 * spread, red - green + 4 * spread)
    degrees = _divided(torch.where(value == red, green - blue, sixths), spread, 30)
    degrees.add_(degrees < 0, alpha=180)
    degrees.add_(179 * hue).round_().clamp_(0, 255)
    strength.mul_(saturation).round_().clamp_(0, 255)
    value.mul_(exposure).round_().clamp_(0, 255)
    degrees.mul_(6 / 180)
    degrees.add_(degrees >= 6, alpha=-6)
    # the way back ends in whole levels by leaving the fractions out
    colours = _from_hue(degrees, strength.mul_(1 / 255), value.mul_(1 / 255)).mul_(255).clamp_(0, 255)
    return colours.to(torch.uint8).permute(1, 2, 0).contiguous().numpy()


def _divided(number: Tensor, divisor: Tensor, times: int) -> Tensor:
    """`number` * `times` / `divisor`, rounded as OpenCV's conversion does; 0 where the divisor is 0."""
    reciprocal = (times * 4096 / divisor.clamp(min=1)).round_()
    return reciprocal.mul_(number).add_(2048).mul_(1 / 4096).floor_()
