"""Training pictures as a network sees them, with their labels, as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cspbench.plots.detections import Array, Box, draw

if TYPE_CHECKING:
    from cspbench.data.augment.minibatches import MiniBatches

PICTURES = 16


def preview(batches: MiniBatches, names: Sequence[str], folder: Path, pictures: int = PICTURES) -> list[Path]:
    """Draw the first `pictures` of a run as 01.png, 02.png, ...; returns the paths.

    A classifier's are framed with the names and shares of their classes, a detector's have the boxes of their objects.
    Raises `BadImageError` for an image that cannot be read.
    """
    written: list[Path] = []
    subdivisions = batches.layout.subdivisions
    for number in count():
        made = batches.make(number // subdivisions + 1, number % subdivisions)
        for error in made.errors:
            raise error
        for picture, label in zip(made.x.numpy(), made.y.numpy(), strict=True):
            pixels = batches.pixels(picture)
            if label.ndim == 2:
                boxes = _boxes(batches.objects(label, (pixels.shape[0], pixels.shape[1])), names)
            else:
                boxes = _classes(label, names, pixels)
            written.append(folder / f"{len(written) + 1:02d}.png")
            draw(pixels, [], boxes, written[-1])
            if len(written) == pictures:
                return written
    raise AssertionError("unreachable")


def _classes(label: Array, names: Sequence[str], pixels: Array) -> list[Box]:
    """A frame for each class that an image has; what smoothing gives to the others is not shown."""
    height, width = pixels.shape[:2]
    shares = label - label.min() if len(label) > 1 else label
    order = np.argsort(-label, kind="stable")
    return [
        Box((0.0, 0.0, float(width), float(height)), f"{names[at]} {label[at]:.2f}")
        for at in order.tolist()
        if shares[at] > 0
    ]


def _boxes(objects: Array, names: Sequence[str]) -> list[Box]:
    """Those of rows of class, centre x, y, width and height in pixels."""
    return [
        Box((x - across / 2, y - down / 2, across, down), names[int(label)])
        for label, x, y, across, down in objects.tolist()
    ]
