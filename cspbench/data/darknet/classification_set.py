"""A classifier's data set as Darknet keeps it: a list of images whose paths contain the labels of their classes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cspbench.data.darknet import data_file, names
from cspbench.data.darknet.data_file import MOST_CLASSES
from cspbench.data.darknet.faults import Faults
from cspbench.data.darknet.image_list import common_folder, read_list
from cspbench.data.darknet.labels_in_paths import Classes
from cspbench.data.darknet.text import at, shown
from cspbench.data.source import Entry, FileSource, Region
from cspbench.errors import DatasetError
from cspbench.io import utf8_name

LABEL_LIMIT = 256
"""Bytes of a label that is sought in paths."""


@dataclass(frozen=True)
class ClassifiedImages:
    """The images of a .data file and the `labels` of its classes, in the order of the network's outputs.

    The class of an entry of `source` is its label, None where the path contains none. `several` are the paths that
    contain more than one label; `top` is the file's number of guesses per image, 1 by default.
    """

    path: Path
    source: FileSource
    labels: tuple[str, ...]
    top: int
    several: tuple[str, ...]
    faults: tuple[DatasetError, ...]


def read_classified(path: Path, faults: Faults, *, names_file: Path | None = None) -> ClassifiedImages:
    """Read the data set of a .data file with valid= and labels=; `names_file` stands in for labels=.

    Raises `DatasetError`, also for more faults than are allowed. A path without any label is a fault; the image stays,
    and counts as wrong, as in Darknet.
    """
    data = data_file.read(path)
    images = read_list(data.required("valid"), path.parent, faults)
    label_path = names_file or data.required("labels", "names")
    stated = data.number("classes", MOST_CLASSES)
    labels = names.counted(names.read_names(label_path), label_path, stated, f"classes= in {path.name}")
    long = next((label for label in labels if len(label) > LABEL_LIMIT), None)
    if long is not None:
        raise DatasetError(
            "darknet.long-label",
            "a label is too long",
            where=str(label_path),
            expected=f"{LABEL_LIMIT} bytes at most",
            found=shown(long),
            remedy="Shorten it",
        )
    root = common_folder([file for _, file in images.values()])
    classes = Classes(labels)
    entries, several = [], []
    for line, (text, file) in images.items():
        found = classes.of(text)
        if not found:
            faults.add(
                DatasetError(
                    "darknet.no-label",
                    "the path contains no label",
                    where=at(data.required("valid"), line),
                    expected=f"one of the {len(labels):,} labels of {label_path.name}, such as {shown(labels[0])}",
                    found=shown(text),
                    remedy="Correct the path or the labels, or count the image as wrong with --allow-bad",
                )
            )
        elif len(found) > 1:
            several.append(text)
        key = utf8_name(file.relative_to(root).as_posix())
        entries.append(Entry(key, labels[found[0]] if found else None, found[0] if found else None))
    regions = [Region(str(file)) for _, file in images.values()]
    source = FileSource("darknet", entries, regions, labels=label_path)
    return ClassifiedImages(
        path, source, labels, data.number("top", len(labels)) or 1, tuple(several), tuple(faults.found)
    )
