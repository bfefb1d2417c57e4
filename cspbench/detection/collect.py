"""A detector's predictions read back: what is detected at each NMS threshold, and COCO's AP of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cspbench.data.coco import CocoSource
from cspbench.data.coco_annotations import COCO_CATEGORIES, GroundTruth
from cspbench.detection.ap.average_precision import AveragePrecision, average_precision
from cspbench.detection.ap.matching import Detections
from cspbench.detection.candidates import Candidates, shards
from cspbench.detection.detections import detections, joined
from cspbench.detection.nms import criterion, nms_many
from cspbench.detection.soft_nms import suppress
from cspbench.errors import DatasetError
from cspbench.inference.memory import give_back
from cspbench.inference.shards import Shards
from cspbench.network.layers import Detection
from cspbench.zoo.recipe import Recipe


@dataclass(frozen=True, eq=False)
class AtThreshold:
    """What is left of a run at one NMS threshold."""

    nms: float
    detections: Detections
    measured: AveragePrecision | None
    """None without ground truth."""


@dataclass(frozen=True)
class Collected:
    """A run read back: what is detected at each threshold, and the images that could not be read."""

    detections: tuple[Detections, ...]
    bad: tuple[str, ...]
    pixels: str
    """Digest of the image files' checksums."""
    resized: int
    """Images whose width and height are not as annotated."""


def category_ids(source: CocoSource, classes: int) -> dict[int, int]:
    """Class numbers of a network to COCO's category ids: both in ascending order, 80 of 91 for COCO itself."""
    truth = source.ground_truth
    known = sorted(truth.categories if truth is not None else COCO_CATEGORIES)
    if len(known) != classes:
        raise DatasetError(
            "coco.other-classes",
            "the network and the data set have different numbers of classes",
            where=str(source.annotations.path),
            expected=f"{classes} categories, as the network",
            found=str(len(known)),
            remedy="Evaluate on the data set that the network was trained for",
        )
    return dict(enumerate(known))


def collect(
    run: Shards,
    source: CocoSource,
    thresholds: Sequence[float],
    kind: str,
    last: Detection,
    recipe: Recipe | None = None,
    step: Callable[[int], None] = lambda done: None,
) -> Collected:
    """Suppress a run's candidates at every threshold, a shard at a time, as its detector does.

    `last` is the network's last box layer, whose classes and kind of NMS count. A quoted detector has one suppression,
    its `recipe`'s; its `thresholds` has one entry, for the record. `step` hears how many images are done. An image's id
    is the one that the annotations give its file.
    """
    by = criterion(kind, last)
    categories = list(category_ids(source, last.classes).values())
    parts: list[list[Detections]] = [[] for _ in thresholds]
    bad: list[str] = []
    resized = done = 0
    digest = hashlib.sha256()
    for arrays, images in shards(run):
        masks: Sequence[Sequence[np.ndarray]]
        if recipe is not None:
            images = _suppressed(images, recipe)
            masks = [[np.ones(len(image), np.bool_) for image in images] for _ in thresholds]
        else:
            masks = nms_many(images, thresholds, by)
        listed = [source.images[index] for index in arrays["index"].tolist()]
        ids = [image.id for image in listed]
        extents, readable = arrays["extent"].tolist(), arrays["ok"].tolist()
        annotated = [[image.width, image.height] for image in listed]
        resized += sum(ok and one != other for one, other, ok in zip(extents, annotated, readable, strict=True))
        for part, mask in zip(parts, masks, strict=True):
            part.append(detections(images, mask, extents, ids, categories))
        bad += [key for key, ok in zip(arrays["key"].tolist(), readable, strict=True) if not ok]
        digest.update(arrays["checksum"].astype("<u4").tobytes())
        give_back()
        done += len(images)
        step(done)
    return Collected(tuple(joined(part) for part in parts), tuple(bad), digest.hexdigest(), resized)


def _suppressed(images: Sequence[Candidates], recipe: Recipe) -> list[Candidates]:
    return [suppress(image, recipe.nms) for image in images]


def evaluated(
    collected: Collected, thresholds: Sequence[float], truth: GroundTruth | None, engine: str
) -> list[AtThreshold]:
    """AP at every threshold, by that engine."""
    return [
        AtThreshold(nms, found, average_precision(truth, found, engine) if truth is not None else None)
        for nms, found in zip(thresholds, collected.detections, strict=True)
    ]
