"""Checks a data set in Darknet's form: its files against each other, and every image that a run could not use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cspbench.data.darknet import data_file
from cspbench.data.darknet.classification_set import LabelledPaths, open_labelled_paths
from cspbench.data.darknet.detection_set import Progress, quiet
from cspbench.data.darknet.source import DarknetSource, open_darknet
from cspbench.data.image_facts import facts
from cspbench.data.source import ImageFiles
from cspbench.errors import DatasetError
from cspbench.io import utf8_name

Step = Callable[[str], None]


@dataclass
class DarknetReport:
    """The findings; `objects` is None for a classifier's data set."""

    task: str
    list_name: str
    images: int
    classes: dict[str, int]
    """The number of objects, or of images, of each class by name."""
    objects: int | None
    images_without_objects: int
    several_labels: list[str]
    """Paths that contain several labels; of a classifier's data set."""
    other_lists: list[str]
    """Lists of the .data file that are not there; training needs them, an evaluation does not."""
    faults: list[str]
    images_read: int = 0
    """Of how many the files were read; the other files are always read whole."""
    modes: Counter[str] = field(default_factory=Counter)
    unreadable: dict[str, str] = field(default_factory=dict)

    @property
    def usable(self) -> bool:
        """Whether the files agree and every image can be read."""
        return not (self.faults or self.unreadable)

    def as_json(self) -> dict[str, Any]:
        """All fields, with complete lists."""
        return {"usable": self.usable, **vars(self), "modes": dict(self.modes.most_common())}


def scan(path: Path, names: tuple[str, ...] | None, progress: Progress = quiet) -> DarknetSource | LabelledPaths:
    """The data set of a .data file, a list or a folder, faults included; with labels= it is a classifier's.

    Raises `DatasetError` for one that cannot be read at all, `UsageError` for classes that are not known.
    """
    if data_file.is_data_file(path) and data_file.read(path).text("labels") is not None:
        return open_labelled_paths(path, allowed=None)
    return open_darknet(path, names=names, allowed=None, progress=progress)


def check(
    source: DarknetSource | LabelledPaths,
    path: Path,
    step: Step = lambda name: None,
    *,
    indices: Sequence[int] | None = None,
    workers: int | None = None,
) -> DarknetReport:
    """Check the data set of a path, and all images or those at `indices`; `step` receives their names."""
    report = _of_objects(source) if isinstance(source, DarknetSource) else _of_paths(source)
    if data_file.is_data_file(path):
        data = data_file.read(path)
        lists = [key for key in ("train", "test") if data.text(key) is not None and not data.finds(key)]
        report.other_lists = [f"{key} = {data.text(key)}" for key in lists]
    _check_images(source, report, range(len(source)) if indices is None else indices, workers, step)
    return report


def _of_objects(source: DarknetSource) -> DarknetReport:
    truth = source.ground_truth
    assert truth is not None
    counts = [int((truth.category_ids == key).sum()) for key in truth.categories]
    report = DarknetReport(
        task="detection",
        list_name=utf8_name(source.annotations.path.name),
        images=len(source),
        classes=dict(zip(truth.categories.values(), counts, strict=True)),
        objects=len(truth),
        images_without_objects=len(source) - len(np.unique(truth.images)),
        several_labels=[],
        other_lists=[],
        faults=[_words(fault) for fault in source.darknet.faults],
    )
    if source.no_objects is not None:
        report.faults.append(_words(source.no_objects))
    return report


def _of_paths(source: LabelledPaths) -> DarknetReport:
    counts = Counter(entry.label for entry in source.entries)
    return DarknetReport(
        task="classification",
        list_name=utf8_name(source.list_path.name),
        images=len(source),
        classes={name: counts[number] for number, name in enumerate(source.names)},
        objects=None,
        images_without_objects=0,
        several_labels=list(source.several),
        other_lists=[],
        faults=[_words(fault) for fault in source.faults],
    )


def _check_images(
    source: ImageFiles, report: DarknetReport, indices: Sequence[int], workers: int | None, step: Step
) -> None:
    report.images_read = len(indices)
    for index, file in zip(indices, facts(source, indices, workers=workers), strict=True):
        key = source.key(index)
        step(key)
        if file.fault is not None or not file.size:
            report.unreadable[key] = file.fault or "the file is empty"
        else:
            report.modes[file.mode] += 1


def _words(fault: DatasetError) -> str:
    return f"{fault.where}: {fault.what} (expected {fault.expected}, found {fault.found})"
