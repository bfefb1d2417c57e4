"""COCO as it lies on disks: annotations, image folder, list of images; and which published split that is.

    PATH/annotations/instances_val2017.json        PATH/val2017/ or PATH/images/val2017/
    PATH/annotations/image_info_test-dev2017.json  PATH/test2017/
    PATH/annotations/instances_val2014.json        PATH/val2014/ and Darknet's list PATH/5k.txt: `val2014-5k`
    FILE.json, FILE.txt                            the images beside it

A split is known by its file's name, its number of images and the 80 categories; everything else is `custom`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from cspbench.data.coco_annotations import COCO_CATEGORIES, Annotations, GroundTruth, Picture, read
from cspbench.data.source import Entry, FileSource, Region, is_image
from cspbench.errors import DatasetError, UsageError, brief
from cspbench.io import filled_lines, read_file, utf8_name

SPLITS = ("val2017", "val2014-5k", "test-dev2017", "custom")
"""In the order in which they are looked for; a folder of val2017 and test-dev2017 is val2017."""
PUBLISHED = {
    "val2017": ("instances_val2017.json", 5000),
    "val2014-5k": ("instances_val2014.json", 5000),
    "test-dev2017": ("image_info_test-dev2017.json", 20_288),
}
"""The annotation file and the number of images of each published split (COCO's download page, Darknet's 5k list)."""
LISTS = ("5k.txt", "5k.part", "coco_5k.txt")
"""What Darknet's scripts call the list of 5,000 images of val2014."""
LIST_LIMIT = 1 << 26
"""Bytes of a list; that of all of COCO's images has some 10 MB."""
LINE_LIMIT = 4096
"""Characters of a path in a list."""


class Layout(NamedTuple):
    """Where a data set lies."""

    annotations: Path
    root: Path
    listed: Path | None = None
    """A list of image paths that chooses among the annotated images."""
    images: Path | None = None
    """The image folder, where it was the one that was named."""


class CocoSample(NamedTuple):
    """One image file: its bytes, its id, and its size in pixels as annotated."""

    key: str
    data: bytes
    image_id: int
    width: int
    height: int


class CocoSource:
    """Images sorted by id, and what is to be found in them. Threads and processes may share it.

    `ground_truth` is None for a test set. `missing` names the listed images that are not there, `others` counts the
    images in the folder that are not listed.
    """

    kind = "coco"
    random_access = True

    def __init__(self, annotations: Annotations, images: Sequence[Picture], folder: Path, split: str) -> None:
        """`images` is the part of the annotated ones that is meant, sorted by id."""
        self.annotations, self.folder, self.split = annotations, folder, split
        self.images = tuple(images)
        truth = annotations.truth
        whole = len(self.images) == len(annotations.images)
        self.ground_truth: GroundTruth | None = (
            truth if truth is None or whole else truth.only([image.id for image in self.images])
        )
        names = [image.file_name for image in self.images]
        self.missing = [name for name in names if not os.path.isfile(folder / name)]
        self.others = _others(folder, names)
        entries = [Entry(name, None) for name in names]
        self.files = FileSource(self.kind, entries, [Region(str(folder / name)) for name in names], self.others)
        # FileSource sorts by name, this by id
        by_name = sorted(range(len(names)), key=names.__getitem__)
        self.places = {index: place for place, index in enumerate(by_name)}

    def __len__(self) -> int:
        return len(self.images)

    @property
    def nothing_to_find(self) -> DatasetError | None:
        """The error for images whose annotations count for nothing; None for any others, and for a test set."""
        truth = self.ground_truth
        if truth is None or not truth.crowd.all():
            return None
        return DatasetError(
            "coco.nothing-to-find",
            "there is nothing to find in the images",
            where=str(self.annotations.path),
            expected="annotations of at least one object that is no crowd",
            found=f"{len(truth)} annotations of {len(self):,} images" + (", crowds all" if len(truth) else ""),
            remedy="Give the file that holds the objects, or evaluate on more images",
        )

    def sample(self, index: int) -> CocoSample:
        """One image file's bytes, id and annotated size; BadImageError where it cannot be read."""
        image = self.images[index]
        data = self.files.sample(self.places[index]).data
        return CocoSample(image.file_name, data, image.id, image.width, image.height)

    def path(self, index: int) -> str | None:
        """The image file."""
        return self.files.path(self.places[index])

    def as_json(self) -> dict[str, Any]:
        """What a result says about its data; the digest covers everything but the pixels. No paths."""
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


