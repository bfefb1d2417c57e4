"""Which predictions of a run still hold when it is resumed: those of images that are still the same files."""

from __future__ import annotations

import hashlib
import os
import zlib
from contextlib import suppress
from typing import Any, Protocol

from cspbench.errors import BadImageError
from cspbench.inference.npz import Arrays
from cspbench.inference.shards import Shards


class Images(Protocol):
    """The images of a run."""

    def __len__(self) -> int: ...
    def sample(self, index: int) -> Any:
        """One image; its `data` are the file's bytes. BadImageError where they cannot be read."""

    def path(self, index: int) -> str | None:
        """The file that an image lies in; None where it is in none."""


class StillValid:
    """Tells which shards are to be made: those not there, and those whose images have changed since.

    A file that was touched after its shard was written is read again and held against the checksum that the shard
    has, and so is every one where the files are others than those that the run knows (`mark`); so copied data and
    copied runs are kept. An image that could not be read is read again each time.
    """

    def __init__(self, shards: Shards, images: Images, files: str | None) -> None:
        """`files` is the mark of the files that the run knows."""
        self.shards, self.images = shards, images
        self.elsewhere = files != mark(images)
        """Whether the images lie in other files than when the run last looked."""
        self.changed: list[str] = []
        """Keys of the images that have changed."""
        self._touched: dict[str, int] = {}

    def missing(self) -> list[int]:
        """The shards of the whole run that are to be made."""
        self.changed = []
        return self.shards.missing(stale=self._stale)

    def _stale(self, shard: int, arrays: Arrays) -> bool:
        if not {"checksum", "key", "ok"} <= arrays.keys():
            return False
        path = self.shards.shard_path(shard)
        written = path.stat().st_mtime_ns
        stale = touched = False
        for at, index in enumerate(self.shards.block(shard)):
            later = self._time(self.images.path(index)) > written
            touched |= later
            if (later or self.elsewhere or not arrays["ok"][at]) and self._checksum(index) != int(
                arrays["checksum"][at]
            ):
                self.changed.append(str(arrays["key"][at]))
                stale = True
        if touched and not stale:
            with suppress(OSError):  # so that the files need not be read the next time
                os.utime(path)
        return stale

    def _time(self, path: str | None) -> int:
        """When a file was changed or put there, in ns; 0 where there is none to ask, much for one that is gone."""
        if path is None:
            return 0
        if path not in self._touched:
            try:
                about = os.stat(path)
                self._touched[path] = max(about.st_mtime_ns, about.st_ctime_ns)
            except OSError:
                self._touched[path] = 1 << 63
        return self._touched[path]

    def _checksum(self, index: int) -> int:
        try:
            return zlib.crc32(self.images.sample(index).data)
        except BadImageError:
            return 0


def mark(images: Images) -> str | None:
    """What tells the files of a data set from those of another with the same names; None where there are none.

    The first, the middle and the last one's place, node, size and time: folders are exchanged whole.
    """
    count = len(images)
    paths = {images.path(index) for index in (0, count // 2, count - 1)} if count else set()
    found = []
    for path in sorted(path for path in paths if path is not None):
        with suppress(OSError):
            about = os.stat(path)
            found.append(f"{os.path.realpath(path)} {about.st_ino} {about.st_size} {about.st_mtime_ns}")
    return hashlib.sha256("\n".join(found).encode("utf-8", "surrogateescape")).hexdigest()[:16] if found else None
