"""Which generation of YOLOX weights belong to, by the size of the numbers that their first convolution expects.

Source: spec, section 0. The pixels of the first generation had a deviation of about 1, those of the second have one of
58, so that its first convolution, with batch norm folded into it, has 58 times smaller weights: the largest filter of
the published YOLOX-Nano has a norm of 15.6 in the first generation and of 0.263 in the second.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cspbench.zoo.yolox.designs import EPSILON

Array = NDArray[np.float32]
BOUNDARY = 2.0
"""The geometric mean of both norms."""
OF_CLASSIFIERS = 0.4
"""That of 0.263 and 0.61, the norm of a cspdarknet-nano that saw 12,800 drawn pictures: norms grow in training."""


def normalised(weight: Array, scale: Array, variance: Array, boundary: float = BOUNDARY) -> bool:
    """Whether a first convolution and its batch norm expect normalised pixels, as the first generation's do."""
    norms = np.sqrt(np.square(weight.astype(np.float64)).sum(axis=(1, 2, 3)))
    folded = norms * np.abs(scale) / np.sqrt(variance.astype(np.float64) + EPSILON)
    return bool(folded.max() > boundary)
