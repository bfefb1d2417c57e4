"""The beginning of a file that is being downloaded: `NAME.part`, and beside it what must be known to resume."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from cspbench.errors import CspbenchError
from cspbench.io import write_json


@dataclass(frozen=True)
class Origin:
    """Where the bytes come from: the address, what identifies the version there, and the size that the server said.

    `validator` is an ETag or a date that the server takes in `If-Range`, None where it gave neither.
    """

    url: str
    validator: str | None = None
    size: int | None = None


class Part:
    """`NAME.part`, open, and `NAME.part.json`, which says where its bytes come from: what is needed to resume."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(target.name + ".part")
        self.record = target.with_name(target.name + ".part.json")
        with self.trouble():
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
        """Bytes so far."""
        return os.fstat(self.handle).st_size

    def begin(self, origin: Origin) -> None:
        """Empty it; what follows comes from `origin`."""
        self.clear()
        write_json(self.record, asdict(origin))
        self.origin = origin

    def clear(self) -> None:
        with self.trouble():
            os.ftruncate(self.handle, 0)
        self.origin = None

    def append(self, data: bytes) -> None:
        """Write at the end; what was written before the disk was full stays."""
        rest = memoryview(data)
        with self.trouble():
            while rest:
                rest = rest[os.write(self.handle, rest) :]

    def finish(self) -> None:
        """Give the file its name, in place of whatever has it."""
        with self.trouble():
            os.fsync(self.handle)
            os.replace(self.path, self.target)
            self.record.unlink(missing_ok=True)

    def _read_origin(self) -> Origin | None:
        """What the record says; None where it says nothing that can be used."""
        try:
            with self.record.open("rb") as stream:
                origin = Origin(**json.loads(stream.read(65536)))
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        texts = all(isinstance(text, str) and text.isprintable() for text in (origin.url, origin.validator or ""))
        short = texts and len(origin.validator or "") <= 200
        return origin if short and isinstance(origin.size, int | None) else None

    @contextmanager
    def trouble(self) -> Iterator[None]:
        """Failures to write as `CspbenchError`."""
        try:
            yield
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise CspbenchError(
                "disk.full" if full else "disk.write-failed",
                "the disk is full" if full else "cannot be written",
                where=str(self.path),
                found=error.strerror or str(error),
                remedy=f"{'Free some space and run the same command again, which resumes, or n' if full else 'N'}"
                "ame a folder of yours with --out",
            ) from error


@contextmanager
def unfinished(target: Path) -> Iterator[Part]:
    """The part of a file that is there so far; an empty one does not stay."""
    part = Part(target)
    try:
        yield part
    finally:
        if part.path.exists() and not part.size:
            part.path.unlink(missing_ok=True)
            part.record.unlink(missing_ok=True)
        os.close(part.handle)