def open_coco(path: str | Path, split: str | None = None) -> CocoSource:
    """A data set ready to be evaluated on: no contradiction in its annotations, every image there.

    `split` chooses where a folder holds several, and is asserted: a subset of val2017 is `custom`. Raises
    `DatasetError`, `UsageError`.
    """
    source = scan_coco(path, split)
    faults = source.annotations.faults
    if not faults and source.nothing_to_find is not None:
        raise source.nothing_to_find
    if faults:
        error = faults[0].error(source.annotations.path)
        if len(faults) > 1:
            error.remedy = f"{error.remedy}. There are {len(faults) - 1} more: cspbench data check coco lists them"
        raise error
    if source.missing:
        some = ", ".join(brief(name) for name in source.missing[:3])
        raise DatasetError(
            "coco.images-missing",
            "images are missing",
            where=str(source.folder),
            expected=f"the {len(source):,} images of {source.annotations.path.name}",
            found=f"{len(source.missing):,} are not there: {some}",
            remedy="Complete the folder, or list fewer images in the annotations",
        )
    return source


def scan_coco(path: str | Path, split: str | None = None) -> CocoSource:
    """A data set with whatever is wrong with it, for a check; only what cannot be read at all is an error."""
    if split is not None and split not in SPLITS:
        raise UsageError(
            "usage.unknown-split",
            "no such split",
            expected=f"one of {', '.join(SPLITS)}",
            found=repr(split),
            remedy="Correct --split",
        )
    layout = find(Path(path), split)
    annotations = read(layout.annotations)
    images = list(annotations.images)
    if layout.listed:
        images = _chosen(images, layout.listed)
    folder = _folder(layout, images)
    found = _split(layout, len(images), annotations.categories)
    if split not in (None, found):
        expected = f"{PUBLISHED[split][0]} with {PUBLISHED[split][1]:,} images" if split in PUBLISHED else "another"
        raise DatasetError(
            "coco.other-split",
            f"is not the split {split}",
            where=str(layout.annotations),
            expected=expected,
            found=f"{found}, {len(images):,} images",
            remedy="Give the whole split, or leave out --split",
        )
    return CocoSource(annotations, images, folder, found)


def find(path: Path, split: str | None = None) -> Layout:
    """Where the annotations of a data set lie; `DatasetError` when there are none, or several to choose from."""
    if path.is_file():
        root = path.parent.parent if path.parent.name == "annotations" else path.parent
        if path.suffix.lower() == ".json":
            return Layout(path, root)
        return Layout(_needed(path.parent, PUBLISHED["val2014-5k"][0]), path.parent, path)
    root, images = path, None
    # a folder that is not there has no neighbours that may be taken for it
    if path.is_dir() and path.name == "annotations":
        root = path.parent
    elif path.is_dir() and not _files(path) and _files(path.parent):
        root, images = path.parent, path  # the image folder itself was named
        split = split or next((name for name in PUBLISHED if name == path.name), None)
    for name, (file, _) in PUBLISHED.items():
        listed = _first(root / each for each in LISTS) if name == "val2014-5k" else None
        there = _first(folder / file for folder in (root / "annotations", root))
        if split in (None, name) and there and (listed or name != "val2014-5k"):
            return Layout(there, root, listed, images)
    others = [file for file in _files(root) if "train" not in file.name]
    if split in (None, "custom") and len(others) == 1:
        return Layout(others[0], root, images=images)
    where = str(path)
    if split in PUBLISHED:
        extra = f" and {LISTS[0]}" if split == "val2014-5k" else ""
        expected = f"annotations/{PUBLISHED[split][0]}{extra}"
    else:
        expected = "annotations/instances_val2017.json, or one annotation file"
    found = ", ".join(brief(file.name) for file in others[:4]) or ("no annotations" if path.exists() else "nothing")
    raise DatasetError(
        "coco.not-a-data-set",
        "is no COCO data set",
        where=where,
        expected=expected,
        found=found,
        remedy="Give the folder that holds annotations/ and the images, or an annotation file",
    )


