"""Files from others, opened so that nothing waits and nothing endless is read."""

from __future__ import annotations

import errno
import io
import os
import re
import stat
from pathlib import Path
from typing import BinaryIO

_FLAGS = sum(getattr(os, f"O_{name}", 0) for name in ("CLOEXEC", "NONBLOCK", "BINARY"))
"""Systems lack those that they have no use for."""


def open_file(path: str | Path) -> io.FileIO:
    """A regular file for reading, unbuffered; `OSError` for anything else.

    A pipe would wait for a writer, a device may never end: both are refused, also where they took a file's place since
    it was listed.
    """
    try:
        handle = os.open(path, os.O_RDONLY | _FLAGS)
    except ValueError as error:  # a null character in the name
        raise OSError(errno.EINVAL, str(error)) from error
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return io.FileIO(handle, "rb")
    os.close(handle)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "a pipe, socket or device, not a file", str(path))


def read_file(path: str | Path, limit: int) -> bytes:
    """All bytes of a regular file of at most `limit` bytes; `OSError` for anything else."""
    with open_file(path) as stream:
        if os.fstat(stream.fileno()).st_size > limit:
            raise OSError(errno.EFBIG, f"more than {limit:,} bytes", str(path))
        return read_part(stream, 0, limit)


def read_part(stream: BinaryIO, offset: int, count: int) -> bytes:
    """Up to `count` bytes from a place in an unbuffered file; fewer where it ends."""
    stream.seek(offset)
    parts = []
    while count > 0:
        part = stream.read(min(count, 1 << 26))  # never more memory than there are bytes
        if not part:
            break
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def filled_lines(text: str) -> list[str]:
    """The lines that are not empty, without blanks at their ends; LF, CR LF or CR ends a line."""
    return [line for each in re.split(r"\r\n?|\n", text) if (line := each.strip())]


def utf8_name(name: str) -> str:
    """A file name as text that can be written as UTF-8, whatever its bytes are."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
