"""The images of a training set with their classes or objects, as arrays: a million images stay small in every process.

Python's objects would be copied into each worker as soon as it reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cspbench.data.classes import SAMPLE, SAMPLE_WNIDS, order, places
from cspbench.data.coco.annotations import GroundTruth
from cspbench.data.coco.files import annotation_files
from cspbench.data.coco.source import CocoSource, data_path, scan_coco
from cspbench.data.darknet.classification_set import LabelledPaths, open_labelled_paths
from cspbench.data.darknet.detection_set import Progress, quiet, read_set
from cspbench.data.darknet.faults import Faults, tolerated
from cspbench.data.darknet.image_list import LISTS
from cspbench.data.darknet.opening import darknet_path
from cspbench.data.darknet.source import image_size
from cspbench.data.decode import decode
from cspbench.data.imagenet import open_imagenet
from cspbench.data.source import Entry, FileSource, ImageFiles, Region, Source
from cspbench.errors import DatasetError, brief
from cspbench.io import argument_path

Pixels = NDArray[np.uint8]
Objects = NDArray[np.float32]
"""(n, 5): class from 0, and centre, width and height as parts of the image."""
INSIDE = ("train", "Data/CLS-LOC/train", "ILSVRC/Data/CLS-LOC/train")
"""Subfolders in which downloads of ImageNet have the images for training."""
TRAINING = ("instances_train2017.json", "instances_train2014.json")
"""COCO's annotations for training, in order of preference."""


class StoredImages:
    """Image files or parts of archives, by number."""

    def __init__(self, regions: Sequence[Region]) -> None:
        names = [region.path.encode("utf-8", "surrogateescape") for region in regions]
        self._names = np.frombuffer(b"".join(names), np.uint8)
        self._ends = np.cumsum([len(name) for name in names], dtype=np.int64)
        self._parts = np.array([(region.offset, -1 if region.length is None else region.length) for region in regions])

    def __len__(self) -> int:
        return len(self._ends)

    def path(self, index: int) -> str:
        """The file that holds an image."""
        begin = self._ends[index - 1] if index else 0
        return self._names[begin : self._ends[index]].tobytes().decode("utf-8", "surrogateescape")

    def place(self, index: int) -> tuple[str, int]:
        """The file that holds an image, and the byte at which it begins."""
        return self.path(index), int(self._parts[index, 0])

    def pixels(self, index: int) -> Pixels:
        """An image's pixels, uint8 (H, W, 3), decoded as Darknet with OpenCV does. Raises `BadImageError`."""
        path, (offset, length) = self.path(index), self._parts[index].tolist()
        name = path if length < 0 else f"{path}, byte {offset:,}"
        files = ImageFiles([Entry(name, None)], [Region(path, offset, None if length < 0 else length)])
        return np.array(decode(files.sample(0).data, name, "opencv"))  # torch wants arrays that may be written to


@dataclass(frozen=True)
class ClassifierImages:
    """Images with their classes: `classes` (I,) is the one of each, -1 for none; `several` has those with more."""

    images: StoredImages
    names: tuple[str, ...]
    """The classes' ids or labels, in the order of the network's outputs."""
    classes: NDArray[np.int32]
    several: dict[int, tuple[int, ...]]
    notes: tuple[str, ...]

    def of(self, index: int) -> tuple[int, ...]:
        """The classes of an image."""
        number = int(self.classes[index])
        return self.several.get(index, () if number < 0 else (number,))


@dataclass(frozen=True)
class DetectorImages:
    """Images with their objects: those of image i are `boxes[starts[i] : starts[i + 1]]`."""

    images: StoredImages
    names: tuple[str, ...]
    boxes: Objects
    starts: NDArray[np.int64]
    notes: tuple[str, ...]

    def of(self, index: int) -> Objects:
        """The objects of an image."""
        return self.boxes[self.starts[index] : self.starts[index + 1]]

    def count(self, index: int) -> int:
        """How many objects an image has."""
        return int(self.starts[index + 1] - self.starts[index])


