"""COCO's annotation files: strictly typed, as plain arrays, with a list of all contradictions.

A broken structure (JSON, types, missing keys) is an error at once. Contradictions (repeated ids, boxes of unknown
images, NaN) are a list of faults: a check reports them all, an evaluation raises the first.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from cspbench.errors import DatasetError, brief
from cspbench.io import read_file

Array = np.ndarray[Any, Any]

LARGEST_FILE = 1 << 30
"""Bytes; the annotations of COCO's training images have about half as many."""
LARGEST_ID = 2**53
"""Above it floats skip integers, and JSON readers in other languages read another number."""
LARGEST_LENGTH = 1e9
"""Pixels; the product of two lengths is still far from overflow."""
CATEGORIES = (
    *"person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant".split(","),
    *",stop sign,parking meter,bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe".split(","),
    *",backpack,umbrella,,,handbag,tie,suitcase,frisbee,skis,snowboard,sports ball,kite,baseball bat".split(","),
    *"baseball glove,skateboard,surfboard,tennis racket,bottle,,wine glass,cup,fork,knife,spoon".split(","),
    *"bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch".split(","),
    *"potted plant,bed,,dining table,,,toilet,,tv,laptop,mouse,remote,keyboard,cell phone".split(","),
    *"microwave,oven,toaster,sink,refrigerator,,book,clock,vase,scissors,teddy bear,hair drier,toothbrush".split(","),
)
"""The names of COCO's categories 1 to 90; the ten unused ids are empty (COCO 2014 and 2017, instances)."""
COCO_CATEGORIES = {number: name for number, name in enumerate(CATEGORIES, 1) if name}
"""The 80 categories by id."""


class Picture(NamedTuple):
    """One image of the annotation file; sizes in pixels."""

    id: int
    file_name: str
    width: int
    height: int


class Fault(NamedTuple):
    """A contradiction in an annotation file."""

    code: str
    kind: str
    where: str
    expected: str
    found: str

    def error(self, path: Path) -> DatasetError:
        """The fault as an error, for an evaluation."""
        return DatasetError(
            self.code,
            self.kind,
            where=f"{path.name}, {self.where}",
            expected=self.expected,
            found=self.found,
            remedy="Correct the annotations, or restore the published file",
        )


@dataclass(frozen=True)
class GroundTruth:
    """The annotated objects of some images: I images, K categories, N objects in the order of the file.

    `categories` maps id to name. `image_ids` (I,) is sorted; `images` (N,) and `category_ids` (N,) are ids, `boxes`
    (N, 4) left, top, width, height in pixels, `areas` (N,) the areas of the segments in pixels, which decide whether an
    object is small, `crowd` (N,) whether the object is a group that any number of detections may match.
    """

    image_ids: Array
    categories: dict[int, str]
    images: Array
    category_ids: Array
    boxes: Array
    areas: Array
    crowd: Array

    def __len__(self) -> int:
        return len(self.images)

    def only(self, image_ids: Sequence[int] | Array) -> GroundTruth:
        """The objects of some of the images."""
        selected = np.intersect1d(self.image_ids, np.asarray(image_ids, np.int64))
        inside = np.isin(self.images, selected)
        columns = {name: getattr(self, name)[inside] for name in ("images", "category_ids", "boxes", "areas", "crowd")}
        return replace(self, image_ids=selected, **columns)


@dataclass(frozen=True)
class Annotations:
    """An annotation file: images sorted by id; `truth` is None if the file only lists images (test sets)."""

    path: Path
    images: tuple[Picture, ...]
    categories: dict[int, str]
    truth: GroundTruth | None
    faults: tuple[Fault, ...]


