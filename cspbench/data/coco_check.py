"""Checks a COCO data set: its annotations, and every image that a run could not use.

Only the ends of each file are read: the header gives the size, the last bytes show whether the image was cut off.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from cspbench.data.check import END_MARKS, HEAD, TAIL
from cspbench.data.coco import CocoSource
from cspbench.data.coco_annotations import COCO_CATEGORIES
from cspbench.data.decode import decode, opened
from cspbench.errors import BadImageError


class Facts(NamedTuple):
    """What was read from one image file: width and height, or the fault."""

    shape: tuple[int, int] = (0, 0)
    mode: str = ""
    fault: str | None = None


@dataclass
class CocoReport:
    """The findings; lists hold file names or places in the annotations."""

    split: str
    images: int
    others: int
    missing: list[str]
    faults: list[str]
    listed_twice: list[str]
    categories: int
    categories_differ: list[str]
    objects: int | None
    crowd: int
    empty: int
    """Images without an object."""
    tiny: int
    """Objects of zero width, height or area."""
    outside: int
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
        return {
            "usable": self.usable,
            "split": self.split,
            "images": self.images,
            "other_images": self.others,
            "missing": self.missing,
            "unreadable": self.unreadable,
            "other_size": self.other_size,
            "modes": dict(self.modes.most_common()),
            "categories": self.categories,
            "categories_differ": self.categories_differ,
            "objects": self.objects,
            "crowd": self.crowd,
            "images_without_objects": self.empty,
            "objects_without_extent": self.tiny,
            "objects_outside": self.outside,
            "listed_twice": self.listed_twice,
            "faults": self.faults,
        }


def check(source: CocoSource, *, step: Callable[[str], None] = lambda name: None) -> CocoReport:
    """Check every annotation and every image; `step` receives the name of each image."""
    truth, categories = source.ground_truth, source.annotations.categories
    names = Counter(image.file_name for image in source.images)
    report = CocoReport(
        split=source.split,
        images=len(source),
        others=source.others,
        missing=source.missing,
        faults=[
            f"{fault.kind}: {fault.where} (expected {fault.expected}, found {fault.found})"
            for fault in source.annotations.faults
        ],
        listed_twice=[name for name, count in names.items() if count > 1],
        categories=len(categories),
        categories_differ=[
            f"{key}: {categories.get(key, 'none')} instead of {COCO_CATEGORIES.get(key, 'none')}"
            for key in sorted({*categories, *COCO_CATEGORIES})
            if categories.get(key) != COCO_CATEGORIES.get(key)
        ],
        objects=None if truth is None else len(truth),
        crowd=0 if truth is None else int(truth.crowd.sum()),
        empty=0,
        tiny=0,
        outside=0,
    )
    if source.no_objects is not None:
        report.faults.append(f"{source.no_objects.what}: {source.no_objects.found}")
    if truth is not None:
        report.empty = len(source) - len(np.intersect1d(truth.image_ids, truth.images))
        report.tiny = int(((truth.boxes[:, 2:] <= 0).any(1) | (truth.areas <= 0)).sum())
        report.outside = _outside(source)
    absent = set(source.missing)
    for image, facts in zip(source.images, _all_facts(source, absent), strict=True):
        step(image.file_name)
        if image.file_name in absent:
            continue
        if facts.fault is not None:
            report.unreadable[image.file_name] = facts.fault
            continue
        report.modes[facts.mode] += 1
        if facts.shape != (image.width, image.height):
            size = "x".join(map(str, facts.shape))
            report.other_size.append(f"{image.file_name}: {size} instead of {image.width}x{image.height}")
    return report


def _outside(source: CocoSource) -> int:
    truth = source.ground_truth
    assert truth is not None
    sizes = {image.id: (image.width, image.height) for image in source.images}
    inside = np.isin(truth.images, list(sizes))
    corners = truth.boxes[inside, :2] + truth.boxes[inside, 2:]
    limits = np.array([sizes[image] for image in truth.images[inside].tolist()], np.float64).reshape(-1, 2)
    with np.errstate(invalid="ignore"):
        return int(((truth.boxes[inside, :2] < -1) | (corners > limits + 1)).any(1).sum())


def _all_facts(source: CocoSource, absent: set[str]) -> Iterator[Facts]:
    # Threads, because reading waits for the disk and Pillow decodes without the interpreter's lock.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        yield from pool.map(lambda index: _facts(source, index, absent), range(len(source)))


def _facts(source: CocoSource, index: int, absent: set[str]) -> Facts:
    key = source.images[index].file_name
    if key in absent:
        return Facts()
    try:
        size, head, tail = source.files.ends(source.places[index], HEAD, TAIL)
        if size == 0:
            return Facts(fault="the file is empty")
        try:
            facts, kind = _header(head, key)
        except BadImageError:
            facts, kind = _header(source.sample(index).data, key)
        mark = END_MARKS.get(kind)
        if mark is None or mark not in tail:
            # Other data may follow the image in its file: only decoding shows whether the image is complete.
            decode(source.sample(index).data, key)
    except BadImageError as error:
        return Facts(fault=error.found or error.what)
    return facts


def _header(data: bytes, key: str) -> tuple[Facts, str]:
    with opened(data, key) as image:
        return Facts(image.size, image.mode), image.format or ""
