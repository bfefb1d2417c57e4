"""A detector on COCO: from kept candidates to AP at any NMS threshold, beside the claims of the same split."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cspbench.data.coco import CocoSource
from cspbench.data.coco_annotations import COCO_CATEGORIES, GroundTruth
from cspbench.data.detection_presets import DetectionPreset
from cspbench.detection.ap.average_precision import AveragePrecision, average_precision
from cspbench.detection.ap.matching import Detections
from cspbench.detection.candidates import shards
from cspbench.detection.detections import detections, joined
from cspbench.detection.detector import DarknetDetector, Detector, QuotedDetector, heads
from cspbench.detection.nms import criterion, nms_many
from cspbench.detection.soft_nms import suppress
from cspbench.errors import DatasetError, UsageError
from cspbench.inference.memory import give_back
from cspbench.inference.run import Run
from cspbench.network.layers import Detection, Yolo
from cspbench.network.network import digest as network_digest
from cspbench.zoo.catalogue import MODELS


def limited(source: CocoSource, count: int) -> CocoSource:
    """`count` images of a set, evenly spread; no published split any more. `DatasetError` where they are empty."""
    images = [source.images[index * len(source) // count] for index in range(count)]
    part = CocoSource(source.annotations, images, source.folder, "custom")
    if part.nothing_to_find is not None:
        raise part.nothing_to_find
    return part


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


def identity(name: str, detector: Detector, digest: str, source: CocoSource, precision: str) -> dict[str, Any]:
    """Everything that changes a candidate; the suppression comes later and is not part of it.

    A quoted detector's suppression is part of its recipe and cannot be chosen, so its whole recipe stands here.
    """
    network = detector.network
    last = heads(network)[-1]
    quoted = isinstance(detector, QuotedDetector)
    return {
        "task": "coco",
        "model": name,
        "definition": network_digest(network),
        "weights": digest,
        "data": source.as_json(),
        "preset": detector.as_json() if isinstance(detector, QuotedDetector) else detector_preset(detector),
        "size": list(network.input[1:]),
        "precision": precision,
        "quoted": quoted,
        "file": bool(network.places),
        "last": {
            "classes": last.classes,
            "nms_kind": getattr(last, "nms_kind", "default"),
            "beta_nms": getattr(last, "beta_nms", 0.6),
        },
    }


def detector_preset(detector: Detector) -> dict[str, Any]:
    """What of a Darknet detector's preset decides its candidates."""
    assert isinstance(detector, DarknetDetector)
    return detector.preset.forward_json()


def last_layer(run: Run) -> Detection:
    """What suppression asks of a network's last box layer, from the run's record: classes and kind of NMS."""
    return Yolo(sources=(-1,), anchors=((1.0, 1.0),), mask=(0,), **run.identity["last"])


@dataclass(frozen=True, eq=False)
class Thresholded:
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


def collect(
    run: Run,
    source: CocoSource,
    thresholds: Sequence[float],
    kind: str,
    step: Callable[[int], None] = lambda done: None,
) -> Collected:
    """Suppress a run's candidates at every threshold, a shard at a time, as its detector does.

    A quoted detector has one suppression of its own; its `thresholds` has one entry, for the record. `step` is told
    how many images are done. An image's id is the one that the annotations give its file.
    """
    last = last_layer(run)
    by = criterion(kind, last)
    recipe = MODELS[run.identity["model"]].recipe if run.identity["quoted"] else None
    categories = list(category_ids(source, last.classes).values())
    parts: list[list[Detections]] = [[] for _ in thresholds]
    bad: list[str] = []
    resized = done = 0
    digest = hashlib.sha256()
    for arrays, images in shards(run):
        if recipe is not None:
            images = [suppress(image, recipe.nms) for image in images]
            masks = [[np.ones(len(image), np.bool_) for image in images] for _ in thresholds]
        else:
            masks = nms_many(images, thresholds, by)
        listed = [source.images[index] for index in arrays["index"].tolist()]
        ids = [image.id for image in listed]
        extents = arrays["extent"].tolist()
        annotated = [[image.width, image.height] for image in listed]
        resized += sum(
            ok and one != other for one, other, ok in zip(extents, annotated, arrays["ok"].tolist(), strict=True)
        )
        for kept, mask in zip(parts, masks, strict=True):
            kept.append(detections(images, mask, extents, ids, categories))
        bad += [key for key, ok in zip(arrays["key"].tolist(), arrays["ok"].tolist(), strict=True) if not ok]
        digest.update(arrays["checksum"].astype("<u4").tobytes())
        give_back()
        done += len(images)
        step(done)
    return Collected(tuple(joined(each) for each in parts), tuple(bad), digest.hexdigest(), resized)


def evaluated(
    collected: Collected, thresholds: Sequence[float], truth: GroundTruth | None, engine: str
) -> list[Thresholded]:
    """AP at every threshold, by that engine."""
    return [
        Thresholded(nms, found, average_precision(truth, found, engine) if truth is not None else None)
        for nms, found in zip(thresholds, collected.detections, strict=True)
    ]


def parse_thresholds(text: str | None, preset: DetectionPreset) -> list[float]:
    """Read "0.6" or "0.45,0.50,..." as numbers between 0 and 1; the preset's own without a text."""
    if text is None:
        return [preset.nms]
    try:
        found = [float(part) for part in text.split(",")]
        if not found or not all(0 <= value <= 1 for value in found):
            raise ValueError
    except ValueError:
        raise UsageError(
            "usage.nms",
            "--nms cannot be read",
            expected="an IoU between 0 and 1, or several with commas",
            found=repr(text),
            remedy="Try --nms 0.6",
        ) from None
    return list(dict.fromkeys(found))
