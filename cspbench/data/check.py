"""Checks an ImageNet folder or archive: counts, classes, and every image that a run could not use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cspbench.data.classes import order
from cspbench.data.image_facts import Facts, facts
from cspbench.data.label_order import known_images
from cspbench.data.source import Entry, FileSource
from cspbench.errors import printable
from cspbench.io import utf8_name

TINY = 32
"""Pixels; an image with a shorter side below this is reported."""
FULL_SET = 50_000


@dataclass
class Report:
    """The findings; each list holds the keys of images."""

    images: int
    kind: str
    labels: str | None
    other_files: int
    images_read: int
    """Of how many the files were read; names and classes are always those of all images."""
    decoded: bool
    """Whether they were decoded."""
    classes: Counter[str]
    known: tuple[int, int] = (0, 0)
    """Images of known class that are labelled with it, and all images of known class."""
    numbered: bool = False
    """The classes are numbers, which are read in sorted order."""
    missing_classes: list[str] = field(default_factory=list)
    formats: Counter[str] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    unlabelled: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    cmyk: list[str] = field(default_factory=list)
    grey: list[str] = field(default_factory=list)
    tiny: list[str] = field(default_factory=list)
    exif_rotated: list[str] = field(default_factory=list)

    @property
    def usable(self) -> bool:
        """Whether every image can be read and has a class, the right one where that is known."""
        return not (self.unlabelled or self.empty or self.unreadable or self.mislabelled)

    @property
    def mislabelled(self) -> bool:
        """Whether an image of known class is labelled with another."""
        return self.known[0] < self.known[1]

    @property
    def complete(self) -> bool:
        """Whether this is the whole validation set: 50 images of each of the 1000 classes."""
        return self.images == FULL_SET and len(self.classes) == 1000 and set(self.classes.values()) == {50}

    @property
    def numbering(self) -> str:
        """Where the classes come from; the order of a network's outputs does not depend on it."""
        if self.kind == "folders":
            return "WordNet ids, the folders' names"
        if self.kind == "wds":
            return "numbers from 0 in the sorted order"
        return f"the label file {printable(self.labels or '')}"

    def as_json(self) -> dict[str, Any]:
        """All fields, with complete lists."""
        per_class = self.classes.values()
        fields = {name: value for name, value in vars(self).items() if name not in ("known", "numbered")}
        return {
            "usable": self.usable,
            "complete": self.complete,
            **fields,
            "classes": len(per_class),
            "images_per_class": [min(per_class, default=0), max(per_class, default=0)],
            "formats": dict(self.formats.most_common()),
            "modes": dict(self.modes.most_common()),
            "order": {
                "source": self.numbering,
                "numbers_read_as_sorted": self.numbered,
                "known_images": {"right": self.known[0], "there": self.known[1]},
            },
        }


def check(
    source: FileSource,
    *,
    full: bool = False,
    indices: Sequence[int] | None = None,
    workers: int | None = None,
    step: Callable[[str], None] = lambda name: None,
) -> Report:
    """Check all names and classes, and the files of all images or of those at `indices`; `step` receives their keys."""
    indices = range(len(source)) if indices is None else indices
    classes = Counter(entry.wnid for entry in source.entries if entry.wnid)
    report = Report(
        images=len(source),
        kind=source.kind,
        labels=utf8_name(source.labels.name) if source.labels else None,
        other_files=source.ignored,
        images_read=len(indices),
        decoded=full,
        classes=classes,
        known=known_images((entry.key, entry.wnid) for entry in source.entries),
        numbered=_numbered(source.entries),
        missing_classes=[wnid for wnid in order("sorted") if wnid not in classes],
        unlabelled=[entry.key for entry in source.entries if entry.wnid is None],
    )
    for index, image in zip(indices, facts(source, indices, full, workers), strict=True):
        step(source.key(index))
        _add(report, source.key(index), image)
    return report


def _add(report: Report, key: str, image: Facts) -> None:
    if image.fault is not None:
        report.unreadable[key] = image.fault
        return
    if image.size == 0:
        report.empty.append(key)
        return
    report.formats[image.format] += 1
    report.modes[image.mode] += 1
    for applies, keys in (
        (image.mode == "CMYK", report.cmyk),
        (image.mode in ("L", "LA", "1") or image.mode.startswith("I"), report.grey),
        (min(image.shape) < TINY, report.tiny),
        (image.turned, report.exif_rotated),
    ):
        if applies:
            keys.append(key)


def _numbered(entries: Sequence[Entry]) -> bool:
    """Whether the classes are numbers that were read in sorted order; WordNet ids are unambiguous."""
    numbers = [(entry.label, entry.wnid) for entry in entries if entry.label is not None]
    return bool(numbers) and all(0 <= label < 1000 and order("sorted")[label] == wnid for label, wnid in numbers)