def open_classifier_images(
    place: str | Path,
    *,
    class_order: str = "darknet",
    labels: Path | None = None,
    names: Path | None = None,
    allowed: int | None = 0,
) -> ClassifierImages:
    """ImageNet, the drawn sample, or the train= list of a .data file; `class_order` is that of ImageNet's classes.

    `names` are the labels of a list of images, which may have `allowed` faults. Raises `DatasetError`, `UsageError`.
    """
    path = argument_path("data", place)
    if path.is_file() and path.suffix.lower() in LISTS:
        source: Source = open_labelled_paths(path, names_file=names, allowed=allowed, key="train")
    else:
        inside = next((path / name for name in INSIDE if (path / name).is_dir()), None)
        source = open_imagenet(place if inside is None else inside, labels)
    if not isinstance(source, FileSource):
        raise DatasetError(
            "imagenet.stream",
            "a stream of images",
            where=str(place),
            expected="images that can be read in any order",
            found=source.kind,
            remedy="Train on a folder, an archive or a list of images",
        )
    wnids = [entry.wnid for entry in source.entries]
    if source.own_classes is not None:
        class_order = source.own_classes
    elif all(wnid in SAMPLE_WNIDS for wnid in wnids):
        class_order = SAMPLE
    numbers = places(class_order)
    classes = np.array([-1 if wnid is None else numbers[wnid] for wnid in wnids], np.int32)
    names_of, several = order(class_order), {}
    if isinstance(source, LabelledPaths):
        names_of = source.names
        keys = {entry.key: index for index, entry in enumerate(source.entries) if entry.key in source.all_classes}
        several = {index: source.all_classes[key] for key, index in keys.items()}
    return ClassifierImages(StoredImages(source.regions), names_of, classes, several, source.notes)


def open_detector_images(
    place: str | Path,
    *,
    names: Sequence[str] | None = None,
    classes: int | None = None,
    allowed: int | None = 0,
    progress: Progress = quiet,
) -> DetectorImages:
    """COCO's training images, any data set in its form, or the train= list of a .data file, with `allowed` faults.

    `names` or `classes` are a network's, for a list without names. Crowds are left out. Raises `DatasetError`,
    `UsageError`.
    """
    path = data_path(place)
    darknet = darknet_path(path)
    faults = Faults(allowed)
    if darknet is None:
        return _of_coco(scan_coco(_training_annotations(path)), faults)
    data = read_set(darknet, faults, lists=("train",), names=names, classes=classes, progress=progress)
    rows = [np.array(image.boxes, np.float32).reshape(-1, 5) for image in data.images]
    regions = [Region(str(image.file)) for image in data.images]
    return _detector_images(regions, data.names, rows, tolerated(data.faults))


def _training_annotations(path: Path) -> Path:
    files = annotation_files((path / "annotations", path)) if path.is_dir() else []
    return next((file for name in TRAINING for file in files if file.name == name), path)


def _of_coco(source: CocoSource, faults: Faults) -> DetectorImages:
    """The images of a set in COCO's form, without those that are missing if so many faults are allowed."""
    for fault in source.annotations.faults:
        faults.add(fault)
    for name in source.missing:
        faults.add(
            DatasetError(
                "coco.image-missing",
                "an image is missing",
                where=str(source.folder),
                expected=brief(name),
                found=f"{len(source.missing):,} of {len(source):,} missing",
                remedy="Complete the folder, or leave the missing images out with --allow-bad",
            )
        )
    if source.no_objects is not None or source.ground_truth is None:
        raise source.no_objects or DatasetError(
            "coco.test-set",
            "a test set, without objects",
            where=str(source.annotations.path),
            expected="annotated objects",
            remedy="Train on the training images",
        )
    truth, missing = source.ground_truth, set(source.missing)
    inside = [index for index, image in enumerate(source.images) if image.file_name not in missing]
    rows = _objects(truth)
    extents = [(source.images[index].width, source.images[index].height) for index in inside]
    relative = []
    for index, (width, height) in zip(inside, extents, strict=True):
        boxes = rows(source.images[index].id)
        if not (width and height) and len(boxes):
            width, height = image_size(Path(source.regions[index].path), True) or (1, 1)
        boxes[:, 1:] /= np.array([width or 1, height or 1] * 2)
        relative.append(boxes.astype(np.float32))
    regions = [source.regions[index] for index in inside]
    notes = (*source.notes, *tolerated(faults.errors))
    return _detector_images(regions, tuple(truth.categories.values()), relative, notes)


def _objects(truth: GroundTruth) -> Callable[[int], NDArray[np.float64]]:
    """A function from an image's id to its objects, (n, 5): class, centre, width and height in pixels; no crowds."""
    numbers = np.searchsorted(np.array(list(truth.categories)), truth.category_ids)
    corner, side = truth.boxes[:, :2], truth.boxes[:, 2:]
    # of faults that are tolerated nothing is left
    good = ~truth.crowd & np.isfinite(truth.boxes).all(1) & np.isin(truth.category_ids, list(truth.categories))
    rows, images = np.column_stack((numbers, corner + side / 2, side))[good], truth.images[good]
    sorting = np.argsort(images, kind="stable")
    rows, images = rows[sorting], images[sorting]
    return lambda number: rows[slice(*np.searchsorted(images, (number, number + 1)))].copy()


def _detector_images(
    regions: Sequence[Region], names: tuple[str, ...], rows: Sequence[Objects], notes: tuple[str, ...]
) -> DetectorImages:
    starts = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(row) for row in rows], out=starts[1:])
    return DetectorImages(StoredImages(regions), names, np.concatenate(rows), starts, notes)
