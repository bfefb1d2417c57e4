"""What of a run is kept when it is resumed: predictions of images that are still the same files; and who made them."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from cspbench.errors import BadImageError, CspbenchError, IncompleteRunError, printable
from cspbench.inference.npz import Arrays
from cspbench.inference.run import Run, record
from cspbench.io import write_json

MOST = 1000
"""Later sessions that a run.json lists, the newest ones."""


class Images(Protocol):
    """The images of a run."""

    def __len__(self) -> int: ...
    def sample(self, index: int) -> Any:
        """One image; its `data` are the file's bytes. BadImageError where they cannot be read."""

    def path(self, index: int) -> str | None:
        """The file that an image lies in; None where it is in none."""


class Kept:
    """Tells which shards are to be made: those not there, and those whose images have changed since.

    A file that was touched after its shard was written is read again and held against the checksum that the shard
    has, and so is every one where the files are others than those that the run knows (`mark`); so copied data and
    copied runs are kept. An image that could not be read is read again each time.
    """

    def __init__(self, run: Run, images: Images) -> None:
        self.run, self.images = run, images
        self.elsewhere = record(run.path).get("files") != mark(images)
        """Whether the images lie in other files than when the run last looked."""
        self.changed: list[str] = []
        """Keys of the images that have changed."""
        self._touched: dict[str, int] = {}

    def missing(self) -> list[int]:
        """The shards of the whole run that are to be made."""
        self.changed = []
        return self.run.missing(stale=self._stale)

    def _stale(self, shard: int, arrays: Arrays) -> bool:
        if not {"checksum", "key", "ok"} <= arrays.keys():
            return False
        path = self.run.shard_path(shard)
        written = path.stat().st_mtime_ns
        stale = touched = False
        for at, index in enumerate(self.run.block(shard)):
            later = self._time(self.images.path(index)) > written
            touched |= later
            if (later or self.elsewhere or not arrays["ok"][at]) and self._checksum(index) != int(
                arrays["checksum"][at]
            ):
                self.changed.append(str(arrays["key"][at]))
                stale = True
        if touched and not stale:
            with suppress(OSError):  # so that the files need not be read the next time
                os.utime(path)
        return stale

    def _time(self, path: str | None) -> int:
        """When a file was changed or put there, in ns; 0 where there is none to ask, much for one that is gone."""
        if path is None:
            return 0
        if path not in self._touched:
            try:
                about = os.stat(path)
                self._touched[path] = max(about.st_mtime_ns, about.st_ctime_ns)
            except OSError:
                self._touched[path] = 1 << 63
        return self._touched[path]

    def _checksum(self, index: int) -> int:
        try:
            return zlib.crc32(self.images.sample(index).data)
        except BadImageError:
            return 0


def mark(images: Images) -> str | None:
    """What tells the files of a data set from those of another with the same names; None where there are none.

    The first, the middle and the last one's place, node, size and time: folders are exchanged whole.
    """
    count = len(images)
    paths = {images.path(index) for index in (0, count // 2, count - 1)} if count else set()
    found = []
    for path in sorted(path for path in paths if path is not None):
        with suppress(OSError):
            about = os.stat(path)
            found.append(f"{os.path.realpath(path)} {about.st_ino} {about.st_size} {about.st_mtime_ns}")
    return hashlib.sha256("\n".join(found).encode("utf-8", "surrogateescape")).hexdigest()[:16] if found else None


def sessions(run: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The provenance of every session that made predictions of a run, from its run.json, the first one's first."""
    return [run, *run.get("sessions", [])]


def add_session(path: Path, made: Mapping[str, Any]) -> None:
    """Keep the provenance of one more session in a run.json. Raises `IncompleteRunError` where it cannot be written."""
    kept = record(path)
    _keep(path, {**kept, "files": made.get("files"), "sessions": [*kept.get("sessions", []), dict(made)][-MOST:]})


def begin_again(path: Path, made: Mapping[str, Any]) -> None:
    """Have a run.json say that this session made it all, where nothing is left of earlier ones."""
    kept = record(path)
    own = {key: kept[key] for key in ("samples", "shard", "identity")}
    _keep(path, {"schema": kept["schema"], **made, **own})


def moved(path: Path, files: str | None) -> None:
    """Keep in a run.json which files its images were found in again."""
    _keep(path, {**record(path), "files": files})


def _keep(path: Path, about: Mapping[str, Any]) -> None:
    try:
        write_json(path / "run.json", about)
    except CspbenchError as error:
        raise IncompleteRunError(
            "incomplete.write-failed",
            "the record of the run cannot be written",
            where=error.where,
            found=error.found,
            remedy="Finished shards are kept: make space there, or let it be written, and run the command again",
        ) from error


def program(made: Mapping[str, Any]) -> str:
    """The program of a session in words: "cspbench 0.1.0, commit 89eef16, torch 2.9.0"."""
    packages = made.get("packages")
    torch = packages.get("torch") if isinstance(packages, Mapping) else None
    commit = str(made.get("commit") or "unknown")
    shown = commit[:7] + commit[40:]  # with the mark of a changed tree
    return printable(f"cspbench {made.get('cspbench', 'of unknown version')}, commit {shown}, torch {torch}")


def programs(run: Mapping[str, Any]) -> list[str]:
    """Every program that made predictions of a run, each once."""
    return list(dict.fromkeys(program(made) for made in sessions(run)))