def read(path: Path) -> Annotations:
    """Read an annotation file. Raises `DatasetError`."""
    data = _parsed(path)
    where = path.name
    records = _records(data, "images", where)
    if not records:
        raise _broken("coco.no-image-listed", "no images listed", where, "at least one", "none")
    ids = _column(records, "id", "images", where, _is_id, f"an integer from 0 to {LARGEST_ID}")
    names = _column(records, "file_name", "images", where, _is_name, "a file name inside the image folder")
    sides = [
        _column(records, side, "images", where, _is_side, "a whole number of pixels") for side in ("width", "height")
    ]
    images = [Picture(*values) for values in zip(ids, names, *sides, strict=True)]
    category_records = _records(data, "categories", where)
    category_ids = _column(category_records, "id", "categories", where, _is_id, "an integer id")
    labels = _column(category_records, "name", "categories", where, _is_text, "a name")
    categories = dict(sorted(zip(category_ids, labels, strict=True)))
    faults = [*_repeated("image id", ids), *_repeated("category id", category_ids)]
    if "annotations" not in data and path.name.startswith("image_info"):
        truth = None
    else:
        truth, more = _truth(_records(data, "annotations", where), images, categories, where)
        faults += more
        for parent in _parents(category_records) - set(truth.category_ids.tolist()):
            del categories[parent]
    return Annotations(path, tuple(sorted(images)), categories, truth, tuple(faults))


def _parents(records: list[dict[str, Any]]) -> set[int]:
    """The ids of categories that are the supercategory of another one; without an object they are no classes."""
    above = [(record.get("supercategory"), record["name"]) for record in records]
    parents = {parent for parent, name in above if isinstance(parent, str) and parent != name}
    return {record["id"] for record in records if record["name"] in parents}


