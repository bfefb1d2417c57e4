"""COCO's result files, as Darknet and other tools write and read them: a JSON list of detections."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta, Struct

from cspbench.detection.ap.matching import Detections
from cspbench.errors import DatasetError, brief
from cspbench.io import read_file, replacing

LARGEST = 1 << 31
"""Bytes; Darknet's files for 5,000 images have about 500 MB."""
LARGEST_ID = 2**53
CHUNK = 1 << 16
"""Detections written at a time: those of a whole test set are gigabytes of text."""


class _Detection(Struct):
    image_id: Annotated[int, Meta(ge=-LARGEST_ID, le=LARGEST_ID)]
    category_id: Annotated[int, Meta(ge=-LARGEST_ID, le=LARGEST_ID)]
    bbox: tuple[float, float, float, float]
    score: float


def read(path: Path) -> tuple[Detections, str]:
    """The detections of a file, in its order, and the file's sha256. Raises `DatasetError`.

    `matching.indexed` checks ids and numbers against the ground truth.
    """
    try:
        data = read_file(path, LARGEST)
        records = msgspec.json.decode(data, type=list[_Detection])
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(
            "detections.not-a-result-file",
            "not a result file of detections",
            where=str(path),
            expected="a list of objects with integer image_id and category_id, bbox of four numbers, and score",
            found=getattr(error, "strerror", None) or brief(str(error), 120),
            remedy="Use the JSON list that Darknet's `detector valid` or another tool writes for COCO",
        ) from error
    return Detections(
        np.array([record.image_id for record in records], np.int64),
        np.array([record.category_id for record in records], np.int64),
        np.array([record.bbox for record in records], np.float64).reshape(-1, 4),
        np.array([record.score for record in records], np.float64),
    ), hashlib.sha256(data).hexdigest()


def write(detections: Detections, path: Path) -> None:
    """Write a result file as Darknet does, atomically."""
    with replacing(path, named=True) as temporary, temporary.open("w", encoding="ascii") as stream:
        stream.writelines(lines(detections))


def lines(detections: Detections) -> Iterator[str]:
    """A result file in parts: six decimals, one detection per line, as in Darknet (spec b.4)."""
    count = len(detections.scores)
    yield "[\n"
    for begin in range(0, count, CHUNK):
        rows = zip(*(column[begin : begin + CHUNK].tolist() for column in detections), strict=True)
        text = ",\n".join(
            f'{{"image_id":{image}, "category_id":{category}, '
            f'"bbox":[{box[0]:f}, {box[1]:f}, {box[2]:f}, {box[3]:f}], "score":{score:f}}}'
            for image, category, box, score in rows
        )
        yield text + (",\n" if begin + CHUNK < count else "\n")
    yield "]\n"
