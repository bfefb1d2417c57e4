"""Some images of a data set drawn with what was detected and what is there."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cspbench.data.coco import CocoSource
from cspbench.data.coco_annotations import COCO_CATEGORIES
from cspbench.data.decode import decode
from cspbench.detection.ap.matching import Detections
from cspbench.errors import BadImageError
from cspbench.plots.detections import Box, draw


def draw_samples(source: CocoSource, detections: Detections, count: int, folder: Path) -> list[Path]:
    """Draw `count` images, evenly spread, as PNG files named after them; returns the files."""
    truth = source.ground_truth
    names = truth.categories if truth is not None else COCO_CATEGORIES
    files = []
    for place in range(min(count, len(source))):
        sample = source.sample(place * len(source) // min(count, len(source)))
        mine = np.flatnonzero(np.asarray(detections.image_ids) == sample.image_id)
        found = [
            Box(
                tuple(detections.boxes[at].tolist()),
                names[int(detections.category_ids[at])],
                float(detections.scores[at]),
            )
            for at in mine
        ]
        there = []
        if truth is not None:
            objects = np.flatnonzero(truth.images == sample.image_id)
            there = [Box(tuple(truth.boxes[at].tolist()), names[int(truth.category_ids[at])]) for at in objects]
        path = folder / f"{Path(sample.key).stem}.png"
        try:
            pixels = decode(sample.data, sample.key)
        except BadImageError:
            continue  # the evaluation names it
        draw(pixels, found, there, path)
        files.append(path)
    return files
