"""A lock file that one process holds at a time, and that names its holder.

`fcntl.lockf` and not the filelock package: that one accepts a pipe in place of the file, does not name the holder, and
before its version 4 a worker that outlived a killed command kept the lock.
"""

from __future__ import annotations

import os
import platform
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cspbench.errors import LockedError, LockError, brief

_POLL = 0.1  # seconds between two attempts
_held: dict[str, object] = {}
"""Locks of this process: to the kernel they are the process's, so it would grant them to a second thread as well."""


@contextmanager
def exclusive(
    path: Path,
    *,
    wait: float = 0.0,
    waiting: Callable[[str], None] = lambda holder: None,
    remedy: str = "Wait for it to end",
    place: str = "Choose a folder that can be written, with space left",
) -> Iterator[None]:
    """Hold the lock file `path`, which is created with its folder and removed afterwards.

    The lock ends with the process that holds it, however that ends; processes that it started do not keep it. A link at
    `path` is refused. Where the platform or the file system has no locks, nothing is held.

    `waiting` hears once who holds the lock; after `wait` seconds `LockedError` says it, with `remedy`. Raises
    `LockError` with the remedy `place` where the file cannot be created.
    """
    mine = object()
    key = f"{os.path.realpath(path.parent)}/{path.name}"
    until = time.monotonic() + wait
    handle = None
    told = False
    try:
        while (handle := _locked(path, place) if _held.setdefault(key, mine) is mine else None) is None:
            holder = _holder(path) if _held[key] is mine else "another thread of this process"
            if time.monotonic() >= until:
                raise LockedError(
                    "incomplete.run-locked", "locked by another process", where=str(path), found=holder, remedy=remedy
                )
            if not told:
                waiting(holder)
                told = True
            time.sleep(_POLL)
        yield
    finally:
        if handle is not None and handle >= 0:
            with suppress(OSError):
                path.unlink()
            os.close(handle)
        if _held.get(key) is mine:
            del _held[key]


def _locked(path: Path, place: str) -> int | None:
    """The open lock file, None where another process holds it, -1 where nothing can be held."""
    try:
        import fcntl
    except ImportError:
        return -1
    for _ in range(100):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
        except OSError as error:
            raise _unusable(path, error.strerror or str(error), place) from error
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise _unusable(path, "not a regular file", place)
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _current(handle, path):
                _sign(handle)
                return handle
        except (BlockingIOError, PermissionError):
            os.close(handle)
            return None
        except OSError:  # a file system without locks
            os.close(handle)
            return -1
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # its last holder has removed it since it was opened
    return None


def _current(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False


def _sign(handle: int) -> None:
    """Write the holder's name, for the message of whoever comes next."""
    with suppress(OSError):  # a full disk: the lock holds all the same
        os.ftruncate(handle, 0)
        os.write(handle, f"process {os.getpid()} on {platform.node() or 'this machine'}\n".encode())


def _holder(path: Path) -> str:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return "a process that has just ended"
    try:
        return brief(os.read(handle, 200).decode("utf-8", "replace").strip(), 80) or "a process that has just begun"
    finally:
        os.close(handle)


def _unusable(path: Path, found: str, place: str) -> LockError:
    return LockError("disk.write-failed", "cannot be written", where=str(path), found=found, remedy=place)
