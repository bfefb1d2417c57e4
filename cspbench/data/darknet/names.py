"""Names of classes, one a line in the order of the network's outputs: a .names file, or a classifier's labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cspbench.data.darknet import data_file
from cspbench.data.darknet.text import at, excerpt, read_lines
from cspbench.errors import DatasetError

SIZE_LIMIT = 1 << 23
"""Bytes of a file of names; those of the whole of ImageNet have 300 kB."""

ROBOFLOW = "_darknet.labels"
"""The names in the folder of a data set that Roboflow exports for Darknet."""


def read_names(path: Path, kind: str = "names of classes, one a line") -> tuple[str, ...]:
    """The names of a file, in its order. Raises `DatasetError` for no names, and for one that occurs twice."""
    lines: dict[str, int] = {}
    for line in read_lines(path, kind, SIZE_LIMIT):
        if line.text in lines:
            raise DatasetError(
                "darknet.repeated-name",
                f"the name {excerpt(line.text)} occurs twice",
                where=at(path, line),
                expected="every class once",
                found=f"it is also on line {lines[line.text]}",
                remedy="Give every class a name of its own",
            )
        lines[line.text] = line.number
    if not lines:
        raise DatasetError(
            "darknet.no-names", "no names", where=str(path), expected=kind, found="nothing", remedy="Add the names"
        )
    return tuple(lines)


def check_count(names: tuple[str, ...], path: Path, classes: int | None, source: str) -> tuple[str, ...]:
    """The names, which are as many as the `classes` that `source` states. Raises `DatasetError` for others."""
    if classes is not None and len(names) != classes:
        raise DatasetError(
            "darknet.names-count",
            "the names are not as many as the classes",
            where=str(path),
            expected=f"{classes:,} names, as {source} says",
            found=f"{len(names):,}",
            remedy="Correct the file of names or classes=",
        )
    return names


def beside(places: Sequence[Path], classes: int | None) -> Path | None:
    """The file with the names of a network's classes in the folders of its files, such as its cfg and its weights.

    It has a file's own name with the suffix .names, or is the only .names file there or named by the only .data file,
    and has as many names as the network has `classes`, any number for None. None if there is none.
    """
    for place in places:
        own = place.with_suffix(".names")
        candidates = [own] if own.is_file() else _only(place.parent)
        for file in candidates:
            try:
                if classes in (None, len(read_names(file))):
                    return file
            except DatasetError:
                continue
    return None


def _only(folder: Path) -> list[Path]:
    named = [path for path in sorted((*folder.glob("*.names"), *folder.glob(ROBOFLOW)))[:2] if path.is_file()]
    described = [path for path in sorted(folder.glob("*.data"))[:2] if path.is_file()]
    files = named if len(named) == 1 else []
    if len(described) == 1:
        try:
            file = data_file.read(described[0]).file("names")
        except DatasetError:
            file = None
        files = [*files, *([file] if file is not None else [])]
    return files
