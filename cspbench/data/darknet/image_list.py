"""Darknet's lists of images: a path on each line."""

from __future__ import annotations

import os
from pathlib import Path

from cspbench.data.darknet import paths
from cspbench.data.darknet.faults import Faults
from cspbench.data.darknet.paths import missing
from cspbench.data.darknet.text import at, excerpt, read_lines
from cspbench.data.source import is_image
from cspbench.errors import DatasetError

LISTS = frozenset((".data", ".txt", ".list", ".lst"))
"""Suffixes of .data files and of lists of images, in lower case."""
SIZE_LIMIT = 1 << 26
"""Bytes of a list; COCO's training images make 5 MB."""
MOST_IMAGES = 1 << 20
"""Lines of a list."""


def read_list(path: Path, folder: Path, faults: Faults) -> dict[int, tuple[str, Path]]:
    """The images of a list by line: each with its path as written and the file, which is sought from `folder`.

    An image without a file, and one that is listed before, is a fault and left out. Raises `DatasetError` for a list
    without images.
    """
    lines = read_lines(path, "paths of images, one a line", SIZE_LIMIT)
    if not lines or len(lines) > MOST_IMAGES:
        raise DatasetError(
            "darknet.list-length",
            "not a list of images",
            where=str(path),
            expected=f"1 to {MOST_IMAGES:,} paths of images",
            found=f"{len(lines):,} lines",
            remedy="Write a path on each line",
        )
    images: dict[int, tuple[str, Path]] = {}
    first: dict[Path, int] = {}
    for line in lines:
        if faults.enough:
            break
        file = paths.find_image(line.text, folder)
        if any("\ud800" <= letter <= "\udfff" for letter in line.text):
            faults.add(
                DatasetError(
                    "darknet.file-name",
                    "a path that is not UTF-8",
                    where=at(path, line),
                    expected="UTF-8",
                    found=excerpt(line.text),
                    remedy="Rename the file",
                )
            )
        elif file is None:
            what = f"no image {excerpt(line.text)}"
            faults.add(missing("darknet.missing-image", what, line.text, folder, at(path, line)))
        elif file in first:
            faults.add(
                DatasetError(
                    "darknet.listed-twice",
                    f"the image {excerpt(line.text)} is listed twice",
                    where=at(path, line),
                    expected="every image once",
                    found=f"it is also on line {first[file]}",
                    remedy="Remove one of the lines",
                )
            )
        else:
            first[file] = line.number
            images[line.number] = (line.text, file)
    if not images:
        raise DatasetError(
            "darknet.none-there",
            "none of the images is there",
            where=str(path),
            expected="paths of images",
            found=f"{len(lines):,} lines, none of which names a file",
            remedy="Correct the paths, or change to the folder from which Darknet was run",
        )
    return images


def in_folder(folder: Path) -> dict[int, tuple[str, Path]]:
    """The images in a folder by name, numbered from 1, as `read_list` gives those of a list."""
    with os.scandir(folder) as entries:
        names = sorted(
            entry.name for entry in entries if is_image(entry.name) and entry.is_file() and entry.name.isprintable()
        )[:MOST_IMAGES]
    place = Path(os.path.abspath(folder))  # so that images/ is seen in it, for labels/ beside
    return {number: (name, place / name) for number, name in enumerate(names, 1)}


def common_folder(files: list[Path]) -> Path:
    """The deepest folder that all files are in."""
    return Path(os.path.commonpath([file.parent for file in files]))
