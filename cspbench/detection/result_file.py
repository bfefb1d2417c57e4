"""COCO's result files, as Darknet and other tools write and read them: a JSON list of detections."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta, Struct

from cspbench.data.coco.annotations import Annotations
from cspbench.data.coco.ids import LARGEST_ID, LONGEST_ID, Ids, as_json
from cspbench.detection.ap.matching import Array, Detections
from cspbench.errors import DatasetError, brief
from cspbench.io import read_file, replacing

LARGEST = 1 << 31
"""Bytes; Darknet's files for 5,000 images have about 500 MB."""
CHUNK = 1 << 16
"""Detections written at a time: those of a whole test set are gigabytes of text."""

Id = (
    Annotated[int, Meta(ge=-LARGEST_ID, le=LARGEST_ID)]
    | Annotated[float, Meta(ge=-LARGEST_ID, le=LARGEST_ID)]
    | Annotated[str, Meta(max_length=LONGEST_ID)]
)


class _Detection(Struct):
    image_id: Id
    category_id: Id
    bbox: tuple[float, float, float, float]
    score: float


class ResultFile(NamedTuple):
    """The detections of a file, in its order, the file's sha256, and what a reader of their score should know."""

    detections: Detections
    sha256: str
    notes: tuple[str, ...] = ()


def read(path: Path, annotations: Annotations) -> ResultFile:
    """The detections of a file on the images of an annotation file.

    Ids may be numbers, whole floats or texts, as in the annotations; images may also be named by their files, and
    categories by their names. Raises `DatasetError`, also for an unknown id; `matching.indexed` checks the numbers.
    """
    try:
        data = read_file(path, LARGEST)
        records = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=list[_Detection])
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(
            "detections.not-a-result-file",
            "not a result file of detections",
            where=str(path),
            expected="a list of objects with image_id, category_id, bbox of four numbers, and score",
            found=getattr(error, "strerror", None) or _found(str(error)),
            remedy="Use the JSON list that Darknet's `detector valid` or another tool writes for COCO",
        ) from error
    images, categories = annotations.ids or (
        Ids([image.id for image in annotations.images]),
        Ids(list(annotations.categories)),
    )
    notes = []
    image_ids = [record.image_id for record in records]
    if texts := [key for key in set(image_ids) if isinstance(key, str)]:
        named = _by_file(images, annotations)
        by_name = sum(images.find(key) != named.find(key) for key in texts)
        if by_name:
            images = named
            notes.append(f"{by_name:,} images are named by their files, not by their ids")
    detections = Detections(
        _numbers(path, "detections.unknown-image", image_ids, images),
        _numbers(
            path,
            "detections.unknown-category",
            [record.category_id for record in records],
            categories.more((name, number) for number, name in annotations.categories.items()),
        ),
        np.array([record.bbox for record in records], np.float64).reshape(-1, 4),
        np.array([record.score for record in records], np.float64),
    )
    above = np.isin(detections.category_ids, annotations.parents)
    if above.any():
        notes.append(
            f"{int(above.sum()):,} of {len(above):,} detections are left out: of a category without objects that is "
            "another's supercategory"
        )
        detections = Detections(*(column[~above] for column in detections))
    return ResultFile(detections, hashlib.sha256(data).hexdigest(), tuple(notes))


def _found(message: str) -> str:
    """What the reader's message says was found: "`score` missing - at `$[0]`", "`object`", "malformed JSON"."""
    wrong, _, place = message.partition(" - at ")
    missing = wrong.removeprefix("Object missing required field ")
    got = f"no {missing}" if missing != wrong else wrong.rpartition(", got ")[2]
    return brief(f"{got} at {place}" if place else got, 120)


def _by_file(ids: Ids, annotations: Annotations) -> Ids:
    """The ids of images, with their files' paths, names, and names without suffix."""
    files = [(PurePosixPath(image.file_name), image.id) for image in annotations.images if image.file_name]
    return ids.more((text, number) for file, number in files for text in {str(file), file.name, file.stem})


def _numbers(path: Path, code: str, values: Sequence[int | float | str], ids: Ids) -> Array:
    """The numbers (D,) of the ids of detections' images or categories. Raises `DatasetError` for unknown ones."""
    known = {value: ids.find(value) for value in set(values)}
    unknown = [index for index, value in enumerate(values) if known[value] is None]
    if not unknown:
        return np.array([known[value] for value in values], np.int64)
    some = ", ".join(as_json(number, ids.texts) for number in sorted(set(ids.numbers))[:3])
    count = f"all {len(values):,}" if len(unknown) == len(values) else f"{len(unknown):,} of {len(values):,}"
    raise DatasetError(
        code,
        f"detections of {code.partition('.')[2].replace('-', ' ')} ids",
        where=f"{path}, detection {unknown[0]}",
        expected=f"ids of the data set, such as {brief(some, 80)}",
        found=f"{count} detections, the first of {brief(json.dumps(values[unknown[0]]), 40)}",
        remedy="Use the annotations of the images that the detections are on",
    )


def write(detections: Detections, path: Path, annotations: Annotations | None = None) -> None:
    """Write a result file as Darknet does, atomically; ids that are texts in the annotations are so here."""
    with replacing(path, named=True) as temporary, temporary.open("w", encoding="ascii") as stream:
        stream.writelines(lines(detections, ({}, {}) if annotations is None else annotations.texts))


def lines(detections: Detections, texts: tuple[dict[int, str], dict[int, str]] = ({}, {})) -> Iterator[str]:
    """A result file in parts: six decimals, one detection per line, as in Darknet (spec b.4).

    `texts` are the ids of images and categories that are texts.
    """
    count = len(detections.scores)
    yield "[\n"
    for begin in range(0, count, CHUNK):
        rows = zip(*(column[begin : begin + CHUNK].tolist() for column in detections), strict=True)
        text = ",\n".join(
            f'{{"image_id":{as_json(image, texts[0])}, "category_id":{as_json(category, texts[1])}, '
            f'"bbox":[{box[0]:f}, {box[1]:f}, {box[2]:f}, {box[3]:f}], "score":{score:f}}}'
            for image, category, box, score in rows
        )
        yield text + (",\n" if begin + CHUNK < count else "\n")
    yield "]\n"
