"""Where the files are that Darknet's files name.

Darknet opens every path from the folder in which it is started. So a relative path is tried from the working directory
first; then from the folder of the file that names it, and from the folder above, as with cfg/coco.data and
data/coco.names. An image with an absolute path of another machine is looked for by its last parts:
/content/data/obj/a.jpg as obj/a.jpg.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from cspbench.errors import DatasetError, brief

RENAMED = (
    *((f"/images/{split}/", f"/labels/{split}/") for split in ("train2017", "val2017", "train2014", "val2014")),
    ("/JPEGImages/", "/labels/"),
)
"""Darknet's folders of labels, by the folder of images."""

TAILS = 8
"""The most parts of an absolute path that are looked for elsewhere."""
_ABSOLUTE = re.compile(r"(?:[A-Za-z]:)?[\\/]")


def candidates(text: str, folder: Path) -> list[Path]:
    """The places that a path may mean which is written in a file in `folder`, without repeats."""
    texts = dict.fromkeys((text, text.replace("\\", "/")))
    if os.path.isabs(text):
        return [Path(os.path.normpath(name)) for name in texts]
    try:
        roots = dict.fromkeys(os.path.abspath(root) for root in (os.curdir, folder, folder / os.pardir))
        return list(dict.fromkeys(Path(os.path.normpath(os.path.join(root, name))) for name in texts for root in roots))
    except (ValueError, OSError):  # a working directory that was removed
        return [folder / text]


def find(text: str, folder: Path) -> Path | None:
    """The file that a path in a file in `folder` means; None where there is none."""
    return next((path for path in candidates(text, folder) if os.path.isfile(path)), None)


def find_image(text: str, folder: Path) -> Path | None:
    """The same for an image of a list, whose absolute path may be another machine's."""
    return next((path for name in (text, *_tails(text)) if (path := find(name, folder)) is not None), None)


def moved(text: str, file: Path) -> bool:
    """Whether a path is absolute and not that of the file that it was taken for."""
    return _ABSOLUTE.match(text) is not None and os.path.normpath(text) != str(file)


def _tails(text: str) -> list[str]:
    """The last parts of an absolute path, longest first; nothing for a relative one."""
    if not _ABSOLUTE.match(text):
        return []
    parts = [part for part in re.split(r"[\\/]", text)[1:] if part not in ("", ".", "..")]
    return ["/".join(parts[begin:]) for begin in range(max(0, len(parts) - TAILS), len(parts))]


def missing(code: str, what: str, text: str, folder: Path, where: str) -> DatasetError:
    """The error for a path whose file is in none of the places."""
    places = [text] if _ABSOLUTE.match(text) else list(map(str, candidates(text.replace("\\", "/"), folder)))
    return DatasetError(
        code,
        what,
        where=where,
        expected=brief(" or ".join(places), 1000),
        found="nothing there",
        remedy="Correct the path, or change to the folder from which Darknet was run",
    )


def label_files(image: Path) -> list[Path]:
    """The places of an image's label file in order: by Darknet's rule, in labels/ instead of images/, beside it."""
    beside = str(image.with_suffix(".txt"))
    renamed = beside
    for old, new in RENAMED:
        renamed = renamed.replace(old, new, 1)
    head, images, tail = beside.rpartition("/images/")
    return [Path(path) for path in dict.fromkeys((renamed, f"{head}/labels/{tail}" if images else beside, beside))]
