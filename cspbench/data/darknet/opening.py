"""A detector's data set at a path, in COCO's form or in Darknet's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cspbench.data.coco.files import annotation_files
from cspbench.data.coco.source import CocoSource, data_path, open_coco
from cspbench.data.darknet import data_file, paths
from cspbench.data.darknet.detection_set import Progress, quiet
from cspbench.data.darknet.image_list import LISTS, in_folder
from cspbench.data.darknet.source import open_darknet
from cspbench.errors import UsageError, brief

PROBED = 100
"""Files of a folder that are looked at."""


def open_detection_data(
    path: str | Path,
    split: str | None = None,
    *,
    names: Sequence[str] | None = None,
    classes: int | None = None,
    allowed: int | None = 0,
    upright: bool = True,
    images: bool = True,
    progress: Progress = quiet,
) -> CocoSource:
    """A data set for evaluation at a path; `split` and `images` are for COCO's form, the others for Darknet's.

    See `open_coco` and `open_darknet`. Raises `DatasetError`, `UsageError`.
    """
    place = data_path(path)
    darknet = darknet_path(place)
    if darknet is None:
        return open_coco(path, split, images=images)
    if split not in (None, "custom"):
        raise UsageError(
            "usage.split-of-darknet",
            "--split is for data sets in COCO's form",
            found=f"{split} and {brief(darknet.name)}",
            remedy="Leave out --split; valid= of the .data file names the list",
        )
    source = open_darknet(darknet, allowed=allowed, names=names, classes=classes, upright=upright, progress=progress)
    if source.no_objects is not None:
        raise source.no_objects
    return source


def darknet_path(place: Path) -> Path | None:
    """The .data file, list or folder of images of a data set in Darknet's form; None for COCO's and for nothing.

    Raises `DatasetError` for a folder with several .data files.
    """
    if place.is_file():
        suffix = place.suffix.lower()
        return (
            None if suffix not in LISTS or (not data_file.is_data_file(place) and is_annotated(place.parent)) else place
        )
    if not place.is_dir() or is_annotated(place):
        return None
    file = data_file.in_folder(place)
    if file is not None:
        return file
    some = list(in_folder(place).values())[:PROBED]
    labelled = any(label.is_file() for _, file in some for label in paths.label_files(file))
    return place if labelled else None


def is_annotated(folder: Path) -> bool:
    """Whether a folder has annotations in COCO's form."""
    return bool(annotation_files((folder / "annotations", folder)))
