"""What a loss layer hands back and prints."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Outcome(NamedTuple):
    """`delta`, in the shape of the layer's input, is minus the gradient of the summed loss; `cost` is what is printed.

    The two need not belong to one function.
    """

    delta: Tensor
    cost: Tensor
    """A scalar, summed over the images."""
