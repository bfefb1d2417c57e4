"""Random hue, saturation and brightness of YOLOX's pictures, in 8 bits (spec yolox 0)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cspbench.data.augment.colour import from_hsv, to_hsv
from cspbench.data.augment.draws import Draws

Pixels = NDArray[np.uint8]
STEPS = 180
"""Of the circle of hues."""
SHIFTS = (5.0, 30.0, 30.0)
"""The largest shifts of hue, saturation and value, today."""
GAINS = (0.015, 0.7, 0.4)
"""The largest gains up to October 2021."""


class Colour(NamedTuple):
    """Hue, saturation and value are multiplied by the factors, then the shifts are added; hues go round."""

    factors: tuple[float, float, float] = (1.0, 1.0, 1.0)
    shifts: tuple[int, int, int] = (0, 0, 0)


def colour(draws: Draws, early: bool) -> Colour:
    """Factors about 1 if `early`; otherwise whole shifts, each with a probability of one half."""
    if early:
        first, second, third = (1 + float(draws.uniform(-gain, gain)) for gain in GAINS)
        return Colour(factors=(first, second, third))
    drawn = [float(draws.uniform(-limit, limit)) for limit in SHIFTS]
    hue, saturation, value = (int(shift) if draws.coin() else 0 for shift in drawn)
    return Colour(shifts=(hue, saturation, value))


def recoloured(image: Pixels, chosen: Colour) -> Pixels:
    """RGB uint8 (H, W, 3); results are cut to whole levels."""
    levels = to_hsv(np.require(image, requirements=["C", "W"]))
    # in double: a product just below a whole number must not become it
    hue, *others = (plane.double() * factor + shift for plane, factor, shift in zip(levels, *chosen, strict=True))
    saturation, value = (plane.clamp(0, 255).floor().float() for plane in others)
    return from_hsv(hue.remainder(STEPS).floor().float(), saturation, value)
