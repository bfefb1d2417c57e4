"""Pixels of 8 bits as a network's input, by a table: what the CPU computes of each level is looked up on any device.

So a GPU's input is the CPU's to the last bit, whatever rounding its own division has, and a quarter of the bytes are
copied to it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.float32]
"""(C, 256): the input's value for each level of a channel."""


def table(planes: Callable[[NDArray[np.uint8]], NDArray[np.float32]]) -> Table:
    """The table of a function from uint8 (H, W, 3) to float32 (3, H, W) that treats each value by itself."""
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    return planes(ramp)[:, 0]
