"""Is a COCO data set whole? Its annotations, and every image that a run would stumble over.

Only the ends of each file are read: the header says the size, the last bytes whether the image was cut off.
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


class Seen(NamedTuple):
    """What the check saw of one image file: width and height, or what is wrong with it."""

    shape: tuple[int, int] = (0, 0)
    mode: str = ""
    fault: str | None = None


@dataclass
class CocoReport:
    """The findings; lists hold file names or say which annotation."""

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
    """Images without an object; of crowds alone too, nothing in them can be found."""
    tiny: int
    """Objects of zero width, height or area."""
    outside: int
    """Objects that reach more than a pixel out of their image."""
    modes: Counter[str] = field(default_factory=Counter)
    unreadable: dict[str, str] = field(default_factory=dict)
    other_size: list[str] = field(default_factory=list)

    @property
    def usable(self) -> bool:
        """Whether the annotations agree with themselves and with every image."""
        return not (self.missing or self.faults or self.unreadable or self.other_size)

    def as_json(self) -> dict[str, Any]:
        """Everything, lists in full."""
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
    """Look at every annotation and every image; `step` is told the name of each image."""
    truth, known = source.ground_truth, source.annotations.categories
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
        categories=len(known),
        categories_differ=[
            f"{key}: {known.get(key, 'none')} instead of {COCO_CATEGORIES.get(key, 'none')}"
            for key in sorted({*known, *COCO_CATEGORIES})
            if known.get(key) != COCO_CATEGORIES.get(key)
        ],
        objects=None if truth is None else len(truth),
        crowd=0 if truth is None else int(truth.crowd.sum()),
        empty=0,
        tiny=0,
        outside=0,
    )
    if source.nothing_to_find is not None:
        report.faults.append(f"{source.nothing_to_find.what}: {source.nothing_to_find.found}")
    if truth is not None:
        report.empty = len(source) - len(np.intersect1d(truth.image_ids, truth.images))
        report.tiny = int(((truth.boxes[:, 2:] <= 0).any(1) | (truth.areas <= 0)).sum())
        report.outside = _outside(source)
    absent = set(source.missing)
    for image, seen in zip(source.images, _all(source, absent), strict=True):
        step(image.file_name)
        if image.file_name in absent:
            continue
        if seen.fault is not None:
            report.unreadable[image.file_name] = seen.fault
            continue
        report.modes[seen.mode] += 1
        if seen.shape != (image.width, image.height):
            size = "x".join(map(str, seen.shape))
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


def _all(source: CocoSource, absent: set[str]) -> Iterator[Seen]:
    # Threads, because reading waits for the disk and Pillow decodes without the interpreter's lock.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        yield from pool.map(lambda index: _seen(source, index, absent), range(len(source)))


def _seen(source: CocoSource, index: int, absent: set[str]) -> Seen:
    key = source.images[index].file_name
    if key in absent:
        return Seen()
    try:
        size, head, tail = source.files.ends(source.places[index], HEAD, TAIL)
        if size == 0:
            return Seen(fault="the file is empty")
        try:
            seen, kind = _header(head, key)
        except BadImageError:
            seen, kind = _header(source.sample(index).data, key)
        mark = END_MARKS.get(kind)
        if mark is None or mark not in tail:
            # Something else may follow the image in its file: only decoding tells.
            decode(source.sample(index).data, key)
    except BadImageError as error:
        return Seen(fault=error.found or error.what)
    return seen


def _header(data: bytes, key: str) -> tuple[Seen, str]:
    with opened(data, key) as image:
        return Seen(image.size, image.mode), image.format or ""
