"""COCO's result files, as Darknet and other tools write and read them: a JSON list of detections."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cspbench.detection.ap.matching import Detections
from cspbench.errors import DatasetError, brief
from cspbench.io import read_file, replacing

LARGEST = 1 << 31
"""Bytes; Darknet's files for 5,000 images have about 500 MB."""
LARGEST_ID = 2**53
CHUNK = 1 << 16
"""Detections written at a time: those of a whole test set are gigabytes of text."""


def read(path: Path) -> tuple[Detections, str]:
    """The detections of a file, in its order, and the file's sha256. Raises `DatasetError`.

    `matching.indexed` checks ids and numbers against the ground truth.
    """
    try:
        data = read_file(path, LARGEST)
        records = json.loads(data)
    except OSError as error:
        raise _broken(path, "a file", error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise _broken(path, "JSON", brief(str(error), 120)) from error
    if not isinstance(records, list):
        raise _broken(path, "a list of detections", f"{type(records).__name__} at the top")
    for number, record in enumerate(records):
        if not _usable(record):
            expected = "an object with integer image_id and category_id, bbox of four numbers, and score"
            raise _broken(path, expected, f"detection {number} is {brief(json.dumps(record), 120)}")
    return Detections(
        np.array([record["image_id"] for record in records], np.int64),
        np.array([record["category_id"] for record in records], np.int64),
        np.array([_floats(record["bbox"]) for record in records], np.float64).reshape(-1, 4),
        np.array(_floats([record["score"] for record in records]), np.float64),
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


def _usable(record: Any) -> bool:
    if not isinstance(record, dict):
        return False
    ids = (record.get("image_id"), record.get("category_id"))
    box = record.get("bbox")
    if not all(type(number) is int and abs(number) <= LARGEST_ID for number in ids):
        return False
    if not isinstance(box, list) or len(box) != 4:
        return False
    return all(type(number) in (int, float) for number in (*box, record.get("score")))


def _floats(values: list[Any]) -> list[float]:
    """Values as floats; integers beyond the largest float become infinite."""
    return [
        float(value) if abs(value) < 1e300 else float("nan") if value != value else float("inf") for value in values
    ]


def _broken(path: Path, expected: str, found: str) -> DatasetError:
    remedy = "Use the JSON list that Darknet's `detector valid` or another tool writes for COCO"
    return DatasetError(
        "detections.not-a-result-file",
        "not a result file of detections",
        where=str(path),
        expected=expected,
        found=found,
        remedy=remedy,
    )
