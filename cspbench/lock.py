"""One command at a time in a run directory; the processes that torchrun starts are one command."""

from __future__ import annotations

import os
import platform
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cspbench.errors import CspbenchError, IncompleteRunError, brief

NAME = ".lock"


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold a run directory against other commands, which are told who has it; made if it is not there.

    The lock is the kernel's: it goes with the process that holds it, however that ends, and processes that it started
    do not keep it. Where the file system or the platform has no locks, nothing is held. Raises `IncompleteRunError`.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    place = path / NAME
    try:
        path.mkdir(parents=True, exist_ok=True)
        handle = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise OSError("not a regular file")
    except OSError as error:
        raise CspbenchError(
            "disk.write-failed",
            "cannot be written",
            where=str(place),
            found=error.strerror or str(error),
            remedy="Choose another --run that can be written, with space left",
        ) from error
    try:
        try:
            # of the process, not of the open file: a worker that outlives a killed command must not keep it
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            holder = brief(os.read(handle, 200).decode("utf-8", "replace").strip(), 80)
            raise IncompleteRunError(
                "incomplete.run-locked",
                "another command is working in this run",
                where=str(path),
                found=holder or "a process that has just begun",
                remedy="Wait for it to end, or choose another --run",
            ) from None
        except OSError:
            pass  # a file system without locks
        else:
            _sign(handle)
        yield
    finally:
        os.close(handle)


def _sign(handle: int) -> None:
    """Say in the file who holds it, for the message of whoever comes next."""
    try:
        os.ftruncate(handle, 0)
        os.write(handle, f"process {os.getpid()} on {platform.node() or 'this machine'}\n".encode())
    except OSError:
        pass  # a full disk: the lock holds all the same
