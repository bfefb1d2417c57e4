"""Refuses outputs of a network that are not finite."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cspbench.errors import OutputError


def check_finite(finite: NDArray[np.bool_], names: Sequence[str], expected: str, found: str = "nan or inf") -> None:
    """Raise `OutputError` for the first image (N,) whose outputs are not finite; `names` are those of the images."""
    if not finite.all():
        raise OutputError(
            "network.not-finite",
            "the network's output is not finite",
            where=names[int(np.flatnonzero(~finite)[0])],
            expected=expected,
            found=found,
            remedy="Check the weights with `cspbench weights verify`, or use --precision fp32",
        )
