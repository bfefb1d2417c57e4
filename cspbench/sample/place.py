"""The cache of the drawn sets, in which a set is complete or absent.

A set counts only with the record that is written last, so that a killed run leaves nothing that looks like a set. One
process draws it, and others wait.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

from cspbench.errors import CspbenchError
from cspbench.io import read_file, write_json
from cspbench.lock import exclusive

Kind = Literal["classification", "detection"]
Part = Literal["train", "val"]
Run = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]
"""`map`, or one over several processes."""

VERSIONS = {"classification": "bc8936b0e3b4", "detection": "98cb0065702f"}
"""The first digits of the digest of each set's first pictures, so that a changed drawing gets another folder."""
LAYOUTS = {"classification": "imagenet", "detection": "coco"}
"""The subfolder with the set alone."""
WHOLE = "whole.json"
"""Written last: the number of files of the set, and their total bytes."""
OTHERS = 600.0
"""Seconds to wait while another process draws the same set."""


def ensure(kind: Kind, step: Callable[[int], None] = lambda _: None) -> Path:
    """The folder of a drawn set, in ImageNet's or COCO's layout; a missing or damaged set is drawn.

    `step` receives the number of pictures drawn so far. Raises `CspbenchError` if the cache cannot be
    written, and `LockedError` if another process draws for too long.
    """
    from cspbench.sample import classification, detection

    place = cache() / f"sample-{kind}-{VERSIONS[kind]}"
    if _whole(place):
        return place / LAYOUTS[kind]
    remedy = "Set CSPBENCH_CACHE to a writable folder with 20 MB of free space"
    with exclusive(place.with_name(f".{place.name}.lock"), wait=OTHERS, place=remedy):
        if not _whole(place):  # no other process has drawn it meanwhile
            shutil.rmtree(place, ignore_errors=True)
            try:
                write = classification.write if kind == "classification" else detection.write
                write(place / LAYOUTS[kind], step=step)
                write_json(place / WHOLE, _contents(place))
            except BaseException:
                shutil.rmtree(place, ignore_errors=True)
                raise
    return place / LAYOUTS[kind]


def cache() -> Path:
    """$CSPBENCH_CACHE, else cspbench in $XDG_CACHE_HOME or ~/.cache."""
    own, general = os.environ.get("CSPBENCH_CACHE"), os.environ.get("XDG_CACHE_HOME")
    try:
        if own:
            return Path(own).expanduser().absolute()
        return (Path(general) if general else Path.home() / ".cache").absolute() / "cspbench"
    except RuntimeError as error:
        what, remedy = "no home folder for the cache", "Set CSPBENCH_CACHE to a folder"
        raise CspbenchError("environment.no-home", what, remedy=remedy) from error


def _whole(place: Path) -> bool:
    try:
        record = json.loads(read_file(place / WHOLE, 4096))
    except (OSError, ValueError, RecursionError):
        return False
    return bool(record == _contents(place))


def _contents(place: Path) -> dict[str, int]:
    """The number of files of a set, and their total bytes."""
    sizes = [path.stat().st_size for path in place.rglob("*") if path.is_file() and path.name != WHOLE]
    return {"files": len(sizes), "bytes": sum(sizes)}
