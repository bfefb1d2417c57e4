"""What every reader of a data set gives: samples in a fixed order, each an image file's bytes and its class."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from cspbench.data.decode import FILE_LIMIT, NAME_LENGTH
from cspbench.errors import BadImageError, brief
from cspbench.io import open_file, read_part, utf8_name

SUFFIXES = frozenset((".jpeg", ".jpg", ".png", ".bmp", ".gif", ".ppm", ".tif", ".tiff", ".webp"))
"""Of the files that a folder or an archive is searched for, in lower case."""


class Entry(NamedTuple):
    """One image without its bytes.

    `key` names it, unique in its data set and the same wherever that lies: "n01440764/ILSVRC2012_val_00000293.JPEG".
    `wnid` is its WordNet id, None where it has none that ImageNet knows; `label` the number that the source itself
    gives (the devkit's from 1, an index list's from 0), None where it has no numbers.
    """

    key: str
    wnid: str | None
    label: int | None = None


class Sample(NamedTuple):
    """One image file: its bytes, and what `Entry` says of it."""

    key: str
    data: bytes
    wnid: str | None
    label: int | None


class Region(NamedTuple):
    """Where an image's bytes lie: a whole file (length None) or a part of an archive."""

    path: str
    offset: int = 0
    length: int | None = None


class Source(ABC):
    """Samples 0 .. len - 1, always in the same order.

    Where `random_access` is False, samples come from a stream: ask for them in order, from one process.
    """

    kind: str
    """folders, list, tar, wds, hfds or tfds."""
    random_access = True

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def sample(self, index: int) -> Sample:
        """One image file's bytes and class; BadImageError where they cannot be read."""

    def key(self, index: int) -> str:
        """What a result calls a sample that cannot be read."""
        return str(index)

    def path(self, index: int) -> str | None:
        """The file that a sample lies in; None where it is in none."""
        return None

    def as_json(self) -> dict[str, Any]:
        """What a result says about its data; no paths."""
        return {"kind": self.kind, "images": len(self)}


class FileSource(Source):
    """Images that lie in files or in uncompressed archives, read where they are. Threads and processes may share it."""

    def __init__(
        self,
        kind: str,
        entries: Sequence[Entry],
        regions: Sequence[Region],
        ignored: int = 0,
        labels: Path | None = None,
    ) -> None:
        """`ignored` counts the other files that were seen; `labels` is the file that the classes come from."""
        ordered = sorted(range(len(entries)), key=lambda index: entries[index].key)
        self.kind = kind
        self.entries = [entries[index] for index in ordered]
        self.regions = [regions[index] for index in ordered]
        self.ignored = ignored
        self.labels = labels

    def __len__(self) -> int:
        return len(self.entries)

    def sample(self, index: int) -> Sample:
        """One image file's bytes and class."""
        key, wnid, label = self.entries[index]
        return Sample(key, self.ends(index)[1], wnid, label)

    def key(self, index: int) -> str:
        """The sample's own key."""
        return self.entries[index].key

    def path(self, index: int) -> str | None:
        """The image file or archive."""
        return self.regions[index].path

    def ends(self, index: int, head: int | None = None, tail: int = 0) -> tuple[int, bytes, bytes]:
        """An image file's size, its first `head` bytes (None: all) and its last `tail` bytes."""
        path, offset, length = self.regions[index]
        try:
            with open_file(path) as stream:
                size = stream.seek(0, 2) - offset if length is None else length
                if head is None and size > FILE_LIMIT:
                    raise OSError(f"{size:,} bytes, the limit is {FILE_LIMIT:,}")
                start = _read(stream, offset, size if head is None else min(head, size))
                return size, start, _read(stream, offset + size - min(tail, size), min(tail, size)) if tail else b""
        except OSError as error:
            raise BadImageError(
                "image.unreadable",
                "cannot be read",
                where=brief(self.entries[index].key, NAME_LENGTH),
                found=error.strerror or str(error),
                remedy="Make the file readable or replace it",
            ) from error

    def as_json(self) -> dict[str, Any]:
        """What a result says about its data: the digest covers every key and class, not the pixels."""
        digest = hashlib.sha256()
        for key, wnid, _ in self.entries:
            digest.update(f"{key}\0{wnid or ''}\n".encode())
        labels = utf8_name(self.labels.name) if self.labels else None
        return {**super().as_json(), "labels": labels, "sha256": digest.hexdigest()}


def is_image(name: str) -> bool:
    """Whether a file name looks like an image's; the "._" files that macOS leaves behind do not."""
    return not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES


def _read(stream: BinaryIO, offset: int, count: int) -> bytes:
    data = read_part(stream, offset, count)
    if len(data) < count:
        raise OSError("the file ends early")
    return data
