"""Hue, saturation and exposure: in floats for classifiers (spec training b.4), in 8 bits for detectors (c.2).

Conditions are floats of 0 and 1 to multiply with: choices by conditions take longer, the more the pixels vary.
"""

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
    value, spread = planes.amax(0), planes.amin(0)
    torch.sub(value, spread, out=spread)
    turn, sector = _sectors(planes, value)
    # Darknet has 0 / 0 for the hue of grey; here it is 0, and the saturation of 0 makes it irrelevant
    least = torch.finfo().tiny
    turn.div_(spread.clamp(min=least)).add_(sector)
    turn.add_(torch.lt(turn, 0, out=sector), alpha=6).div_(6).add_(hue)
    turn.sub_(torch.gt(turn, 1, out=sector)).add_(torch.lt(turn, 0, out=sector)).mul_(6)
    strength = spread.div_(value.clamp(min=least)).mul_(saturation)
    return _from_hue(turn, strength, value.mul_(exposure)).clamp_(0, 1)


def _sectors(planes: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """The difference of the two colours that are not the strongest, and the sixth where the strongest is: 0, 2, 4.

    The hue in sixths of a circle is the first, divided by the largest difference, plus the second.
    """
    red, green, blue = planes
    is_red, is_green = (torch.eq(value, plane, out=torch.empty_like(value)) for plane in (red, green))
    is_green.addcmul_(is_green, is_red, value=-1)  # red comes first where both are the strongest
    sector = (1 - is_red).mul_(4).sub_(is_green, alpha=2)
    is_blue = (1 - is_red).sub_(is_green)
    difference = is_red.mul_(green - blue).addcmul_(is_green, blue - red).addcmul_(is_blue, red - green)
    return difference, sector


def _from_hue(sixths: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """HSV to RGB (3, H, W), with the hue in sixths from 0 to 6."""
    planes = sixths.new_empty((3, *sixths.shape))
    # the share of the saturation that darkens each colour: 0 in its two sixths, 1 in the opposite ones
    torch.sub(sixths, 3, out=planes[0]).abs_().neg_().add_(2)
    torch.sub(sixths, 2, out=planes[1]).abs_().sub_(1)
    torch.sub(sixths, 4, out=planes[2]).abs_().sub_(1)
    # in Darknet a hue of exactly one turn is the end of the last sixth, magenta, not the start of the first
    planes[2].mul_(torch.lt(sixths, 6, out=sixths))
    return planes.clamp_(0, 1).mul_(saturation).neg_().add_(1).mul_(value)


def distort_8bit(image: Pixels, hue: float, saturation: float, exposure: float) -> Pixels:
    """The same for uint8 (H, W, 3) as OpenCV computes it: hue in 180 steps, every result in 8 bits.

    The hue does not go round: below 0 it stays 0, and above 179 only the way back to RGB takes it round.
    """
    if hue == 0 and saturation == exposure == 1:
        return image
    degrees, strength, value = to_hsv(image)
    degrees.add_(179 * hue).round_().clamp_(0, 255)
    strength.mul_(saturation).round_().clamp_(0, 255)
    value.mul_(exposure).round_().clamp_(0, 255)
    return from_hsv(degrees, strength, value)


def to_hsv(image: Pixels) -> tuple[Tensor, Tensor, Tensor]:
    """Hue in 180 steps, saturation and value (H, W) of RGB uint8 (H, W, 3) as OpenCV has them: levels as floats."""
    planes = torch.from_numpy(image).permute(2, 0, 1).to(torch.float32, memory_format=torch.contiguous_format)
    value, spread = planes.amax(0), planes.amin(0)
    torch.sub(value, spread, out=spread)
    # integers all, exact in floats: OpenCV divides by multiplying with rounded reciprocals, in units of 1 / 4096
    strength = _divided(spread, value, 255)
    difference, sector = _sectors(planes, value)
    degrees = _divided(difference.addcmul_(sector, spread), spread, 30)
    degrees.add_(torch.lt(degrees, 0, out=sector), alpha=180)
    return degrees, strength, value


def from_hsv(degrees: Tensor, strength: Tensor, value: Tensor) -> Pixels:
    """The way back, to RGB uint8 (H, W, 3); the levels are changed in place."""
    degrees.mul_(6 / 180)
    degrees.sub_(torch.ge(degrees, 6).float(), alpha=6)
    # the way back ends in whole levels by leaving the fractions out
    colours = _from_hue(degrees, strength.mul_(1 / 255), value.mul_(1 / 255)).mul_(255).clamp_(0, 255)
    return colours.to(torch.uint8).permute(1, 2, 0).contiguous().numpy()


def _divided(number: Tensor, divisor: Tensor, times: int) -> Tensor:
    """`number` * `times` / `divisor`, rounded as OpenCV's conversion does; 0 where the divisor is 0."""
    reciprocal = torch.div(times * 4096, divisor.clamp(min=1)).round_()
    return reciprocal.mul_(number).add_(2048).mul_(1 / 4096).floor_()
