"""COCO data sets on disk: annotations, image folder, list of images, and which published split they are.

    PATH/annotations/instances_val2017.json        PATH/val2017/ or PATH/images/val2017/
    PATH/annotations/image_info_test-dev2017.json  PATH/test2017/
    PATH/annotations/instances_val2014.json        PATH/val2014/ and Darknet's list PATH/5k.txt: `val2014-5k`
    FILE.json, FILE.txt                            images beside it

A split is recognised by the name of its annotation file, its number of images and the 80 categories; anything else is
`custom`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from cspbench.claims.model import unknown
from cspbench.data.coco.annotations import COCO_CATEGORIES, Annotations, GroundTruth, Picture, read
from cspbench.data.coco.files import Layout, annotation_files, image_folder, selected
from cspbench.data.source import Entry, ImageFiles, Region, is_image
from cspbench.errors import DatasetError, brief
from cspbench.io import user_path, utf8_name

SPLITS = ("val2017", "val2014-5k", "test-dev2017", "custom")
"""In order of preference: a folder with val2017 and test-dev2017 is read as val2017."""
PUBLISHED = {
    "val2017": ("instances_val2017.json", 5000),
    "val2014-5k": ("instances_val2014.json", 5000),
    "test-dev2017": ("image_info_test-dev2017.json", 20_288),
}
"""The annotation file and the number of images of each published split (COCO's download page, Darknet's 5k list)."""
LISTS = ("5k.txt", "5k.part", "coco_5k.txt")
"""Names that Darknet's scripts give to the list of 5,000 images of val2014."""


