"""The files of a COCO data set: annotations among other JSON files, the folder of the images, lists of images."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from cspbench.data.coco.annotations import Annotations, Picture
from cspbench.data.coco.records import LARGEST_FILE, broken
from cspbench.errors import DatasetError, brief
from cspbench.io import filled_lines, read_file

LIST_LIMIT = 1 << 26
"""Bytes of a list; a list of all COCO images has about 10 MB."""
LINE_LIMIT = 4096
"""Characters of a path in a list."""
PROBED = 100
"""JSON files of a folder that are looked into."""
_IMAGES = re.compile(rb'"images"\s*:\s*\[')
_OBJECTS = re.compile(rb'"(?:annotations|categories)"\s*:\s*\[')


class Layout(NamedTuple):
    """The files of a data set."""

    annotations: Path
    root: Path
    image_list: Path | None = None
    """A list of paths that selects some of the annotated images."""


def annotation_files(folders: Sequence[Path]) -> list[Path]:
    """The annotation files in the first of the folders that has any: those with COCO's names, or else all others."""
    for folder in folders:
        files = sorted(folder.glob("*.json")) if folder.is_dir() else []
        named = [file for file in files if file.name.startswith(("instances_", "image_info_"))]
        if matches := named or [file for file in files[:PROBED] if is_annotations(file)]:
            return matches
    return []


def is_annotations(file: Path) -> bool:
    """Whether a file looks like annotations: a JSON object with a list of images and one of annotations or categories.

    Detections, settings and reports are JSON, too.
    """
    try:
        data = read_file(file, LARGEST_FILE)
    except OSError:
        return False
    begins = data[:64].removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
    return begins and _IMAGES.search(data) is not None and _OBJECTS.search(data) is not None


def image_folder(layout: Layout, annotations: Annotations, images: Sequence[Picture]) -> Path:
    """The folder with the most of a sample of the images. Raises `DatasetError`, also for an image without a name."""
    for image in images:
        if not image.file_name:
            where = f"{layout.annotations.name}, image {image.id}"
            raise broken("coco.missing-field", "missing field", where, "file_name", "none")
    stem = layout.annotations.stem.removeprefix("instances_").removeprefix("image_info_")
    name = "test2017" if stem.startswith("test") and stem.endswith("2017") else stem
    root = layout.root
    beside = (root / name, root / "images" / name, root / "images", root / "data", root, layout.annotations.parent)
    few = images[:: max(1, len(images) // 50)]
    for folders in (beside, [folder / tail for tail in annotations.folders for folder in beside]):
        counts = [sum(os.path.isfile(folder / image.file_name) for image in few) for folder in folders]
        if any(counts):
            return folders[counts.index(max(counts))]
    raise DatasetError(
        "coco.no-images",
        "no images",
        where=str(root),
        expected=f"{brief(few[0].file_name)} in {name}/, images/{name}/ or images/, in data/ or beside the annotations",
        remedy="Unpack the images there, or name the folder that holds annotations/",
    )


def selected(images: Sequence[Picture], image_list: Path) -> list[Picture]:
    """The images whose file names are in a list of paths. Raises `DatasetError`."""
    try:
        lines = filled_lines(read_file(image_list, LIST_LIMIT).decode("utf-8"))
        if not lines:
            raise ValueError("an empty list")
    except (OSError, ValueError) as error:
        raise DatasetError(
            "coco.list-unreadable",
            "cannot be read",
            where=str(image_list),
            expected="image paths, one per line, in UTF-8",
            found=brief(getattr(error, "strerror", None) or str(error), 120),
            remedy="Use Darknet's list of images",
        ) from error
    by_name = {PurePosixPath(image.file_name).name: image for image in images}
    chosen: dict[str, Picture] = {}
    for number, line in enumerate(lines, 1):
        name = PurePosixPath(line[-LINE_LIMIT:].replace("\\", "/")).name
        if name not in by_name or name in chosen:
            raise DatasetError(
                "coco.list-repeats" if name in chosen else "coco.list-unknown-image",
                "image listed twice" if name in chosen else "image without annotations",
                where=f"{image_list.name}, line {number}",
                expected="annotated images, each at most once",
                found=brief(line),
                remedy="Use the list that belongs to the annotations",
            )
        chosen[name] = by_name[name]
    return sorted(chosen.values())
