"""The beginning of a file that is being fetched: `NAME.part`, and beside it what must be known to go on with it."""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from cspbench.errors import PlaceError
from cspbench.io import write_json

if sys.platform != "win32":
    import fcntl

_FULL = (errno.ENOSPC, errno.EDQUOT)
_LONGEST = 200
_LOCK_WAIT = 0.1  # seconds


@dataclass(frozen=True)
class Origin:
    """Where the bytes come from: the address, what identifies the version there, and the size that it was said to have.

    `validator` is an ETag or a date that the server takes in `If-Range`, None where it gave neither.
    """

    url: str
    validator: str | None = None
    size: int | None = None


class Partial:
    """`NAME.part`, open and locked; other processes wait until it is closed, also when this one is killed.

    Every byte written is a byte of the file for whoever resumes. What is there when it is closed stays, except for
    an empty file.
    """

    def __init__(self, target: Path, waiting: Callable[[str], None] = lambda text: None) -> None:
        self.target = target
        self.path = target.with_name(target.name + ".part")
        self.record = target.with_name(target.name + ".part.json")
        self.origin: Origin | None = None
        self._waiting = waiting
        self._handle = -1

    def __enter__(self) -> Self:
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            self._handle = self._locked()
        except OSError as error:
            raise self._trouble(error) from error
        self.origin = self._read_origin()
        if self.origin is None and self.size:
            self.clear()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle >= 0:
            if self._current(self._handle) and not self.size:
                self.path.unlink(missing_ok=True)
                self.record.unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = -1

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return os.fstat(self._handle).st_size

    def begin(self, origin: Origin) -> None:
        """Throw away what is there; what follows comes from `origin`."""
        self.clear()
        write_json(self.record, asdict(origin))
        self.origin = origin

    def clear(self) -> None:
        """Throw away what is there."""
        try:
            os.ftruncate(self._handle, 0)
        except OSError as error:
            raise self._trouble(error) from error
        self.origin = None

    def append(self, data: bytes) -> None:
        """Write at the end; raises `PlaceError` when the disk is full, what was written until then stays."""
        try:
            os.lseek(self._handle, 0, os.SEEK_END)
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._handle, rest) :]
        except OSError as error:
            raise self._trouble(error) from error

    def finish(self) -> None:
        """Give the file its name; it takes the place of what bears it."""
        try:
            os.fsync(self._handle)
            os.replace(self.path, self.target)
            self.record.unlink(missing_ok=True)
        except OSError as error:
            raise self._trouble(error) from error

    def _locked(self) -> int:
        told = False
        while True:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
            try:
                if not stat.S_ISREG(os.fstat(handle).st_mode):
                    raise OSError(errno.EEXIST, "something that is not a file has this name")
                if _lock(handle):
                    if self._current(handle):
                        return handle
                elif not told:
                    self._waiting(f"waiting for another process that fetches {self.target.name}")
                    told = True
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)
            time.sleep(_LOCK_WAIT)

    def _current(self, handle: int) -> bool:
        """Whether the open file still bears the name: another process may have finished it or thrown it away."""
        try:
            return os.path.samestat(os.fstat(handle), os.stat(self.path, follow_symlinks=False))
        except FileNotFoundError:
            return False

    def _read_origin(self) -> Origin | None:
        """What the record says; None where it says nothing that can be used."""
        try:
            with self.record.open("rb") as stream:
                origin = Origin(**json.loads(stream.read(65536)))
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        texts = all(isinstance(each, str) and each.isprintable() for each in (origin.url, origin.validator or ""))
        short = texts and len(origin.validator or "") <= _LONGEST
        return origin if short and isinstance(origin.size, int | None) else None

    def _trouble(self, error: OSError) -> PlaceError:
        found = error.strerror or str(error)
        if error.errno in _FULL:
            return PlaceError(
                "disk.full",
                "the disk is full",
                where=str(self.path),
                found=found,
                remedy="Make space: the same command goes on from what is kept. Or name another folder with --to",
            )
        return PlaceError(
            "disk.write-failed",
            "cannot be written",
            where=str(self.path),
            found=found,
            remedy="Name a folder of yours with --to",
        )


def _lock(handle: int) -> bool:
    """Take the file for this process; False where another has it. Where files cannot be locked, everybody may."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network file systems
        return True
    return True
