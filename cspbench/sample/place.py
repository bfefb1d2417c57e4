"""Where the drawn sets are kept: in the user's cache, whole or not at all.

A set is drawn into a folder of its own beside its place and renamed into it, so that a killed run leaves nothing that
looks like a set, and two runs at once do not disturb each other.
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
"""The beginning of the digest of each set's first pictures, so that another drawing has another place."""
LAYOUTS = {"classification": "imagenet", "detection": "coco"}
"""The folder that holds nothing but the set."""
WHOLE = "whole.json"
"""Written last: how many files the set has, and their bytes in total."""
ABANDONED = 3600.0
"""Seconds after which the folder of a run that did not finish is deleted."""


def ensure(kind: Kind, step: Callable[[int], None] = lambda _: None) -> Path:
    """The folder of the drawn set, in ImageNet's or COCO's layout; it is drawn where it is not there, or is damaged.

    `step` is told how many pictures were drawn, after each. Raises `CspbenchError` where the cache cannot be written.
    """
    if kind not in VERSIONS:
        raise UsageError(
            "usage.unknown-sample", f"no sample {kind!r}", expected=" or ".join(VERSIONS), remedy="Name one of them"
        )
    place = cache() / f"sample-{kind}-{VERSIONS[kind]}"
    if not _whole(place):
        try:
            _draw(kind, place, step)
        except OSError as error:
            raise CspbenchError(
                "disk.write-failed",
                "the sample cannot be drawn there",
                where=str(place.parent),
                expected="a folder that can be written, with 20 MB left",
                found=error.strerror or str(error),
                remedy="Make it writable, or set CSPBENCH_CACHE to a folder that is",
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
            "environment.no-home", "there is no home folder for a cache", remedy="Set CSPBENCH_CACHE to a folder"
        ) from error


def _draw(kind: Kind, place: Path, step: Callable[[int], None]) -> None:
    from cspbench.sample import classification, detection

    place.parent.mkdir(parents=True, exist_ok=True)
    _clear(place)
    own = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    try:
        own.chmod(0o755)
        write = classification.write if kind == "classification" else detection.write
        write(own / LAYOUTS[kind], step=step)
        files, size = _held(own)
        write_json(own / WHOLE, {"files": files, "bytes": size})
        _put(own, place)
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _put(own: Path, place: Path) -> None:
    """Rename a whole set into its place, unless another run put one there in the meantime."""
    while not _whole(place):
        try:
            own.rename(place)
        except OSError:
            if not place.exists():
                raise
            # a damaged one: out of the way, under a name that nobody reads
            aside = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
            try:
                place.rename(aside / "damaged")
            except FileNotFoundError:  # another run was faster
                pass
            finally:
                shutil.rmtree(aside, ignore_errors=True)


def _whole(place: Path) -> bool:
    try:
        said = json.loads((place / WHOLE).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    files, size = _held(place)
    return bool(said == {"files": files, "bytes": size})


def _held(place: Path) -> tuple[int, int]:
    """How many files the set in a place has, and their bytes in total."""
    sizes = [
        os.stat(os.path.join(folder, name)).st_size
        for folder, _, names in os.walk(place)
        for name in names
        if name != WHOLE
    ]
    return len(sizes), sum(sizes)


def _clear(place: Path) -> None:
    """Delete what runs left that were killed a while ago."""
    for left in place.parent.glob(f".{place.name}.*"):
        try:
            old = time.time() - left.stat().st_mtime > ABANDONED
        except OSError:
            continue
        if old:
            shutil.rmtree(left, ignore_errors=True)
