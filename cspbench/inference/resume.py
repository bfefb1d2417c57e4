"""The predictions of a run that stay valid when it is resumed: those of unchanged image files."""

from __future__ import annotations

import hashlib
import os
import zlib
from contextlib import suppress

import numpy as np

from cspbench.data.source import Images
from cspbench.errors import BadImageError
from cspbench.inference import npz
from cspbench.inference.npz import Arrays
from cspbench.inference.shards import Shards

PER_IMAGE: npz.Columns = {"checksum": (np.uint32, ()), "key": (np.str_, ()), "ok": (np.bool_, ())}
"""What a shard has of every image of a data set."""


class StillValid:
    """Finds the shards to compute: missing shards, and shards whose images have changed.

    A file modified after its shard was written is read again and compared with the checksum in the shard; so is every
    file if the data set's files are not those of the run (`mark`). Thus copies of data and runs stay valid. An image
    that could not be read is read again each time.
    """

    def __init__(self, shards: Shards, images: Images, files: str | None) -> None:
        """`files` is the mark of the run's files."""
        self.shards, self.images = shards, images
        self.elsewhere = files != mark(images)
        """Whether the images are in other files than at the run's last session."""
        self.changed: list[str] = []
        """Keys of the images that have changed."""
        self._times: dict[str, int] = {}

    def missing(self) -> list[int]:
        """The shards of the whole run that must be computed."""
        self.changed = []
        return self.shards.missing(stale=self._stale)

    def _stale(self, shard: int, arrays: Arrays) -> bool:
        try:
            npz.check(arrays, PER_IMAGE, len(arrays["index"]))
        except ValueError:  # of another kind, which scoring refuses
            return False
        path = self.shards.shard_path(shard)
        written = path.stat().st_mtime_ns
        stale = touched = False
        for at, index in enumerate(self.shards.block(shard)):
            modified = self._time(self.images.path(index)) > written
            touched |= modified
            if (modified or self.elsewhere or not arrays["ok"][at]) and self._checksum(index) != int(
                arrays["checksum"][at]
            ):
                self.changed.append(str(arrays["key"][at]))
                stale = True
        if touched and not stale:
            with suppress(OSError):  # so that the files are not read again next time
                os.utime(path)
        return stale

    def _time(self, path: str | None) -> int:
        """The time of a file's last change in ns; 0 without a file, 2^63 for a missing file."""
        if path is None:
            return 0
        if path not in self._times:
            try:
                status = os.stat(path)
                self._times[path] = max(status.st_mtime_ns, status.st_ctime_ns)
            except OSError:
                self._times[path] = 1 << 63
        return self._times[path]

    def _checksum(self, index: int) -> int:
        try:
            return zlib.crc32(self.images.sample(index).data)
        except BadImageError:
            return 0


def mark(images: Images) -> str | None:
    """A digest that distinguishes the files of a data set from other files with the same names; None without files.

    It covers the path, inode, size and time of the first, middle and last file: folders are replaced as a whole.
    """
    count = len(images)
    paths = {images.path(index) for index in (0, count // 2, count - 1)} if count else set()
    lines = []
    for path in sorted(path for path in paths if path is not None):
        with suppress(OSError):
            status = os.stat(path)
            lines.append(f"{os.path.realpath(path)} {status.st_ino} {status.st_size} {status.st_mtime_ns}")
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()[:16] if lines else None