def _parsed(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(read_file(path, LARGEST_FILE), object_pairs_hook=_object)
    except OSError as error:
        raise _broken(
            "coco.unreadable", "cannot be read", str(path), "an annotation file", error.strerror or str(error)
        ) from error
    except RecursionError as error:
        raise _broken(
            "coco.not-annotations", "not a COCO annotation file", path.name, "JSON", "brackets nested too deeply"
        ) from error
    except ValueError as error:
        # bad JSON, bad UTF-8, integers of thousands of digits
        raise _broken(
            "coco.not-annotations", "not a COCO annotation file", path.name, "JSON", brief(str(error), 120)
        ) from error
    if not isinstance(data, dict):
        raise _broken(
            "coco.not-annotations",
            "not a COCO annotation file",
            path.name,
            "an object with images and categories",
            _kind(data),
        )
    return data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. Raises `ValueError` for a repeated key, whose value would depend on the reader."""
    record = dict(pairs)
    if len(record) != len(pairs):
        repeated = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f'repeated key "{brief(repeated)}" in one object')
    return record


def _truth(
    records: list[dict[str, Any]], images: list[Picture], categories: dict[int, str], where: str
) -> tuple[GroundTruth, list[Fault]]:
    ids = _column(records, "id", "annotations", where, _is_id, "an integer id")
    image_ids = _column(records, "image_id", "annotations", where, _is_id, "an integer id")
    category_ids = _column(records, "category_id", "annotations", where, _is_id, "an integer id")
    boxes = _column(records, "bbox", "annotations", where, _is_box, "four numbers: left, top, width, height")
    areas = _column(records, "area", "annotations", where, _is_number, "a number of pixels")
    crowd = _column(records, "iscrowd", "annotations", where, lambda value: value in (0, 1), "0 or 1", default=0)
    unique_ids = np.unique(np.array([image.id for image in images], np.int64))
    truth = GroundTruth(
        image_ids=unique_ids,
        categories=categories,
        images=np.array(image_ids, np.int64),
        category_ids=np.array(category_ids, np.int64),
        boxes=_floats(list(chain.from_iterable(boxes))).reshape(-1, 4),
        areas=_floats(areas),
        crowd=np.array(crowd, bool),
    )
    faults = _repeated("annotation id", ids)
    with np.errstate(invalid="ignore"):
        wrong = (
            (
                "coco.unknown-image",
                "annotation of an unknown image",
                ~np.isin(truth.images, unique_ids),
                "an id of the listed images",
                image_ids,
            ),
            (
                "coco.unknown-category",
                "annotation of an unknown category",
                ~np.isin(truth.category_ids, list(categories)),
                "an id of the listed categories",
                category_ids,
            ),
            (
                "coco.unusable-box",
                "invalid box",
                ~((np.abs(truth.boxes) <= LARGEST_LENGTH).all(1) & (truth.boxes[:, 2:] >= 0).all(1)),
                "finite numbers, width and height not negative",
                boxes,
            ),
            (
                "coco.unusable-area",
                "invalid area",
                ~((truth.areas >= 0) & (truth.areas <= LARGEST_LENGTH**2)),
                "a finite number of pixels",
                areas,
            ),
        )
    for code, kind, bad, expected, values in wrong:
        faults += [
            Fault(code, kind, f"annotation {ids[index]}", expected, brief(str(values[index])))
            for index in np.flatnonzero(bad).tolist()
        ]
    return truth, faults


def _floats(values: list[Any]) -> Array:
    try:
        return np.array(values, np.float64)
    except OverflowError:  # an integer beyond the largest float
        return np.array([float("inf") if abs(value) > LARGEST_LENGTH**2 else value for value in values], np.float64)


def _repeated(kind: str, ids: list[int]) -> list[Fault]:
    if len(set(ids)) == len(ids):
        return []
    values, counts = np.unique(np.array(ids, np.int64), return_counts=True)
    return [
        Fault("coco.repeated-id", f"{kind} used twice", f"{kind} {value}", "a unique id", f"{count} times")
        for value, count in zip(values[counts > 1].tolist(), counts[counts > 1].tolist(), strict=True)
    ]


def _records(data: dict[str, Any], key: str, where: str) -> list[dict[str, Any]]:
    if key not in data:
        raise _broken(
            "coco.missing-list",
            f'no list "{key}"',
            where,
            "lists of images, categories and annotations",
            ", ".join(map(brief, list(data)[:8])) or "nothing",
        )
    records = data[key]
    if not isinstance(records, list):
        raise _broken("coco.not-a-list", "not a list", f"{where}, {key}", "a list of objects", _kind(records))
    if set(map(type, records)) - {dict}:
        index = next(index for index, record in enumerate(records) if not isinstance(record, dict))
        raise _broken(
            "coco.not-an-object",
            "not an object",
            f"{where}, {key}[{index}]",
            "an object",
            _kind(records[index]),
        )
    return records


def _column(
    records: list[dict[str, Any]],
    key: str,
    group: str,
    where: str,
    valid: Callable[[Any], bool],
    expected: str,
    default: Any = None,
) -> list[Any]:
    """The checked value of one field of every record."""
    values = [record.get(key, default) for record in records]
    for index in _invalid(values, valid):
        field = f"{where}, {group}[{index}].{key}"
        if key not in records[index]:
            fields = ", ".join(map(brief, list(records[index])[:8]))
            raise _broken("coco.missing-field", "missing field", field, expected, fields)
        raise _broken("coco.unusable-field", "invalid value", field, expected, brief(_as_text(values[index])))
    return values


def _invalid(values: list[Any], valid: Callable[[Any], bool]) -> Iterator[int]:
    return (index for index, value in enumerate(values) if not valid(value))


def _is_id(value: Any) -> bool:
    return type(value) is int and 0 <= value <= LARGEST_ID


def _is_side(value: Any) -> bool:
    return type(value) is int and 0 < value <= 1_000_000


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _is_text(value: Any) -> bool:
    """Whether a value is text that can be written: JSON allows surrogates, files do not."""
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)


def _is_box(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 4 and all(type(number) in (int, float) for number in value)


def _is_name(value: Any) -> bool:
    """A relative path that stays inside its folder."""
    if not _is_text(value) or not value or "\0" in value or "\\" in value:
        return False
    path = PurePosixPath(value)
    return not path.is_absolute() and ".." not in path.parts and path.name not in ("", ".")


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", int: "a number", float: "a number", bool: "a truth value"}
    return names.get(type(value), "null")


def _as_text(value: Any) -> str:
    try:
        return json.dumps(value)
    except (ValueError, RecursionError):  # thousands of digits, or of brackets
        return _kind(value)


def _broken(code: str, what: str, where: str, expected: str, found: str) -> DatasetError:
    remedy = "Use COCO's annotation file, or one in its format"
    return DatasetError(code, what, where=where, expected=expected, found=found, remedy=remedy)
