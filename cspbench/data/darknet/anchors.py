"""Anchors of a data set by k-means, as Darknet's `detector calc_anchors` computes them.

The distance of a box to a centre is 1 - IoU of the two with a common corner. Centres begin as boxes drawn at random,
and become the means of the boxes that are nearest to them, until no box changes its centre.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cspbench.errors import DatasetError, UsageError

ITERATIONS = 1000
"""Darknet's limit."""
MOST = 64
"""Anchors; Darknet's largest network has 12."""

Sizes = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Anchors:
    """Anchors (K, 2), width and height in pixels of the network's input, by ascending area.

    `average_iou` is the mean over the boxes of the IoU with their best anchor, 0 to 1; `counts` (K,) how many boxes
    each anchor is the best of.
    """

    sizes: Sizes
    average_iou: float
    counts: NDArray[np.int64]
    iterations: int

    def cfg(self) -> str:
        """The value of `anchors=` in a cfg, in whole pixels."""
        return ", ".join(f"{width:.0f},{height:.0f}" for width, height in np.maximum(np.rint(self.sizes), 1).tolist())


def anchors_of(boxes: Sizes, number: int, size: tuple[int, int], seed: int = 0) -> Anchors:
    """`number` anchors for boxes (N, 2), parts of the image's width and height, and an input of `size`, width, height.

    The same seed gives the same anchors; Darknet takes another one each time. Raises `UsageError` for a number out of
    range, `DatasetError` for fewer boxes than anchors.
    """
    check_number(number)
    pixels = np.asarray(boxes, np.float64).reshape(-1, 2) * np.array(size, np.float64)
    if len(pixels) < number:
        raise DatasetError(
            "darknet.few-boxes",
            "fewer boxes than anchors",
            expected=f"{number} boxes at least",
            found=f"{len(pixels)}",
            remedy="Use more images, or ask for fewer anchors with --num",
        )
    generator = np.random.default_rng(seed)
    centres = pixels[generator.permutation(len(pixels))[:number]]
    nearest = np.zeros(len(pixels), np.int64)
    iterations = 0
    if number == 1:
        centres = _means(pixels, nearest, centres)
    while iterations < ITERATIONS:
        previous, nearest = nearest, overlaps(pixels, centres).argmax(1)
        if np.array_equal(previous, nearest):
            break
        centres = _means(pixels, nearest, centres)
        iterations += 1
    centres = centres[np.argsort(centres.prod(1), kind="stable")]
    value = overlaps(pixels, centres)
    counts = np.bincount(value.argmax(1), minlength=number)
    return Anchors(centres, float(value.max(1).mean()), counts, iterations)


def check_number(number: int) -> None:
    """Raise `UsageError` for a number of anchors that is out of range."""
    if not 1 <= number <= MOST:
        raise UsageError(
            "usage.out-of-range",
            "the number of anchors is out of range",
            expected=f"1 to {MOST}",
            found=str(number),
            remedy="Correct --num",
        )


def overlaps(boxes: Sizes, centres: Sizes) -> Sizes:
    """(N, K) IoU of boxes (N, 2) and centres (K, 2) that share a corner."""
    shared = np.minimum.outer(boxes[:, 0], centres[:, 0]) * np.minimum.outer(boxes[:, 1], centres[:, 1])
    ratio: Sizes = shared / (np.add.outer(boxes.prod(1), centres.prod(1)) - shared)
    return ratio


def _means(pixels: Sizes, nearest: NDArray[np.int64], centres: Sizes) -> Sizes:
    """The mean of the boxes of each centre; a centre without boxes stays."""
    counts = np.bincount(nearest, minlength=len(centres))
    sums = np.stack([np.bincount(nearest, pixels[:, axis], len(centres)) for axis in (0, 1)], 1)
    means: Sizes = sums / np.maximum(counts, 1)[:, None]
    return np.where(counts[:, None] > 0, means, centres)
