"""Files: those of others opened so that nothing waits, those of ours written whole or not at all."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from cspbench.errors import CspbenchError

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


@contextmanager
def replacing(path: Path, *, named: bool = False) -> Iterator[Path]:
    """A temporary file beside `path` to write to; it takes the place of `path` if nothing went wrong.

    So nobody ever sees half a file, and what was there before survives a failure, a loss of power included.

    Where the user `named` this very file, a link stays, and the file that it leads to is replaced and keeps its mode; a
    pipe or a device is written to. In folders of ours, which may come from others, the file takes the place of whatever
    has its name: a link would lead out of the folder, and a pipe would wait for ever.
    """
    with _told(path):
        there = path.stat() if named and path.exists() else None
        if there is not None and not stat.S_ISREG(there.st_mode) and not stat.S_ISDIR(there.st_mode):
            with _written_to(path) as temporary:
                yield temporary
            return
        place = path.resolve() if named and path.is_symlink() else path
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
        # the mode of any new file: all that the umask leaves
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        mode = stat.S_IMODE((there or temporary.stat()).st_mode)
        try:
            yield temporary
            os.chmod(temporary, mode)  # some libraries make the file anew, for its owner alone
            _to_disk(temporary)
            os.replace(temporary, place)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    with suppress(OSError):  # not every file system can, and the file is there all the same
        _to_disk(place.parent)


@contextmanager
def _written_to(path: Path) -> Iterator[Path]:
    """A temporary file whose content then goes to a pipe or a device, which nothing may take the place of."""
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder) / path.name
        temporary.touch()
        yield temporary
        with path.open("wb") as stream:
            stream.write(temporary.read_bytes())


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Failures to write as one error."""
    try:
        yield
    except OSError as error:
        raise CspbenchError(
            "disk.write-failed",
            "cannot be written",
            where=str(path),
            found=error.strerror or str(error),
            remedy="Choose a place that can be written, with space left",
        ) from error


def check_folder(folder: Path) -> None:
    """Make a folder; raises `CspbenchError` where no file can be written to it, before any work is done for it."""
    with _told(folder):
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()


def _to_disk(path: Path) -> None:
    """Have the system write a file, or a folder's list of names, before it answers."""
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: Path, data: bytes, *, named: bool = False) -> None:
    """Write a file whole or not at all; see `replacing` for one that the user `named`."""
    with replacing(path, named=named) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str, *, named: bool = False) -> None:
    """Write a text file as UTF-8, whole or not at all; see `replacing` for one that the user `named`.

    Bytes of a file name that are no text are written as JSON escapes them, so that JSON gives the name back.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"), named=named)


def write_json(path: Path, data: Any) -> None:
    """Write JSON, keys in the order given, one final newline."""
    write_text(path, json.dumps(data, indent=1, ensure_ascii=False) + "\n")
