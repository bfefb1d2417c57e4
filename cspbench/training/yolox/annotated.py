"""One image with its true objects: from a data set, or from the label file beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cspbench.data.darknet.faults import Faults
from cspbench.data.darknet.label_file import read_labels
from cspbench.data.darknet.paths import label_files
from cspbench.data.decode import Decoder, decode
from cspbench.data.source import Entry, ImageFiles, Region
from cspbench.errors import UsageError, brief
from cspbench.evaluation import detection_data
from cspbench.evaluation.execution import Listener
from cspbench.io import argument_path


@dataclass(frozen=True, eq=False)
class Annotated:
    """An image and its M objects."""

    pixels: NDArray[np.uint8]
    """(H, W, 3) in RGB."""
    classes: tuple[int, ...]
    """In the network's order, from 0."""
    boxes: NDArray[np.float64]
    """(M, 4) centre x, y, width and height in pixels."""


def of_file(image: str, classes: int, decoder: Decoder) -> Annotated:
    """An image file with the label file of Darknet's that belongs to it.

    Raises `UsageError` where there is none, `DatasetError` for its first wrong line, `BadImageError`.
    """
    path = argument_path("--assign", image)
    pixels = _pixels(path, decoder)
    height, width = pixels.shape[:2]
    places = label_files(path)
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        raise UsageError(
            "usage.no-labels-beside",
            "the image has no label file",
            where=image,
            expected=brief(" or ".join(map(str, places)), 1000),
            remedy="Write one, a line of class x y width height for each object, or name the image's data set with "
            "--data",
        )
    objects = read_labels(file, classes, Faults(), (width, height))
    sides = np.array([(each.x, each.y, each.width, each.height) for each in objects], np.float64).reshape(-1, 4)
    return Annotated(pixels, tuple(each.label for each in objects), sides * [width, height, width, height])


def of_data(image: str, data: str, classes: int, decoder: Decoder, *, user_file: bool, listener: Listener) -> Annotated:
    """An image of a data set by its file's name or its id; groups that are one object in COCO are left out.

    Raises `UsageError` for another image and a set without annotations, `DatasetError`, `BadImageError`.
    """
    source = detection_data.opened(data, None, listener, classes=classes, allowed=None)
    truth = detection_data.ground_truth(source)
    ids = detection_data.categories(source, classes, None, user_file, listener)
    name = Path(image).name
    index = next(
        (at for at, own in enumerate(source.images) if image == str(own.id) or Path(own.file_name).name == name), None
    )
    if index is None:
        raise UsageError(
            "usage.image-of-other-data",
            "the data set does not have the image",
            where=data,
            expected=f"a file name or an id, such as {brief(source.images[0].file_name, 80)}",
            found=image,
            remedy="Name an image of the set, or leave out --data for one with a label file beside it",
        )
    sample = source.sample(index)
    own = (truth.images == source.images[index].id) & ~truth.crowd & np.isin(truth.category_ids, ids)
    corners = truth.boxes[own].astype(np.float64)
    boxes = np.concatenate((corners[:, :2] + corners[:, 2:] / 2, corners[:, 2:]), 1)
    place = {number: at for at, number in enumerate(ids)}
    labels = tuple(place[int(number)] for number in truth.category_ids[own])
    return Annotated(decode(sample.data, sample.key, decoder), labels, boxes)


def _pixels(path: Path, decoder: Decoder) -> Any:
    files = ImageFiles([Entry(str(path), None)], [Region(str(path))])
    return decode(files.sample(0).data, str(path), decoder)
