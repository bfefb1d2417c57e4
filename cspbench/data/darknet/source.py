"""A detector's data set in Darknet's form as an annotated set of images, so that everything for COCO serves it too."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from cspbench.data.coco.annotations import COCO_CATEGORIES, Annotations, GroundTruth, Picture
from cspbench.data.coco.source import CocoSource
from cspbench.data.darknet.detection_set import DarknetSet, Listed, Progress, Size, quiet, read_set
from cspbench.data.darknet.faults import Faults, tolerated
from cspbench.data.darknet.image_list import common_folder
from cspbench.data.decode import opened, turn
from cspbench.errors import BadImageError, brief
from cspbench.io import open_file, read_part

HEAD = 1 << 14
"""Bytes of an image file whose header is sought first."""
COCO_IDS = tuple(sorted(COCO_CATEGORIES))
"""The ids that Darknet writes for the classes of any network, in its result files for COCO's program."""
UNKNOWN: Size = (1, 1)
"""The size of an image that cannot be read: its objects stay, and count as missed."""


class DarknetSource(CocoSource):
    """The images and objects of a set, which is `darknet`; its categories have the ids of Darknet's result files.

    Ids of images are the numbers that they are named after, as in COCO, or else count from 1 in the order of the list.
    """

    kind = "darknet"

    def __init__(self, darknet: DarknetSet) -> None:
        self.darknet = darknet
        folder = common_folder([image.file for image in darknet.images])
        pictures = [
            Picture(number, image.file.relative_to(folder).as_posix(), *(image.size or UNKNOWN))
            for number, image in zip(_ids(darknet.images), darknet.images, strict=True)
        ]
        truth = _ground_truth(darknet, pictures)
        annotations = Annotations(
            darknet.list_path,
            tuple(sorted(pictures)),
            truth.categories,
            truth,
            faults=(),
            notes=(*tolerated(darknet.faults), *_moved(darknet)),
        )
        super().__init__(annotations, annotations.images, folder, "custom", darknet.path)


def open_darknet(
    path: Path,
    *,
    allowed: int | None = 0,
    names: Sequence[str] | None = None,
    classes: int | None = None,
    upright: bool = True,
    progress: Progress = quiet,
) -> DarknetSource:
    """The data set of a .data file or a list of images; `allowed` faults are tolerated, any number for None.

    `upright`: sizes are those of images turned according to EXIF, as the decoder turns them. For the rest see
    `detection_set.read_set`. Raises `DatasetError`, `UsageError`.
    """
    return DarknetSource(
        read_set(
            path,
            Faults(allowed),
            names=names,
            classes=classes,
            size_of=lambda file: image_size(file, upright),
            progress=progress,
        )
    )


def image_size(file: Path, upright: bool) -> Size | None:
    """An image's width and height from its header, None if it cannot be read; `upright` if EXIF turns it."""
    try:
        with open_file(file) as stream:
            head, size = read_part(stream, 0, HEAD), stream.seek(0, 2)
        try:
            return _header(head, str(file), upright)
        except BadImageError:
            return None if size <= HEAD else _header(file, str(file), upright)
    except (OSError, BadImageError):
        return None


def _header(source: bytes | Path, name: str, upright: bool) -> Size:
    with opened(source, name) as image:
        return image.size[::-1] if upright and turn(image) > 4 else image.size


def _moved(darknet: DarknetSet) -> list[str]:
    """A note on images that are not where the list says."""
    moved = [image for image in darknet.images if image.moved]
    return [
        f"{len(moved):,} of {len(darknet.images):,} images are not at the absolute paths of the list; the first is "
        f"taken from {brief(str(image.file), 200)}"
        for image in moved[:1]
    ]


def _ids(images: tuple[Listed, ...]) -> list[int]:
    stems = [image.file.stem for image in images]
    numbers = [int(stem) for stem in stems if stem.isascii() and stem.isdigit() and len(stem) < 16]
    return numbers if len(set(numbers)) == len(images) else list(range(1, len(images) + 1))


def _ground_truth(whole: DarknetSet, pictures: list[Picture]) -> GroundTruth:
    """Objects in pixels. Difficult ones are like crowds, which count neither as missed nor as found."""
    rows = list(
        chain.from_iterable(
            [(picture.id, box.label, crowd, picture.width, picture.height, *box[1:]) for box in boxes]
            for picture, image in zip(pictures, whole.images, strict=True)
            for crowd, boxes in ((False, image.boxes), (True, image.difficult))
        )
    )
    count = len(whole.names)
    ids = np.array(COCO_IDS[:count] if count <= len(COCO_IDS) else range(1, count + 1), np.int64)
    table = np.array(rows, np.float64).reshape(-1, 9)
    extent, centre, size = table[:, 3:5], table[:, 5:7], table[:, 7:9]
    boxes = np.concatenate(((centre - size / 2) * extent, size * extent), 1)
    return GroundTruth(
        image_ids=np.unique(np.array([picture.id for picture in pictures], np.int64)),
        categories=dict(zip(ids.tolist(), whole.names, strict=True)),
        images=table[:, 0].astype(np.int64),
        category_ids=ids[table[:, 1].astype(np.int64)],
        boxes=boxes,
        areas=boxes[:, 2:].prod(1),
        crowd=table[:, 2].astype(np.bool_),
    )
