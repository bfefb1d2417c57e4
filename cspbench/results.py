"""Files of results: written whole or not at all, and saying how their numbers were made."""

from __future__ import annotations

import json
import os
import platform
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
    "pillow",
    "safetensors",
    "numpy",
    "pandas",
    "rich",
    "typer",
)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` to write to; it takes the place of `path` if nothing went wrong.

    So nobody ever sees half a file, and what was there before survives a failure, a loss of power included.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            os.chmod(temporary, 0o644)
            _to_disk(temporary)
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CspbenchError(
            "cannot be written",
            where=str(path),
            found=error.strerror or str(error),
            remedy="Choose a place that can be written, with space left",
        ) from error
    with suppress(OSError):  # not every file system can, and the file is there all the same
        _to_disk(path.parent)


def _to_disk(path: Path) -> None:
    """Have the system write a file, or a folder's list of names, before it answers."""
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a text file as UTF-8, whole or not at all.

    Bytes of a file name that are no text are written as JSON escapes them, so that JSON gives the name back.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_json(path: Path, data: Any) -> None:
    """Write JSON, keys in the order given, one final newline."""
    write_text(path, json.dumps(data, indent=1, ensure_ascii=False) + "\n")


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
    return f"{head}+changes" if changed else head


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
