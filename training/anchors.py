"""The detector's anchors: k-means over the boxes of pictures to train on, near being a large IoU.

python training/anchors.py [--pictures 10000]
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from cspbench.sample import detection
from cspbench.zoo.sample import ANCHORS, sample_csp_detector

Sizes = NDArray[np.float64]

QUANTILES = (0.08, 0.25, 0.42, 0.6, 0.78, 0.93)
"""Of the boxes' mean sides: squares of these sides are what the search begins with."""


def sizes(pictures: int, height: int, width: int) -> Sizes:
    """Width and height of every box, crowds left out, in pixels of a network's input; pictures have seeds from 0."""
    found = []
    for seed in range(pictures):
        scene = detection.draw(seed)
        tall, wide = scene.pixels.shape[:2]
        found += [(each.box[2] * width / wide, each.box[3] * height / tall) for each in scene.objects if not each.crowd]
    return np.array(found)


def k_means(boxes: Sizes, rounds: int = 100) -> Sizes:
    """Anchors (6, 2), rising: each the mean of the boxes that overlap it most, corners put together."""
    centres: Sizes = np.quantile(np.sqrt(boxes.prod(1)), QUANTILES)[:, None].repeat(2, 1)
    for _ in range(rounds):
        shared = np.minimum(boxes[:, None], centres[None]).prod(2)
        nearest = (shared / (boxes.prod(1)[:, None] + centres.prod(1) - shared)).argmax(1)
        moved = np.array([boxes[nearest == each].mean(0) for each in range(len(centres))])
        if np.abs(moved - centres).max() < 1e-3:
            break
        centres = moved
    return centres


def main() -> None:
    """Print the anchors beside those in use."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=10_000)
    given = parser.parse_args()
    _, height, width = sample_csp_detector().input
    for found, used in zip(k_means(sizes(given.pictures, height, width)).round(), ANCHORS, strict=True):
        print(*found, "in use:", *used)


if __name__ == "__main__":
    main()
