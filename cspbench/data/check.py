"""Checks an ImageNet folder or archive: counts, classes, and every image that a run could not use.

Only the ends of each file are read: the header gives size and colours, the last bytes show whether a JPEG or PNG was
cut off. `full` decodes every image.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from cspbench.data.classes import order
from cspbench.data.decode import decode, opened, turn
from cspbench.data.label_order import known_images
from cspbench.data.source import Entry, FileSource
from cspbench.errors import BadImageError, printable
from cspbench.io import utf8_name

HEAD, TAIL = 1 << 14, 1 << 12
"""Bytes read from each end of a file. If the header is longer, the whole file is read."""
TINY = 32
"""Pixels; an image with a shorter side below this is reported."""
END_MARKS = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}
FULL_SET = 50_000


@dataclass(frozen=True)
class Facts:
    """What was read from one image file."""

    size: int
    """Bytes."""
    ends: bytes
    """Digest of the first and last bytes."""
    format: str = ""
    mode: str = ""
    shape: tuple[int, int] = (0, 0)
    """Width and height."""
    turned: bool = False
    """EXIF asks for a rotation, which Darknet without OpenCV ignores."""
    fault: str | None = None


@dataclass
class Report:
    """The findings; each list holds the keys of images."""

    images: int
    kind: str
    labels: str | None
    ignored: int
    classes: Counter[str]
    formats: Counter[str]
    modes: Counter[str]
    full: bool
    known: tuple[int, int] = (0, 0)
    """Images of known class that are labelled with it, and all images of known class."""
    numbered: bool = False
    """The classes are numbers, which are read in sorted order."""
    missing_classes: list[str] = field(default_factory=list)
    unlabelled: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    cmyk: list[str] = field(default_factory=list)
    grey: list[str] = field(default_factory=list)
    tiny: list[str] = field(default_factory=list)
    turned: list[str] = field(default_factory=list)
    duplicates: list[list[str]] = field(default_factory=list)

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

    def as_json(self) -> dict[str, Any]:
        """All fields, with complete lists."""
        per_class = [self.classes[wnid] for wnid in self.classes]
        return {
            "usable": self.usable,
            "complete": self.complete,
            "images": self.images,
            "kind": self.kind,
            "labels": self.labels,
            "other_files": self.ignored,
            "decoded": self.full,
            "classes": len(self.classes),
            "images_per_class": [min(per_class, default=0), max(per_class, default=0)],
            "missing_classes": self.missing_classes,
            "formats": dict(self.formats.most_common()),
            "modes": dict(self.modes.most_common()),
            "unlabelled": self.unlabelled,
            "empty": self.empty,
            "unreadable": self.unreadable,
            "cmyk": self.cmyk,
            "grey": self.grey,
            "tiny": self.tiny,
            "exif_rotated": self.turned,
            "duplicates": self.duplicates,
            "order": {
                "source": _numbering(self),
                "numbers_read_as_sorted": self.numbered,
                "known_images": {"right": self.known[0], "there": self.known[1]},
                "darknet_differs_from_sorted": sum(
                    one != other for one, other in zip(order("darknet"), order("sorted"), strict=True)
                ),
            },
        }


def check(source: FileSource, *, full: bool = False, step: Callable[[str], None] = lambda name: None) -> Report:
    """Check every image; `step` receives the key of each."""
    classes = Counter(entry.wnid for entry in source.entries if entry.wnid)
    report = Report(
        images=len(source),
        kind=source.kind,
        labels=utf8_name(source.labels.name) if source.labels else None,
        ignored=source.ignored,
        classes=classes,
        formats=Counter(),
        modes=Counter(),
        full=full,
        known=known_images((entry.key, entry.wnid) for entry in source.entries),
        numbered=_numbered(source.entries),
        missing_classes=[wnid for wnid in order("sorted") if wnid not in classes],
        unlabelled=[entry.key for entry in source.entries if entry.wnid is None],
    )
    candidates: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    for index, facts in enumerate(_all_facts(source, full)):
        key = source.entries[index].key
        step(key)
        _add(report, key, facts)
        if facts.size and facts.ends:
            candidates[facts.size, facts.ends].append(index)
    report.duplicates = [keys for group in candidates.values() if len(group) > 1 for keys in _duplicates(source, group)]
    return report


def _all_facts(source: FileSource, full: bool) -> Iterator[Facts]:
    # Threads, because reading waits for the disk and Pillow decodes without the interpreter's lock.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        yield from pool.map(lambda index: _facts(source, index, full), range(len(source)))


def _facts(source: FileSource, index: int, full: bool) -> Facts:
    key = source.entries[index].key
    try:
        size, head, tail = source.ends(index, None if full else HEAD, TAIL)
    except BadImageError as error:
        return Facts(0, b"", fault=error.found or error.what)
    digest = hashlib.blake2b(head + tail, digest_size=16).digest()
    if size == 0:
        return Facts(0, digest)
    try:
        if full:
            decode(head, key)
        try:
            header = _header(head, key)
        except BadImageError:
            header = _header(source.sample(index).data, key)
        mark = END_MARKS.get(str(header["format"]))
        if not full and (mark is None or mark not in tail):
            # Other data may follow the image in its file: only decoding shows whether the image is complete.
            decode(source.sample(index).data, key)
    except BadImageError as error:
        return Facts(size, digest, fault=error.found or error.what)
    return Facts(size, digest, **header)


def _header(data: bytes, key: str) -> dict[str, Any]:
    with opened(data, key) as image:
        return {"format": image.format or "", "mode": image.mode, "shape": image.size, "turned": turn(image) != 1}


def _add(report: Report, key: str, facts: Facts) -> None:
    if facts.fault is not None:
        report.unreadable[key] = facts.fault
        return
    if facts.size == 0:
        report.empty.append(key)
        return
    report.formats[facts.format] += 1
    report.modes[facts.mode] += 1
    for applies, keys in (
        (facts.mode == "CMYK", report.cmyk),
        (facts.mode in ("L", "LA", "1") or facts.mode.startswith("I"), report.grey),
        (min(facts.shape) < TINY, report.tiny),
        (facts.turned, report.turned),
    ):
        if applies:
            keys.append(key)


def _duplicates(source: FileSource, group: list[int]) -> Iterator[list[str]]:
    """Sets of identical files among images whose ends are identical."""
    by_digest: dict[bytes, list[str]] = defaultdict(list)
    for index in group:
        try:
            by_digest[hashlib.sha256(source.sample(index).data).digest()].append(source.entries[index].key)
        except BadImageError:
            continue
    yield from (keys for keys in by_digest.values() if len(keys) > 1)


def _numbered(entries: Sequence[Entry]) -> bool:
    """Whether the classes are numbers that were read in sorted order; WordNet ids are unambiguous."""
    numbers = [(entry.label, entry.wnid) for entry in entries if entry.label is not None]
    return bool(numbers) and all(0 <= label < 1000 and order("sorted")[label] == wnid for label, wnid in numbers)


def _numbering(report: Report) -> str:
    """Where the classes come from; the order of a network's outputs does not depend on it."""
    if report.kind == "folders":
        return "WordNet ids, the folders' names"
    if report.kind == "wds":
        return "numbers from 0 in the sorted order"
    return f"the label file {printable(report.labels or '')}"
