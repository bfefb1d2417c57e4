"""A lock file that one process holds at a time, and that names its holder.

It uses `fcntl.lockf` and not the filelock package, which accepts a pipe as the lock file, does not name the holder and,
before version 4, left the lock with a worker that outlived a killed command.
"""

from __future__ import annotations

import errno
import os
import platform
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cspbench.errors import LockedError, brief
from cspbench.io import WRITABLE, write_errors
from cspbench.waiting import SOON, announce

_POLL = 0.1  # seconds between two attempts
_held: dict[str, object] = {}
"""Locks of this process. The kernel grants locks to processes, so it would also grant them to a second thread."""


@contextmanager
def exclusive(
    path: Path,
    *,
    wait: float = 0.0,
    waiting: Callable[[str], None] | None = None,
    remedy: str = "Wait for it to end",
    place: str = WRITABLE,
) -> Iterator[None]:
    """Hold the lock file `path`, which is created with its folder and removed afterwards.

    The lock ends with its process, however that ends, and is not inherited by child processes. A link at `path` is
    refused. On a platform or file system without locks nothing is held.

    `waiting` is called once with the name of the holder; by default stderr gets a line if the wait lasts. Raises
    `LockedError` with `remedy` after `wait` seconds, and `CspbenchError` with the remedy `place` if the file cannot be
    created.
    """
    mine = object()
    key = f"{os.path.realpath(path.parent)}/{path.name}"
    begun = time.monotonic()
    handle = None
    reported = False
    try:
        while (handle := _locked(path, place) if _held.setdefault(key, mine) is mine else None) is None:
            holder = _holder(path) if _held.get(key) is mine else "another thread of this process"
            seconds = time.monotonic() - begun
            if seconds >= wait:
                raise LockedError(
                    "incomplete.run-locked", "locked by another process", where=str(path), found=holder, remedy=remedy
                )
            if not reported and (waiting or seconds >= SOON):
                (waiting or announce)(holder if waiting else f"{holder}, which holds {path}, at most {wait:.0f} s")
                reported = True
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
    """The handle of the locked file, None if another process holds the lock, -1 if there are no locks."""
    try:
        import fcntl
    except ImportError:
        return -1
    for _ in range(100):
        with write_errors(path, place):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                os.close(handle)
                raise OSError(errno.EEXIST, "not a regular file")
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), os.stat(path, follow_symlinks=False)):
                    with suppress(OSError):  # the lock is valid even if the disk is full
                        os.ftruncate(handle, 0)
                        os.write(handle, f"process {os.getpid()} on {platform.node() or 'this machine'}\n".encode())
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
        os.close(handle)  # the previous holder removed it after it was opened
    return None


def _holder(path: Path) -> str:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return "a process that just ended"
    try:
        return brief(os.read(handle, 200).decode("utf-8", "replace").strip(), 80) or "a process that just started"
    finally:
        os.close(handle)
