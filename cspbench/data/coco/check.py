"""Checks a COCO data set: its annotations, and every image that a run could not use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cspbench.data.coco.annotations import COCO_CATEGORIES
from cspbench.data.coco.source import CocoSource
from cspbench.data.image_facts import facts


@dataclass
class CocoReport:
    """The findings; lists hold file names or places in the annotations."""

    split: str
    images: int
    other_images: int
    images_read: int
    """Of how many the files were read; the annotations are always read whole."""
    missing: list[str]
    categories: int
    categories_differ: list[str]
    listed_twice: list[str]
    faults: list[str]
    objects: int | None = None
    crowd: int = 0
    images_without_objects: int = 0
    objects_without_extent: int = 0
    """Objects of zero width, height or area."""
    objects_outside: int = 0
    """Objects that extend beyond their image by more than a pixel."""
    modes: Counter[str] = field(default_factory=Counter)
    unreadable: dict[str, str] = field(default_factory=dict)
    other_size: list[str] = field(default_factory=list)

    @property
    def usable(self) -> bool:
        """Whether the annotations are consistent and match every image."""
        return not (self.missing or self.faults or self.unreadable or self.other_size)

    def as_json(self) -> dict[str, Any]:
        """All fields, with complete lists."""
        return {"usable": self.usable, **vars(self), "modes": dict(self.modes.most_common())}


def check(
    source: CocoSource,
    *,
    indices: Sequence[int] | None = None,
    workers: int | None = None,
    step: Callable[[str], None] = lambda name: None,
) -> CocoReport:
    """Check all annotations, and the files of all images or of those at `indices`; `step` receives their names."""
    absent = set(source.missing)
    indices = range(len(source)) if indices is None else indices
    present = [index for index in indices if source.images[index].file_name not in absent]
    truth, categories = source.ground_truth, source.annotations.categories
    names = Counter(image.file_name for image in source.images)
    report = CocoReport(
        split=source.split,
        images=len(source),
        other_images=source.ignored,
        images_read=len(present),
        missing=source.missing,
        categories=len(categories),
        categories_differ=[
            f"{key}: {categories.get(key, 'none')} instead of {COCO_CATEGORIES.get(key, 'none')}"
            for key in sorted({*categories, *COCO_CATEGORIES})
            if categories.get(key) != COCO_CATEGORIES.get(key)
        ],
        listed_twice=[name for name, count in names.items() if count > 1],
        faults=[
            f"{fault.what}: {fault.where} (expected {fault.expected}, found {fault.found})"
            for fault in source.annotations.faults
        ],
    )
    if source.no_objects is not None:
        report.faults.append(f"{source.no_objects.what}: {source.no_objects.found}")
    if truth is not None:
        report.objects, report.crowd = len(truth), int(truth.crowd.sum())
        report.images_without_objects = len(source) - len(np.intersect1d(truth.image_ids, truth.images))
        report.objects_without_extent = int(((truth.boxes[:, 2:] <= 0).any(1) | (truth.areas <= 0)).sum())
        report.objects_outside = _outside(source)
    for index, file in zip(present, facts(source, present, workers=workers), strict=True):
        image = source.images[index]
        step(image.file_name)
        if file.fault is not None or not file.size:
            report.unreadable[image.file_name] = file.fault or "the file is empty"
            continue
        report.modes[file.mode] += 1
        if image.width and image.height and file.shape != (image.width, image.height):
            size = "x".join(map(str, file.shape))
            report.other_size.append(f"{image.file_name}: {size} instead of {image.width}x{image.height}")
    return report


def _outside(source: CocoSource) -> int:
    truth = source.ground_truth
    assert truth is not None
    sizes = {image.id: (image.width or np.inf, image.height or np.inf) for image in source.images}
    inside = np.isin(truth.images, list(sizes))
    corners = truth.boxes[inside, :2] + truth.boxes[inside, 2:]
    limits = np.array([sizes[image] for image in truth.images[inside].tolist()], np.float64).reshape(-1, 2)
    with np.errstate(invalid="ignore"):
        return int(((truth.boxes[inside, :2] < -1) | (corners > limits + 1)).any(1).sum())
