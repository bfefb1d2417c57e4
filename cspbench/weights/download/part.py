"""A partial download: `NAME.part`, and `NAME.part.json` with what is needed to resume it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec

from cspbench.io import read_file, write_errors, write_json

_Address = Annotated[str, msgspec.Meta(pattern=r"^[ -~]+\Z")]
_Validator = Annotated[str, msgspec.Meta(pattern=r"^[ -~]{1,200}\Z")]


class Origin(msgspec.Struct, frozen=True):
    """The source of a partial file: address, version there, and size according to the server.

    `validator` is an ETag or a date for `If-Range`, None if the server sent neither.
    """

    url: _Address
    validator: _Validator | None = None
    size: int | None = None


class Part:
    """An open `NAME.part`, and its record `NAME.part.json`."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(target.name + ".part")
        self.record = target.with_name(target.name + ".part.json")
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        flags |= sum(getattr(os, f"O_{name}", 0) for name in ("NOFOLLOW", "NONBLOCK", "BINARY"))
        self.handle = os.open(self.path, flags, 0o644)
        if not stat.S_ISREG(os.fstat(self.handle).st_mode):
            os.close(self.handle)
            raise OSError(errno.EEXIST, "not a regular file")
        self.origin: Origin | None = None
        try:
            self.origin = msgspec.json.decode(read_file(self.record, 65536), type=Origin)
        except (OSError, ValueError, RecursionError):  # msgspec's are ValueErrors
            self.clear()

    @property
    def size(self) -> int:
        return os.fstat(self.handle).st_size

    def begin(self, origin: Origin) -> None:
        """Clear the file and record the source of the data that follows."""
        self.clear()
        write_json(self.record, msgspec.to_builtins(origin))
        self.origin = origin

    def clear(self) -> None:
        os.ftruncate(self.handle, 0)
        self.origin = None

    def append(self, data: bytes) -> None:
        """Write at the end; if the disk fills up, what fitted stays."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self.handle, rest) :]

    def finish(self) -> None:
        """Rename the file to its target, which is replaced."""
        os.fsync(self.handle)
        os.replace(self.path, self.target)
        self.record.unlink(missing_ok=True)


@contextmanager
def unfinished(target: Path) -> Iterator[Part]:
    """The partial download of `target`, new or resumed; an empty one is removed at the end.

    Failures to write become `CspbenchError`, also in the body.
    """
    remedy = "Choose a writable folder with --out; what was downloaded is kept"
    with write_errors(target.with_name(target.name + ".part"), remedy):
        part = Part(target)
        try:
            yield part
        finally:
            if part.path.exists() and not part.size:
                part.path.unlink(missing_ok=True)
                part.record.unlink(missing_ok=True)
            os.close(part.handle)
