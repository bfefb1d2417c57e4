"""Files: opened without blocking, written whole or not at all, and never through a link that the user did not name."""

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

from cspbench.errors import CspbenchError, UsageError, brief
from cspbench.waiting import announced

_FLAGS = sum(getattr(os, f"O_{name}", 0) for name in ("CLOEXEC", "NONBLOCK", "BINARY"))
"""Some systems lack some of them."""
LONGEST_NAME = 255
"""Bytes of a name, as file systems allow."""
WRITABLE = "Choose a writable location with free space"
"""The remedy for a file that cannot be written."""


def user_path(text: str | Path) -> Path:
    """A path as a user typed it, with ~ expanded.

    Raises `ValueError` for an empty text, as of an unset variable (`Path` would read it as the current folder), and
    `RuntimeError` for the home folder of an unknown user.
    """
    if text == "":
        raise ValueError("an empty path")
    return Path(text).expanduser()


def argument_path(name: str, text: str | Path) -> Path:
    """The `user_path` of an argument of the library; `UsageError` where there is none."""
    try:
        return user_path(text)
    except (ValueError, RuntimeError) as error:
        where, remedy = f"{name}={brief(str(text), 120)!r}", f"Correct {name}=, or leave it out"
        found = brief(str(error), 120)
        raise UsageError("usage.path", "not a path", where=where, found=found, remedy=remedy) from error


def open_file(path: str | Path) -> io.FileIO:
    """A regular file for reading, unbuffered; `OSError` for anything else.

    A pipe would block until there is a writer, and a device may never end: both are refused, even if they replaced a
    file after it was listed.
    """
    try:
        handle = os.open(path, os.O_RDONLY | _FLAGS)
    except ValueError as error:  # a null character in the path
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
    """Up to `count` bytes from `offset` in an unbuffered file; fewer at its end."""
    stream.seek(offset)
    parts = []
    while count > 0:
        part = stream.read(min(count, 1 << 26))  # so memory never exceeds the bytes in the file
        if not part:
            break
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def filled_lines(text: str) -> list[str]:
    """The lines that are not blank, stripped; LF, CR LF or CR ends a line."""
    return [stripped for line in re.split(r"\r\n?|\n", text) if (stripped := line.strip())]


def utf8_name(name: str) -> str:
    """A file name as text that can be encoded in UTF-8, with other bytes escaped."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


@contextmanager
def replacing(path: Path, *, named: bool = False) -> Iterator[Path]:
    """A temporary file beside `path` to write to; it replaces `path` if no error occurs.

    So a reader never sees half a file, and the previous file survives a failure, including a loss of power.

    If the user `named` this file, a link stays, its target is replaced and keeps its mode, and a pipe or device is
    written to. In cspbench's own folders, which may come from others, the file replaces whatever has its name: a link
    could lead out of the folder, and a pipe would block.
    """
    with write_errors(path):
        path = _possible(path)
        previous = path.stat() if named and path.exists() else None
        if previous is not None and not stat.S_ISREG(previous.st_mode) and not stat.S_ISDIR(previous.st_mode):
            with tempfile.TemporaryDirectory() as folder:  # a pipe or a device, which must not be replaced
                yield (temporary := Path(folder) / path.name)
                with announced(f"a reader of {path}"), path.open("wb") as stream:
                    stream.write(temporary.read_bytes())
            return
        target = Path(os.path.realpath(path)) if named and path.is_symlink() else path
        if named and target.is_symlink():
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(_temporary_name(target.name))
        # the mode of any new file, subject to the umask
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        mode = stat.S_IMODE((previous or temporary.stat()).st_mode)
        try:
            yield temporary
            os.chmod(temporary, mode)  # some libraries recreate the file, for its owner only
            _to_disk(temporary)
            os.replace(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    with suppress(OSError):  # not every file system supports it, and the file exists without it
        _to_disk(target.parent)


def _possible(path: Path) -> Path:
    """The path; `OSError` for one that no system has."""
    if not path.name or "\0" in str(path):
        raise OSError(errno.EINVAL, "not a possible file name")
    return path


def _temporary_name(name: str) -> str:
    """A name beside a file's own, no longer than file systems allow; see `remove_leftovers`."""
    stem = os.fsdecode(os.fsencode(name)[: LONGEST_NAME - 20])
    return f".{stem}.{secrets.token_hex(4)}"


def remove_leftovers(folder: Path, suffix: str) -> None:
    """Remove the temporary files of killed processes for files with this suffix; only while no other process writes."""
    for path in folder.glob(f".*{suffix}.*"):
        with suppress(OSError):
            path.unlink()


def own_folder(parent: Path, name: str) -> Path:
    """A folder of cspbench's own in one that may come from others, to write to; it may not exist yet.

    Raises `CspbenchError` for a link, which could lead anywhere.
    """
    folder = parent / name
    if folder.is_symlink():
        what, expected = "a link in place of a folder", f"a folder of its own in {brief(str(parent), 80)}"
        remedy = "Remove the link, or name another place; the place itself may be a link"
        raise CspbenchError("disk.folder-is-link", what, where=str(folder), expected=expected, remedy=remedy)
    return folder


def remove(path: Path) -> None:
    """Remove a file, if it exists. Raises `CspbenchError`."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        what, remedy = "cannot be removed", "Remove it, or name another place"
        found = error.strerror or str(error)
        raise CspbenchError("disk.remove-failed", what, where=str(path), found=found, remedy=remedy) from error


def rename(path: Path, new: Path, remedy: str) -> None:
    """Rename a file or folder. Raises `CspbenchError`."""
    with write_errors(path, remedy):
        path.rename(new)


@contextmanager
def write_errors(path: Path, remedy: str = WRITABLE) -> Iterator[None]:
    """Failures to write as `CspbenchError`."""
    try:
        yield
    except OSError as error:
        code, what, found = "disk.write-failed", "cannot be written", error.strerror or str(error)
        raise CspbenchError(code, what, where=str(path), found=found, remedy=remedy) from error


def check_folder(folder: Path) -> None:
    """Create a folder; raises `CspbenchError` if no file can be written to it, before any work is done."""
    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()


def _to_disk(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: Path, data: bytes, *, named: bool = False) -> None:
    """Write a file whole or not at all; see `replacing` for `named`."""
    with replacing(path, named=named) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str, *, named: bool = False) -> None:
    """Write a text file as UTF-8, whole or not at all; see `replacing` for `named`.

    Undecodable bytes of file names are written as JSON escapes, so that reading JSON restores the name.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"), named=named)


def append_text(path: Path, text: str, *, named: bool = False) -> None:
    """Add text at the end of a file; in cspbench's own folders not through a link or to a pipe (see `replacing`)."""

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | (0 if named else getattr(os, "O_NOFOLLOW", 0) | _FLAGS), 0o666)

    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a", encoding="utf-8", opener=opener) as file:
            if not named and not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(errno.EEXIST, "not a regular file")
            file.write(text)


def write_json(path: Path, data: Any) -> None:
    """Write JSON with the keys in their order and a final newline."""
    write_text(path, json.dumps(data, indent=1, ensure_ascii=False) + "\n")
