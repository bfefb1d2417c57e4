"""A detector's data set as Darknet keeps it: the images of a list, and the objects of each in its label file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from cspbench.data.darknet import data_file, paths
from cspbench.data.darknet.data_file import MOST_CLASSES, DataFile
from cspbench.data.darknet.faults import Faults
from cspbench.data.darknet.image_list import SIZE_LIMIT as LIST_LIMIT
from cspbench.data.darknet.image_list import in_folder, read_list
from cspbench.data.darknet.label_file import Box, read_labels
from cspbench.data.darknet.names import ROBOFLOW, beside, check_count, read_names
from cspbench.data.darknet.text import at, read_lines
from cspbench.errors import DatasetError, UsageError, brief

Size = tuple[int, int]
"""Width and height in pixels."""
Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Called with the name of some work and the number of its steps; its context receives the number of steps done."""


def quiet(what: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
    """Shows nothing."""
    return nullcontext(lambda done: None)


@dataclass(frozen=True)
class Listed:
    """An image of a list: its line, its file, its size if that was read, and its objects."""

    line: int
    file: Path
    size: Size | None
    boxes: list[Box]
    difficult: list[Box]
    """Objects whose detections `detector map` ignores, from the list difficult=."""
    moved: bool = False
    """Whether the list has another, absolute path for it."""


@dataclass(frozen=True)
class DarknetSet:
    """The images of a list or a folder in its order; `numbered`: the `names` are not known, and are 0, 1, 2, ..."""

    path: Path
    """The .data file, or the list or folder that the user named."""
    list_path: Path
    images: tuple[Listed, ...]
    names: tuple[str, ...]
    numbered: bool
    faults: tuple[DatasetError, ...]


def read_set(
    path: Path,
    faults: Faults,
    *,
    lists: tuple[str, ...] = ("valid",),
    names: Sequence[str] | None = None,
    classes: int | None = None,
    size_of: Callable[[Path], Size | None] = lambda file: None,
    progress: Progress = quiet,
) -> DarknetSet:
    """Read the data set of a .data file, of a list of images, or of a folder of images.

    `lists` are the keys of the .data file that may name the list, the first one present counts. The classes are those
    of the .data file (a list's is the one beside it that names the list), or else a network's: its `names`, those of a
    file beside the list, or numbers up to `classes`. `size_of` reads an image's size, None if it cannot. Raises
    `DatasetError`, also for more faults than are allowed, and `UsageError` for classes that are not known.
    """
    if data_file.is_data_file(path):
        data: DataFile | None = data_file.read(path)
        assert data is not None
        list_path = data.required(*lists)
    else:
        data, list_path = None if path.is_dir() else _data_file_beside(path), path
    if data is None and names is None:
        file = beside([path / ROBOFLOW if path.is_dir() else path], classes)
        names = None if file is None else read_names(file)
    labels, numbered = class_names(data, names, classes, list_path)
    listed = in_folder(path) if path.is_dir() else read_list(list_path, path.parent, faults)
    difficult = _difficult(data, listed)
    images = []
    with progress("reading labels", len(listed)) as reach:
        for line, (text, file) in listed.items():
            if faults.enough:
                break
            size = size_of(file)
            boxes = _objects(file, at(list_path, line), len(labels), size, faults)
            ignored = read_labels(difficult[line], len(labels), faults, size) if line in difficult else []
            images.append(Listed(line, file, size, boxes, ignored, paths.moved(text, file)))
            reach(len(images))
    return DarknetSet(path, list_path, tuple(images), labels, numbered, tuple(faults.errors))


def class_names(
    data: DataFile | None, names: Sequence[str] | None, classes: int | None, where: Path
) -> tuple[tuple[str, ...], bool]:
    """The names of the classes, and whether they are only numbers. Raises `DatasetError`, `UsageError`."""
    stated = data.number("classes", MOST_CLASSES) if data is not None else None
    if data is not None and (names is None or data.finds("names")):
        file = data.file("names")
        if file is not None:
            return check_count(read_names(file), file, stated, f"classes= in {data.path.name}"), False
    if names is not None and stated in (None, len(names)):
        return tuple(names), False
    count = stated or classes
    if count is None:
        raise UsageError(
            "usage.no-class-names",
            "the classes of the data set are not known",
            where=str(where),
            expected="--names FILE, a .data file with names= or classes= beside the list, or --cfg",
            remedy="Name the file of class names with --names",
        )
    return tuple(map(str, range(count))), True


def _data_file_beside(image_list: Path) -> DataFile | None:
    """The .data file in a list's folder that names the list; the only one there otherwise; None if there is none."""
    files = [path for path in sorted(image_list.parent.glob("*.data"))[:100] if path.is_file()]
    readable = []
    for path in files:
        try:
            data = data_file.read(path)
        except DatasetError:
            continue
        readable.append(data)
        for key in ("valid", "train", "test"):
            text = data.text(key)
            file = paths.find(text, path.parent) if text else None
            if file is not None and image_list.exists() and file.samefile(image_list):
                return data
    return readable[0] if len(files) == len(readable) == 1 else None


def _objects(image: Path, where: str, classes: int, size: Size | None, faults: Faults) -> list[Box]:
    places = paths.label_files(image)
    file = next((place for place in places if place.is_file()), None)
    if file is not None:
        return read_labels(file, classes, faults, size)
    faults.add(
        DatasetError(
            "darknet.missing-label",
            "an image without a label file",
            where=where,
            expected=brief(" or ".join(map(str, places)), 1000),
            found="nothing there",
            remedy="Add the label file, an empty one for an image without objects, or tolerate it with --allow-bad",
        )
    )
    return []


def _difficult(data: DataFile | None, listed: dict[int, tuple[str, Path]]) -> dict[int, Path]:
    """The label file in the list difficult= for each line of the list of images, where there is one.

    As in Darknet the two lists correspond by position. Raises `DatasetError` for another length.
    """
    file = data.file("difficult") if data is not None else None
    if file is None or data is None:
        return {}
    lines = read_lines(file, "paths of images, one a line", LIST_LIMIT)
    if len(lines) != len(listed):
        raise DatasetError(
            "darknet.other-length",
            "difficult= lists another number of images",
            where=str(file),
            expected=f"{len(listed):,} paths, one for each image",
            found=f"{len(lines):,}",
            remedy="Correct the list, or leave difficult= out",
        )
    labels = {}
    for image, line in zip(listed, lines, strict=True):
        places = [place for path in paths.candidates(line.text, data.path.parent) for place in paths.label_files(path)]
        place = next((place for place in places if place.is_file()), None)
        if place is not None:
            labels[image] = place
    return labels
