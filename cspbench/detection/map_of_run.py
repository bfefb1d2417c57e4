"""The detections of a run and the objects of its images as Darknet's `detector map` sees them (spec b.6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from cspbench.data.coco.source import CocoSource
from cspbench.detection.ap.darknet_map import MapDetections, Objects
from cspbench.detection.candidates import Candidates, shards
from cspbench.detection.detections import in_file_order
from cspbench.detection.nms import criterion, nms_many
from cspbench.errors import UsageError
from cspbench.inference.shards import Shards
from cspbench.network.layers import Detection

SCORE = 0.005
"""Scores must exceed it, strictly, in float32."""
NMS = 0.45


def map_detections(
    run: Shards, conf: float, last: Detection, step: Callable[[int], None] = lambda done: None
) -> MapDetections:
    """The detections of a complete run with Darknet's own threshold and NMS, whatever the run's preset has.

    `conf` is the score that the run's candidates exceed, `last` its network's last box layer, which says the kind of
    NMS. `step` receives the number of images done. Raises `UsageError` for a run without the low scores, `RunError`,
    `IncompleteRunError`.
    """
    if conf > SCORE:
        raise UsageError(
            "usage.map-needs-low-scores",
            "Darknet's mAP needs the detections of all scores",
            expected=f"--conf {SCORE} or less",
            found=f"{conf:g}",
            remedy="Leave out --conf, or --map",
        )
    by = criterion("cfg", last)
    scores = np.zeros(0, np.float32)
    parts = [MapDetections(np.zeros(0, np.int64), np.zeros(0, np.int16), scores.reshape(0, 4), scores)]
    done = 0
    for arrays, images in shards(run):
        relative = [relative_to(image, extent) for image, extent in zip(images, arrays["extent"], strict=True)]
        for number, image, mask in zip(arrays["index"], relative, nms_many(relative, [NMS], by)[0], strict=True):
            rows = in_file_order(image, mask)
            boxes = image.boxes[image.box[rows]]
            parts.append(MapDetections(np.full(len(rows), number), image.category[rows], boxes, image.score[rows]))
        done += len(images)
        step(done)
    return MapDetections(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def relative_to(image: Candidates, extent: Sequence[int] | NDArray[np.int32]) -> Candidates:
    """An image's candidates of Darknet's threshold with boxes as parts of its `extent`, width and height.

    NMS depends on it: the distances of greedynms and diounms are not the same in pixels.
    """
    sides = np.array([*extent, *extent], np.float32)
    sure = image.score > np.float32(SCORE)
    return Candidates(image.boxes / sides, image.box[sure], image.category[sure], image.score[sure])


def objects_of(source: CocoSource, category_ids: Sequence[int]) -> Objects:
    """The objects of a data set, with classes in the order of `category_ids`; crowds are difficult objects."""
    truth = source.ground_truth
    if truth is None:
        raise UsageError(
            "usage.map-without-objects",
            "mAP needs objects",
            where=str(source.annotations.path),
            expected="a data set with annotations",
            remedy="Leave out --map",
        )
    numbers = {image.id: number for number, image in enumerate(source.images)}
    classes = {category: number for number, category in enumerate(category_ids)}
    images = np.array([numbers[image] for image in truth.images.tolist()], np.int64)
    extents = np.array([(image.width, image.height) for image in source.images], np.float64).reshape(-1, 2)[images]
    if not extents.all():
        raise UsageError(
            "usage.map-without-sizes",
            "mAP needs the sizes of the images",
            where=str(source.annotations.path),
            expected="width and height of every image with objects",
            found=f"none of image {truth.images[np.flatnonzero(~extents.all(1))[0]]}",
            remedy="Add them to the annotations, or leave out --map",
        )
    centre = (truth.boxes[:, :2] + truth.boxes[:, 2:] / 2) / extents
    boxes = np.concatenate((centre, truth.boxes[:, 2:] / extents), 1).astype(np.float32)
    labels = np.array([classes[category] for category in truth.category_ids.tolist()], np.int64)
    order = np.argsort(images, kind="stable")
    return Objects(images[order], labels[order], boxes[order], truth.crowd[order])
