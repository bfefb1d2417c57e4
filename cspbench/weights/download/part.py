"""A partial download: `NAME.part`, and `NAME.part.json` with what is needed to resume it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from cspbench.errors import CspbenchError
from cspbench.io import write_json


@dataclass(frozen=True)
class Origin:
    """The source of a partial file: address, version there, and size according to the server.

    `validator` is an ETag or a date for `If-Range`, None if the server sent neither.
    """

    url: str
    validator: str | None = None
    size: int | None = None


class Part:
    """An open `NAME.part`, and its record `NAME.part.json`."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(target.name + ".part")
        self.record = target.with_name(target.name + ".part.json")
        with self.write_errors():
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
            self.handle = os.open(self.path, flags | getattr(os, "O_NONBLOCK", 0), 0o644)
            if not stat.S_ISREG(os.fstat(self.handle).st_mode):
                os.close(self.handle)
                raise OSError(errno.EEXIST, "not a regular file")
        self.origin = self._read_origin()
        if self.origin is None and self.size:
            self.clear()

    @property
    def size(self) -> int:
        return os.fstat(self.handle).st_size

    def begin(self, origin: Origin) -> None:
        """Clear the file and record the source of the data that follows."""
        self.clear()
        write_json(self.record, asdict(origin))
        self.origin = origin

    def clear(self) -> None:
        with self.write_errors():
            os.ftruncate(self.handle, 0)
        self.origin = None

    def append(self, data: bytes) -> None:
        """Write at the end; if the disk fills up, what fitted stays."""
        rest = memoryview(data)
        with self.write_errors():
            while rest:
                rest = rest[os.write(self.handle, rest) :]

    def finish(self) -> None:
        """Rename the file to its target, which is replaced."""
        with self.write_errors():
            os.fsync(self.handle)
            os.replace(self.path, self.target)
            self.record.unlink(missing_ok=True)

    def _read_origin(self) -> Origin | None:
        """The origin in the record; None if that is missing or damaged."""
        try:
            with self.record.open("rb") as stream:
                origin = msgspec.json.decode(stream.read(65536), type=Origin)
        except (OSError, ValueError, RecursionError):  # msgspec's are ValueErrors
            return None
        validator = origin.validator or ""
        return origin if origin.url.isprintable() and validator.isprintable() and len(validator) <= 200 else None

    @contextmanager
    def write_errors(self) -> Iterator[None]:
        """Failures to write as `CspbenchError`."""
        try:
            yield
        except OSError as error:
            code, what, remedy = "disk.write-failed", "cannot be written", "Choose a writable folder with --out"
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                code, what, remedy = (
                    "disk.full",
                    "the disk is full",
                    "Free some space and run it again to resume",
                )
            found = error.strerror or str(error)
            raise CspbenchError(code, what, where=str(self.path), found=found, remedy=remedy) from error


@contextmanager
def unfinished(target: Path) -> Iterator[Part]:
    """The partial download of `target`, new or resumed; an empty one is removed at the end."""
    part = Part(target)
    try:
        yield part
    finally:
        if part.path.exists() and not part.size:
            part.path.unlink(missing_ok=True)
            part.record.unlink(missing_ok=True)
        os.close(part.handle)
