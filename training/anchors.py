"""The detector's anchors: k-means over the boxes of training pictures, with IoU as the similarity.

python training/anchors.py [--pictures 10000]
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from cspbench.sample import detection
from cspbench.zoo.registry import model
from cspbench.zoo.sample import ANCHORS

Sizes = NDArray[np.float64]

QUANTILES = (0.08, 0.25, 0.42, 0.6, 0.78, 0.93)
"""Quantiles of the square roots of the boxes' areas: the sides of the initial, square anchors."""


def sizes(pictures: int, height: int, width: int) -> Sizes:
    """Width and height (N, 2) of every box but crowds, in pixels of the network's input; seeds of pictures from 0."""
    boxes = []
    for seed in range(pictures):
        pixels, objects = detection.draw(seed)
        y, x = height / pixels.shape[0], width / pixels.shape[1]
        boxes += [(item.box[2] * x, item.box[3] * y) for item in objects if not item.crowd]
    return np.array(boxes)


def k_means(boxes: Sizes, rounds: int = 100) -> Sizes:
    """Anchors (6, 2) in ascending order; each is the mean of the boxes with the largest IoU to it, corners aligned."""
    centres: Sizes = np.quantile(np.sqrt(boxes.prod(1)), QUANTILES)[:, None].repeat(2, 1)
    for _ in range(rounds):
        shared = np.minimum(boxes[:, None], centres[None]).prod(2)
        nearest = (shared / (boxes.prod(1)[:, None] + centres.prod(1) - shared)).argmax(1)
        moved = np.array([boxes[nearest == index].mean(0) for index in range(len(centres))])
        if np.abs(moved - centres).max() < 1e-3:
            break
        centres = moved
    return centres


def main() -> None:
    """Print the anchors next to those in use."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=10_000)
    options = parser.parse_args()
    _, height, width = model("sample-csp-detector").build().input
    for anchor, used in zip(k_means(sizes(options.pictures, height, width)).round(), ANCHORS, strict=True):
        print(*anchor, "in use:", *used)


if __name__ == "__main__":
    main()
