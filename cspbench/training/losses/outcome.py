"""What a loss layer hands back and prints."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Outcome(NamedTuple):
    """The gradient that a loss layer hands back, and the cost that is printed; they need not belong to one function.

    `gradient` has the shape of the layer's input: that of the loss summed over images, which is minus Darknet's delta.
    """

    gradient: Tensor
    cost: Tensor
    """A scalar, summed over the images."""
