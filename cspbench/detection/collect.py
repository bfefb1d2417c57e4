"""The detections of a run at each NMS threshold, and their AP."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cspbench.data.coco.annotations import COCO_CATEGORIES, GroundTruth
from cspbench.data.coco.source import CocoSource
from cspbench.detection.ap.average_precision import AveragePrecision, average_precision
from cspbench.detection.ap.matching import MOST, Detections
from cspbench.detection.candidates import shards
from cspbench.detection.class_names import by_order
from cspbench.detection.decode_yolox import limit
from cspbench.detection.detections import detections
from cspbench.detection.nms import criterion, nms_many
from cspbench.detection.soft_nms import suppress
from cspbench.inference.memory import give_back
from cspbench.inference.shards import Shards
from cspbench.network.layers import Detection
from cspbench.zoo.detector_protocol import DetectorProtocol


@dataclass(frozen=True, eq=False)
class AtThreshold:
    """The detections of a run at one NMS threshold."""

    nms: float
    detections: Detections
    measured: AveragePrecision | None
    """None without ground truth."""


@dataclass(frozen=True)
class Collected:
    """The detections of a run at each threshold, and the keys of unreadable images."""

    detections: tuple[Detections, ...]
    bad: tuple[str, ...]
    images_digest: str
    """Digest of the checksums of the image files."""
    resized: int
    """The number of images whose size differs from the annotated one."""


def categories_of(source: CocoSource) -> dict[int, str]:
    """The categories of a data set; COCO's for a test set, whose own say nothing."""
    truth = source.ground_truth
    return truth.categories if truth is not None else COCO_CATEGORIES


def collect(
    run: Shards,
    source: CocoSource,
    thresholds: Sequence[float],
    kind: str,
    last: Detection,
    protocol: DetectorProtocol | None = None,
    categories: Sequence[int] | None = None,
    step: Callable[[int], None] = lambda done: None,
    *,
    exact: bool = False,
) -> Collected:
    """Apply the detector's NMS to a run's candidates at every threshold, a shard at a time.

    `last` is the network's last box layer, which defines the classes and the kind of NMS. A quoted detector uses the
    NMS of its `protocol`; then `thresholds` has one entry, for the record. `categories` are the ids of the categories
    of the network's classes, by default in ascending order. `exact` is that of the preset. `step` receives the number
    of images done.
    Image ids are those of the annotations. Raises `DatasetError`, `RunError`, `IncompleteRunError`.
    """
    by = criterion(kind, last)
    limits = [limit(threshold) for threshold in thresholds] if exact else thresholds
    if categories is None:
        categories = by_order(categories_of(source), last.classes, str(source.annotations.path))
    parts: list[list[Detections]] = [[] for _ in thresholds]
    bad: list[str] = []
    resized = done = 0
    digest = hashlib.sha256()
    for arrays, images in shards(run):
        masks: Sequence[Sequence[np.ndarray]]
        if protocol is not None:
            images = [suppress(image, protocol.nms) for image in images]
            masks = [[np.ones(len(image), np.bool_) for image in images] for _ in thresholds]
        else:
            masks = nms_many(images, limits, by)
        pictures = [source.images[index] for index in arrays["index"].tolist()]
        ids = [picture.id for picture in pictures]
        extents, readable = arrays["extent"].tolist(), arrays["ok"].tolist()
        annotated = [[picture.width, picture.height] for picture in pictures]
        both = zip(extents, annotated, readable, strict=True)
        resized += sum(ok and all(other) and one != other for one, other, ok in both)
        for part, mask in zip(parts, masks, strict=True):
            part.append(detections(images, mask, extents, ids, categories, exact=exact))
        bad += [key for key, ok in zip(arrays["key"].tolist(), readable, strict=True) if not ok]
        digest.update(arrays["checksum"].astype("<u4").tobytes())
        give_back()
        done += len(images)
        step(done)
    joined = (Detections(*map(np.concatenate, zip(*part, strict=True))) for part in parts)
    return Collected(tuple(joined), tuple(bad), digest.hexdigest(), resized)


def evaluated(
    collected: Collected, thresholds: Sequence[float], truth: GroundTruth | None, engine: str, most: int = MOST
) -> list[AtThreshold]:
    """The AP at every threshold, computed by an engine from at most so many detections of an image and class."""
    return [
        AtThreshold(nms, detected, average_precision(truth, detected, engine, most) if truth is not None else None)
        for nms, detected in zip(thresholds, collected.detections, strict=True)
    ]
