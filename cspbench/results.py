"""Files of results: written whole or not at all, and saying how their numbers were made."""

from __future__ import annotations

import json
import os
import platform
import secrets
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cspbench import __version__
from cspbench.errors import CspbenchError

SCHEMA = 1
PACKAGES = (
    "torch",
    "timm",
    "torchvision",
    "fvcore",
    "pycocotools",
    "faster-coco-eval",
    "libstb",
    "pillow",
    "safetensors",
    "numpy",
    "pandas",
    "rich",
    "typer",
)


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


CHANGED = "+changes"
"""What ends a commit when the tree differed from it."""


def commit() -> str | None:
    """The git commit the code was run from, "+changes" when the tree differs; None outside a checkout."""
    home = Path(__file__).parents[1]
    if not (home / ".git").exists():
        return None
    try:
        head = _git(home, "rev-parse", "HEAD")
        changed = _git(home, "status", "--porcelain", "--untracked-files=no", "--", "cspbench", "tables")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{head}{CHANGED}" if changed else head


def _git(home: Path, *arguments: str) -> str:
    run = subprocess.run(["git", "-C", str(home), *arguments], capture_output=True, text=True, check=True, timeout=10)
    return run.stdout.strip()


def installed(packages: tuple[str, ...] = PACKAGES) -> dict[str, str | None]:
    """Versions of packages, None for one that is not installed; nothing is imported."""
    found: dict[str, str | None] = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def provenance(command: list[str]) -> dict[str, Any]:
    """What must be known to make a number again: command, cspbench version and commit, Python and packages."""
    return {
        "schema": SCHEMA,
        "command": command,
        "cspbench": __version__,
        "commit": commit(),
        "python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
        "packages": installed(),
    }
