"""What every data set reader has in common: samples in a fixed order, each an image file's bytes and its class."""

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
"""Suffixes of image files in folders and archives, in lower case."""


class Entry(NamedTuple):
    """One image without its bytes.

    `key` is its name, unique in the data set and independent of where that is stored, such as
    "n01440764/ILSVRC2012_val_00000293.JPEG". `wnid` is its WordNet id, None if it has no class of ImageNet; `label` is
    the number in the source (from 1 in the devkit, from 0 in an index list), None in a source without numbers.
    """

    key: str
    wnid: str | None
    label: int | None = None


class Sample(NamedTuple):
    """One image file: its bytes, and the fields of its `Entry`."""

    key: str
    data: bytes
    wnid: str | None
    label: int | None


class Region(NamedTuple):
    """Where an image's bytes are: a whole file (length None) or a part of an archive."""

    path: str
    offset: int = 0
    length: int | None = None


class Source(ABC):
    """Samples 0 .. len - 1, always in the same order.

    If `random_access` is False, samples come from a stream: read them in order, from one process.
    """

    kind: str
    """folders, list, tar, wds, hfds or tfds."""
    random_access = True
    own_classes: str | None = None
    """The order of its classes, where these are not ImageNet's or the sample's."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the scores should know."""
        return ()

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def sample(self, index: int) -> Sample:
        """One image file's bytes and class. Raises `BadImageError`."""

    def key(self, index: int) -> str:
        """A sample's key, also for one that cannot be read."""
        return str(index)

    def path(self, index: int) -> str | None:
        """The file that holds a sample; None for a stream."""
        return None

    def as_json(self) -> dict[str, Any]:
        """Description for results; no paths."""
        return {"kind": self.kind, "images": len(self)}


class ImageFiles:
    """Images in files or uncompressed archives, in the given order, read in place. Threads and processes may share it.

    `ignored` counts the other files of the data set.
    """

    random_access = True

    def __init__(self, entries: Sequence[Entry], regions: Sequence[Region], ignored: int = 0) -> None:
        self.entries, self.regions, self.ignored = list(entries), list(regions), ignored

    def __len__(self) -> int:
        return len(self.entries)

    def sample(self, index: int) -> Sample:
        """One image file's bytes and class. Raises `BadImageError`."""
        key, wnid, label = self.entries[index]
        return Sample(key, self.ends(index)[1], wnid, label)

    def key(self, index: int) -> str:
        """An image's key, also for one that cannot be read."""
        return self.entries[index].key

    def path(self, index: int) -> str | None:
        """The file that holds an image."""
        return self.regions[index].path

    def ends(self, index: int, head: int | None = None, tail: int = 0) -> tuple[int, bytes, bytes]:
        """A file's size, its first `head` bytes (None: all) and its last `tail` bytes. Raises `BadImageError`."""
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


class FileSource(ImageFiles, Source):
    """`ImageFiles` in the order of their keys, with classes."""

    def __init__(
        self,
        kind: str,
        entries: Sequence[Entry],
        regions: Sequence[Region],
        ignored: int = 0,
        labels: Path | None = None,
    ) -> None:
        """`labels` is the file that the classes come from."""
        order = sorted(range(len(entries)), key=lambda index: entries[index].key)
        super().__init__([entries[index] for index in order], [regions[index] for index in order], ignored)
        self.kind, self.labels = kind, labels

    def as_json(self) -> dict[str, Any]:
        """Description for results: the digest covers every key and class, not the pixels."""
        digest = hashlib.sha256()
        for key, wnid, _ in self.entries:
            digest.update(f"{key}\0{wnid or ''}\n".encode())
        labels = utf8_name(self.labels.name) if self.labels else None
        return {**super().as_json(), "labels": labels, "sha256": digest.hexdigest()}


Images = Source | ImageFiles
"""The images of a run."""


def is_image(name: str) -> bool:
    """Whether a file name is an image's; macOS's "._" files are not images."""
    return not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES


def _read(stream: BinaryIO, offset: int, count: int) -> bytes:
    data = read_part(stream, offset, count)
    if len(data) < count:
        raise OSError("the file ends early")
    return data