class CocoSource(ImageFiles):
    """Images sorted by id, and their objects.

    `ground_truth` is None for a test set. `missing` holds the names of listed images without a file; `ignored` counts
    the image files in the folder that are not listed.
    """

    kind = "coco"

    def __init__(
        self,
        annotations: Annotations,
        images: Sequence[Picture],
        folder: Path | None,
        split: str,
        place: Path | None = None,
    ) -> None:
        """`images` are all or some of the annotated images, sorted by id; `place` is the path the user named.

        Without a `folder` there are no images to read: scoring needs only the objects.
        """
        names = [image.file_name for image in images]
        regions = [Region(str(folder / name)) for name in names] if folder else []
        super().__init__([Entry(name, None) for name in names], regions, _others(folder, names) if folder else 0)
        self.annotations, self.images, self.folder, self.split = annotations, tuple(images), folder, split
        self.place = place
        truth = annotations.truth
        whole = len(self.images) == len(annotations.images)
        self.ground_truth: GroundTruth | None = (
            truth if truth is None or whole else truth.only([image.id for image in self.images])
        )
        self.missing = [name for name in names if not os.path.isfile(folder / name)] if folder else []

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the scores should know."""
        return self.annotations.notes

    @property
    def no_objects(self) -> DatasetError | None:
        """The error for images without an object that counts; None if there is one, and for a test set."""
        truth = self.ground_truth
        if truth is None or not truth.crowd.all():
            return None
        return DatasetError(
            "coco.nothing-to-find",
            "no objects to detect",
            where=str(self.annotations.path),
            expected="at least one object that is not a crowd",
            found=f"{len(truth)} annotations of {len(self):,} images" + (", all crowds" if len(truth) else ""),
            remedy="Use the annotation file with the objects, or evaluate on more images",
        )

    def as_json(self) -> dict[str, Any]:
        """Description for results; the digest covers everything but the pixels. No paths."""
        digest = hashlib.sha256()
        for image in self.images:
            digest.update(f"{image.id}\0{image.file_name}\0{image.width}x{image.height}\n".encode())
        truth = self.ground_truth
        if truth is not None:
            digest.update("".join(f"{key}\0{name}\n" for key, name in truth.categories.items()).encode())
            for column in (truth.images, truth.category_ids, truth.boxes, truth.areas, truth.crowd):
                digest.update(column.astype(column.dtype.newbyteorder("<")).tobytes())
        return {
            "kind": self.kind,
            "split": self.split,
            "images": len(self),
            "objects": None if truth is None else len(truth),
            "annotations": utf8_name(self.annotations.path.name),
            "sha256": digest.hexdigest(),
        }


def open_coco(path: str | Path, split: str | None = None, *, images: bool = True) -> CocoSource:
    """A data set for evaluation, with consistent annotations and all images; for scoring alone these need not be there.

    `split` selects one of several in a folder, and must match: a subset of val2017 is `custom`. Raises `DatasetError`,
    `UsageError`.
    """
    source = scan_coco(path, split, images=images)
    if faults := source.annotations.faults:
        if len(faults) > 1:
            faults[0].remedy = f"{faults[0].remedy}. {len(faults) - 1} more: cspbench data check coco lists them"
        raise faults[0]
    if source.no_objects is not None:
        raise source.no_objects
    if source.missing and images:
        first = ", ".join(brief(name) for name in source.missing[:3])
        raise DatasetError(
            "coco.images-missing",
            "images are missing",
            where=str(source.folder),
            expected=f"the {len(source):,} images of {source.annotations.path.name}",
            found=f"{len(source.missing):,} missing: {first}",
            remedy="Complete the folder, or list fewer images in the annotations",
        )
    return source


def scan_coco(path: str | Path, split: str | None = None, *, images: bool = True) -> CocoSource:
    """A data set for a check, faults included. Raises `DatasetError` for one that cannot be read, `UsageError`."""
    if split is not None and split not in SPLITS:
        raise unknown("usage.unknown-split", "unknown split", split, SPLITS)
    place = data_path(path)
    layout = find(place, split)
    annotations = read(layout.annotations)
    pictures = list(annotations.images)
    if layout.image_list:
        pictures = selected(pictures, layout.image_list)
    try:
        folder = image_folder(layout, annotations, pictures)
    except DatasetError:
        if images:
            raise
        folder = None
    actual = _split(layout, len(pictures), annotations.categories)
    if split not in (None, actual):
        expected = f"{PUBLISHED[split][0]} with {PUBLISHED[split][1]:,} images" if split in PUBLISHED else "no split"
        raise DatasetError(
            "coco.other-split",
            f"not the split {split}",
            where=str(layout.annotations),
            expected=expected,
            found=f"{actual}, {len(pictures):,} images",
            remedy="Use the whole split, or omit --split",
        )
    return CocoSource(annotations, pictures, folder, actual, place)


def data_path(path: str | Path) -> Path:
    """The path of a data set as a user typed it, with ~ expanded. Raises `DatasetError` for an empty path."""
    try:
        return user_path(path)
    except (ValueError, RuntimeError) as error:
        raise _not_coco(str(path), "the path of a folder or an annotation file", str(error)) from error


def find(path: Path, split: str | None = None) -> Layout:
    """The files of the data set at a path. Raises `DatasetError` if there are no annotations, or several files."""
    image_list, root, folders = None, path, [path / "annotations", path]
    if path.is_file():
        root = path.parent.parent if path.parent.name == "annotations" else path.parent
        if path.suffix.lower() == ".json":
            return Layout(path, root)
        root, image_list, split = path.parent, path, "val2014-5k"
        folders = [root / "annotations", root]
    elif path.name == "annotations" and path.is_dir():
        root, folders = path.parent, [path]
    for name, (file, _) in PUBLISHED.items():
        listed = image_list or _first(root / list_name for list_name in LISTS) if name == "val2014-5k" else None
        annotations = _first(folder / file for folder in folders)
        if split in (None, name) and annotations and (listed or name != "val2014-5k"):
            return Layout(annotations, root, listed)
    others = [file for file in annotation_files(folders) if "train" not in file.name]
    if split in (None, "custom") and len(others) == 1:
        return Layout(others[0], root)
    expected = "annotations/instances_val2017.json, or one annotation file"
    if split in PUBLISHED:
        extra = f" and {LISTS[0]}" if split == "val2014-5k" and image_list is None else ""
        expected = f"annotations/{PUBLISHED[split][0]}{extra}"
    found = ", ".join(brief(file.name) for file in others[:4]) or ("no annotations" if path.exists() else "nothing")
    raise _not_coco(str(path), expected, found)


def _not_coco(where: str, expected: str, found: str) -> DatasetError:
    return DatasetError(
        "coco.not-a-data-set",
        "not a COCO data set",
        where=where or None,
        expected=expected,
        found=found,
        remedy="Name the folder that holds annotations/ and the images, an annotation file, or Darknet's .data file",
    )


def _first(paths: Iterable[Path]) -> Path | None:
    return next((path for path in paths if path.is_file()), None)


def _split(layout: Layout, images: int, categories: dict[int, str]) -> str:
    for split, published in PUBLISHED.items():
        has_list = layout.image_list is not None and layout.image_list.name in LISTS
        if (layout.annotations.name, images) == published and has_list == (split == "val2014-5k"):
            return split if categories == COCO_CATEGORIES else "custom"
    return "custom"


def _others(folder: Path, names: Sequence[str]) -> int:
    listed = set(names)
    try:
        with os.scandir(folder) as entries:
            return sum(is_image(entry.name) and entry.name not in listed for entry in entries)
    except OSError:
        return 0