def _files(root: Path) -> list[Path]:
    """The annotation files of a data set: COCO's by their names, else whatever JSON lies there."""
    for folder in (root / "annotations", root):
        there = sorted(folder.glob("*.json")) if folder.is_dir() else []
        named = [file for file in there if file.name.startswith(("instances_", "image_info_"))]
        if named or there:
            return named or there
    return []


def _needed(root: Path, name: str) -> Path:
    there = _first(folder / name for folder in (root / "annotations", root))
    if there is None:
        raise DatasetError(
            "coco.list-without-annotations",
            "the list has no annotations beside it",
            where=str(root),
            expected=f"annotations/{name}",
            found="nothing",
            remedy="Put COCO's annotations there, or give the annotation file itself",
        )
    return there


def _first(paths: Iterable[Path]) -> Path | None:
    return next((path for path in paths if path.is_file()), None)


def _chosen(images: list[Picture], listed: Path) -> list[Picture]:
    """The images that a list of paths names, by their file names."""
    try:
        lines = filled_lines(read_file(listed, LIST_LIMIT).decode("utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(
            "coco.list-unreadable",
            "cannot be read",
            where=str(listed),
            expected="image paths, one per line, in UTF-8",
            found=brief(getattr(error, "strerror", None) or str(error), 120),
            remedy="Give Darknet's list of images",
        ) from error
    known = {PurePosixPath(image.file_name).name: image for image in images}
    chosen: dict[str, Picture] = {}
    for number, line in enumerate(lines, 1):
        name = PurePosixPath(line[-LINE_LIMIT:].replace("\\", "/")).name
        if name not in known or name in chosen:
            raise DatasetError(
                "coco.list-repeats" if name in chosen else "coco.list-unknown-image",
                "lists an image twice" if name in chosen else "lists an image without annotations",
                where=f"{listed.name}, line {number}",
                expected="each annotated image at most once",
                found=brief(line),
                remedy="Give the list that belongs to the annotations",
            )
        chosen[name] = known[name]
    if not chosen:
        raise DatasetError(
            "coco.list-empty", "lists no image", where=str(listed), expected="image paths", remedy="Give another list"
        )
    return sorted(chosen.values())


def _folder(layout: Layout, images: Sequence[Picture]) -> Path:
    """The folder that holds most of a few of the images."""
    stem = layout.annotations.stem.removeprefix("instances_").removeprefix("image_info_")
    name = "test2017" if stem.startswith("test") and stem.endswith("2017") else stem
    beside = (layout.root / name, layout.root / "images" / name, layout.root / "images", layout.root)
    folders = (layout.images,) if layout.images else (*beside, layout.annotations.parent)
    few = images[:: max(1, len(images) // 50)]
    held = [sum(os.path.isfile(folder / image.file_name) for image in few) for folder in folders]
    if not any(held):
        raise DatasetError(
            "coco.no-images",
            "the images are not there",
            where=str(layout.images or layout.root),
            expected=f"{brief(few[0].file_name)} in {'it' if layout.images else f'{name}/, images/{name}/ or images/'}",
            found="none of them",
            remedy="Unpack the images there, or name the folder that holds annotations/",
        )
    return folders[held.index(max(held))]


def _split(layout: Layout, images: int, categories: dict[int, str]) -> str:
    for split, published in PUBLISHED.items():
        listed = layout.listed is not None and layout.listed.name in LISTS
        if (layout.annotations.name, images) == published and listed == (split == "val2014-5k"):
            return split if categories == COCO_CATEGORIES else "custom"
    return "custom"


def _others(folder: Path, names: Sequence[str]) -> int:
    listed = set(names)
    try:
        with os.scandir(folder) as entries:
            return sum(is_image(entry.name) and entry.name not in listed for entry in entries)
    except OSError:
        return 0
