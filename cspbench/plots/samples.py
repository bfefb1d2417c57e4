"""Images of a data set with detections and ground truth drawn on them, and plots of what AP is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cspbench.data.coco.annotations import COCO_CATEGORIES, GroundTruth
from cspbench.data.coco.source import CocoSource
from cspbench.data.decode import Decoder, decode
from cspbench.detection.ap.matching import HIT, Detections, match
from cspbench.errors import BadImageError, UsageError, brief, printable
from cspbench.plots import curves
from cspbench.plots.curves import Interval
from cspbench.plots.detections import LEAST, Array, Box, draw

if TYPE_CHECKING:
    from cspbench.detection.collect import AtThreshold
    from cspbench.results.schema import DetectionMetrics


def chosen(source: CocoSource, detections: Detections, which: str) -> list[int]:
    """The indices of the images that "8" (evenly spread), "all", "worst:8", "image:ID" or "class:NAME" selects.

    The worst images have the most `errors`; of equal ones the first are taken.
    """
    kind, _, name = which.partition(":")
    truth = source.ground_truth
    places: list[int] = []
    number = name if kind == "worst" else which
    count = min(int(number[:9]), len(source)) if number.isdecimal() else 0
    if which == "all":
        places = list(range(len(source)))
    elif kind == "worst":
        places = [] if truth is None else np.argsort(-errors(truth, detections), kind="stable")[:count].tolist()
    elif count:
        places = [place * len(source) // count for place in range(count)]
    elif kind == "image":
        places = [place for place, image in enumerate(source.images) if str(image.id) == name]
    elif kind == "class" and truth is not None:
        numbers = [number for number, category in truth.categories.items() if category == name]
        images = set(truth.images[np.isin(truth.category_ids, numbers)].tolist())
        places = [place for place, image in enumerate(source.images) if image.id in images]
    if not places:
        raise UsageError(
            "usage.draw",
            "--draw names no image",
            expected="a number from 1, all, worst:N, image:ID or class:NAME, of the data set",
            found=repr(which),
            remedy="Try --draw 8",
        )
    return places


def errors(truth: GroundTruth, detections: Detections) -> Array:
    """(I,) the false positives and missed objects of each image at IoU 0.5, of the detections that are drawn."""
    scores = np.asarray(detections.scores)
    matches = match(truth, Detections(*(np.asarray(column)[scores >= LEAST] for column in detections)))
    states = np.zeros(len(matches.images), np.uint8)
    states[matches.hits] = matches.states[:, 0, 0]  # objects of all sizes, at the lowest threshold
    images = len(truth.image_ids)
    false = np.bincount(matches.images[states == 0], minlength=images)
    objects = np.bincount(matches.objects[0][matches.counted[0]], minlength=images)
    return false + objects - np.bincount(matches.images[states == HIT], minlength=images)


def draw_samples(source: CocoSource, detections: Detections, which: str, folder: Path, decoder: Decoder) -> list[Path]:
    """Draw images as PNG files named after them; returns the paths. See `chosen` for `which`.

    In a data set where names differ only in folder or suffix, every file has the image's id in its name.
    """
    truth = source.ground_truth
    names = truth.categories if truth is not None else COCO_CATEGORIES
    distinct = len({Path(image.file_name).stem.casefold() for image in source.images}) == len(source.images)
    files = []
    for place in chosen(source, detections, which):
        try:
            sample = source.sample(place)
            pixels = decode(sample.data, sample.key, decoder)
        except BadImageError:
            continue  # the evaluation names it
        image_id = source.images[place].id
        boxes = [
            Box(
                tuple(detections.boxes[at].tolist()),
                names[int(detections.category_ids[at])],
                float(detections.scores[at]),
            )
            for at in np.flatnonzero(np.asarray(detections.image_ids) == image_id)
        ]
        objects = []
        if truth is not None:
            places = np.flatnonzero(truth.images == image_id)
            objects = [Box(tuple(truth.boxes[at].tolist()), names[int(truth.category_ids[at])]) for at in places]
        stem = Path(sample.key).stem
        path = folder / (f"{stem}.png" if distinct else f"{stem}-{image_id}.png")
        draw(pixels, boxes, objects, path)
        files.append(path)
    return files


def plot_curves(at: Sequence[AtThreshold], metrics: DetectionMetrics, folder: Path) -> list[Path]:
    """Plot precision over recall, AP by size and, for several NMS thresholds, AP over them; returns the files.

    The titles and intervals are those of the run's `metrics`.
    """
    data = metrics.identity.data
    place = data.split or data.name or data.kind
    title = f"{brief(printable(metrics.identity.model), 60)} on {'custom data' if place == 'custom' else place}"
    title += f", n = {metrics.images:,} images"
    known = {threshold.nms: _intervals(threshold, metrics) for threshold in at}
    results = {f"NMS {threshold.nms:g}": threshold.measured for threshold in at if threshold.measured}
    if not results:
        return []
    (label, first), by_label = next(iter(results.items())), {f"NMS {nms:g}": by for nms, by in known.items()}
    written = curves.precision(first, folder / "precision-recall", f"{title}, {label}")
    written += curves.by_size(results, folder / "ap-by-size", title, by_label)
    if len(results) > 1:
        percents = {threshold.nms: threshold.measured.percent() for threshold in at if threshold.measured}
        lines, bounds = {}, {}
        for name, label in (("ap", "AP"), ("ap50", "AP50"), ("ap75", "AP75")):
            lines[label] = {nms: float(percent[name] or 0) for nms, percent in percents.items()}
            bounds[label] = {nms: by[name] for nms, by in known.items() if name in by}
        written += curves.over_thresholds(lines, folder / "ap-over-nms", title, bounds)
    return written


def _intervals(at: AtThreshold, metrics: DetectionMetrics) -> Mapping[str, Interval]:
    """The 95 % intervals of the numbers at a threshold by metric, "ap50", in percent."""
    numbers = at.measured.percent() if at.measured else None
    # of one threshold there may be numbers of another kind of NMS too
    same = [each for each in metrics.thresholds if each.nms == at.nms and each.ap == numbers]
    return {name: ends for each in same for name, ends in (each.intervals or {}).items() if ends}
