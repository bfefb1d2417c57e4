"""A classifier's data set as Darknet keeps it: a list of images whose paths contain the labels of their classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cspbench.data.classes import ORDERS, order, own_order
from cspbench.data.darknet import data_file
from cspbench.data.darknet.data_file import MOST_CLASSES, DataFile
from cspbench.data.darknet.faults import Faults, tolerated
from cspbench.data.darknet.image_list import common_folder, read_list
from cspbench.data.darknet.labels_in_paths import Classes
from cspbench.data.darknet.names import check_count, read_names
from cspbench.data.darknet.text import at, excerpt
from cspbench.data.source import Entry, FileSource, Region
from cspbench.errors import DatasetError, brief
from cspbench.io import utf8_name

LABEL_LIMIT = 256
"""Bytes of a label that is sought in paths."""


class LabelledPaths(FileSource):
    """Images whose paths contain their classes' labels; `names` are the labels in the order of the network's outputs.

    The class of an entry is None where the path contains no label. `classes` is the name of the order of the classes:
    ImageNet's where the labels are its WordNet ids, else one of the set's own, in which classes are numbers. `several`
    are the paths that contain more than one label, and `all_classes` the numbers of their classes by key; `top` is the
    number of guesses that the .data file asks for.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        regions: Sequence[Region],
        labels: Path | None,
        names: tuple[str, ...],
        classes: str,
        top: int,
        several: tuple[str, ...],
        faults: tuple[DatasetError, ...],
        list_path: Path,
        all_classes: dict[str, tuple[int, ...]],
    ) -> None:
        super().__init__("darknet", entries, regions, labels=labels)
        self.names, self.top, self.several, self.faults, self.list_path = names, top, several, faults, list_path
        self.all_classes = all_classes
        self.own_classes = classes if classes not in ORDERS else None

    @property
    def notes(self) -> tuple[str, ...]:
        """The tolerated faults, and the paths with several labels."""
        several = (
            f"{len(self.several):,} of {len(self):,} paths contain several labels; the first counts, as in Darknet: "
            f"{brief(self.several[0], 120)}"
            for _ in self.several[:1]
        )
        return (*tolerated(self.faults), *several)

    def as_json(self) -> dict[str, Any]:
        """With the number of guesses, if it is not the default."""
        return super().as_json() | ({"top": self.top} if self.top > 1 else {})


def open_labelled_paths(
    path: Path, *, names_file: Path | None = None, allowed: int | None = 0, key: str = "valid"
) -> LabelledPaths:
    """The data set of a .data file with labels= and a list named by `key`, or of a list of images.

    The labels of a list are those of `names_file`, or else ImageNet's WordNet ids. `allowed` faults are tolerated, any
    number for None: a path without any label is one, its image stays and counts as wrong, as in Darknet. Raises
    `DatasetError`.
    """
    faults = Faults(allowed)
    data = data_file.read(path) if data_file.is_data_file(path) else None
    list_path = data.required(key) if data is not None else path
    images = read_list(list_path, path.parent, faults)
    labels, label_path = _labels(data, names_file)
    own = next((name for name in ORDERS if labels == order(name)), own_order(len(labels)))
    root = common_folder([file for _, file in images.values()])
    finder = Classes(labels)
    entries, several, all_classes = [], [], {}
    for line, (text, file) in images.items():
        numbers = finder.of(text)
        if not numbers:
            faults.add(_without_label(at(list_path, line), text, labels, label_path))
        name = utf8_name(file.relative_to(root).as_posix())
        if len(numbers) > 1:
            several.append(text)
            all_classes[name] = tuple(numbers)
        number = numbers[0] if numbers else None
        entries.append(Entry(name, None if number is None else order(own)[number], number))
    regions = [Region(str(file)) for _, file in images.values()]
    top = (data.number("top", MOST_CLASSES) if data is not None else None) or 1
    return LabelledPaths(
        entries,
        regions,
        label_path,
        labels,
        own,
        min(top, len(labels)),  # as Darknet does
        tuple(several),
        tuple(faults.errors),
        list_path,
        all_classes,
    )


def _labels(data: DataFile | None, names_file: Path | None) -> tuple[tuple[str, ...], Path | None]:
    stated = data.number("classes", MOST_CLASSES) if data is not None else None
    if data is None and names_file is None:
        return order("darknet"), None
    path = names_file or (data.required("labels", "names") if data is not None else None)
    assert path is not None
    labels = check_count(read_names(path), path, stated, "classes= in the .data file")
    long = next((label for label in labels if len(label) > LABEL_LIMIT), None)
    if long is not None:
        raise DatasetError(
            "darknet.long-label",
            "a label is too long",
            where=str(path),
            expected=f"{LABEL_LIMIT} bytes at most",
            found=excerpt(long),
            remedy="Shorten it",
        )
    return labels, path


def _without_label(where: str, text: str, labels: tuple[str, ...], path: Path | None) -> DatasetError:
    source = path.name if path is not None else "ImageNet, as --names FILE gives no others"
    return DatasetError(
        "darknet.no-label",
        "the path contains no label",
        where=where,
        expected=f"one of the {len(labels):,} labels of {source}, such as {excerpt(labels[0])}",
        found=excerpt(text),
        remedy="Correct the path or the labels, or count the image as wrong with --allow-bad",
    )
