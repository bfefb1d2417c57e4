"""The cache of the drawn sets, in which a set is complete or absent.

A set is drawn into a temporary folder beside its place, which is then renamed: a killed run leaves nothing that looks
like a set, and simultaneous runs do not disturb each other.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from cspbench.errors import CspbenchError, UsageError
from cspbench.io import write_json

Kind = Literal["classification", "detection"]

VERSIONS = {"classification": "bc8936b0e3b4", "detection": "98cb0065702f"}
"""The first digits of the digest of each set's first pictures, so that a changed drawing gets another folder."""
LAYOUTS = {"classification": "imagenet", "detection": "coco"}
"""The subfolder with the set alone."""
WHOLE = "whole.json"
"""Written last: the number of files of the set, and their total bytes."""
ABANDONED = 3600.0
"""Seconds after which the folder of an unfinished run is deleted."""


def ensure(kind: Kind, step: Callable[[int], None] = lambda _: None) -> Path:
    """The folder of a drawn set, in ImageNet's or COCO's layout; a missing or damaged set is drawn.

    `step` receives the number of pictures drawn so far. Raises `UsageError`, and `CspbenchError` if the cache cannot be
    written.
    """
    if kind not in VERSIONS:
        raise UsageError(
            "usage.unknown-sample",
            "unknown sample",
            expected=" or ".join(VERSIONS),
            found=repr(kind),
            remedy="Correct --sample",
        )
    place = cache() / f"sample-{kind}-{VERSIONS[kind]}"
    if not _whole(place):
        try:
            _draw(kind, place, step)
        except OSError as error:
            raise CspbenchError(
                "disk.write-failed",
                "the sample cannot be drawn",
                where=str(place.parent),
                expected="a writable folder with 20 MB of free space",
                found=error.strerror or str(error),
                remedy="Make it writable, or set CSPBENCH_CACHE to another folder",
            ) from error
    return place / LAYOUTS[kind]


def cache() -> Path:
    """$CSPBENCH_CACHE, else cspbench in $XDG_CACHE_HOME or ~/.cache."""
    own, general = os.environ.get("CSPBENCH_CACHE"), os.environ.get("XDG_CACHE_HOME")
    try:
        if own:
            return Path(own).expanduser().absolute()
        return (Path(general) if general else Path.home() / ".cache").absolute() / "cspbench"
    except RuntimeError as error:
        raise CspbenchError(
            "environment.no-home", "no home folder for the cache", remedy="Set CSPBENCH_CACHE to a folder"
        ) from error


def _draw(kind: Kind, place: Path, step: Callable[[int], None]) -> None:
    from cspbench.sample import classification, detection

    place.parent.mkdir(parents=True, exist_ok=True)
    _clear(place)
    temporary = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    try:
        temporary.chmod(0o755)
        write = classification.write if kind == "classification" else detection.write
        write(temporary / LAYOUTS[kind], step=step)
        files, size = _contents(temporary)
        write_json(temporary / WHOLE, {"files": files, "bytes": size})
        _put(temporary, place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _put(temporary: Path, place: Path) -> None:
    """Rename a complete set to its place, unless another run has put one there."""
    while not _whole(place):
        try:
            temporary.rename(place)
        except OSError:
            if not place.exists():
                raise
            # move a damaged set to a name that no run reads
            aside = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
            try:
                place.rename(aside / "damaged")
            except FileNotFoundError:  # another run was faster
                pass
            finally:
                shutil.rmtree(aside, ignore_errors=True)


def _whole(place: Path) -> bool:
    try:
        record = json.loads((place / WHOLE).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    files, size = _contents(place)
    return bool(record == {"files": files, "bytes": size})


def _contents(place: Path) -> tuple[int, int]:
    """The number of files of a set, and their total bytes."""
    sizes = [
        os.stat(os.path.join(folder, name)).st_size
        for folder, _, names in os.walk(place)
        for name in names
        if name != WHOLE
    ]
    return len(sizes), sum(sizes)


def _clear(place: Path) -> None:
    """Delete the temporary folders of runs that were killed a while ago."""
    for folder in place.parent.glob(f".{place.name}.*"):
        try:
            old = time.time() - folder.stat().st_mtime > ABANDONED
        except OSError:
            continue
        if old:
            shutil.rmtree(folder, ignore_errors=True)
