"""COCO's annotation files: strictly typed, as plain arrays, with a list of all contradictions.

A broken structure (JSON, types, missing keys) is an error at once. Contradictions (repeated ids, boxes of unknown
images, NaN) are a list of faults: a check reports them all, an evaluation raises the first.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta, Struct

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


Id = Annotated[int, Meta(ge=0, le=LARGEST_ID)]
Side = Annotated[int, Meta(ge=1, le=1_000_000)]


class Picture(Struct, frozen=True, order=True):
    """One image of the annotation file; sizes in pixels."""

    id: Id
    file_name: str
    width: Side
    height: Side


class _Category(Struct):
    id: Id
    name: str
    supercategory: Any = None


class _Object(Struct):
    id: Id
    image_id: Id
    category_id: Id
    bbox: tuple[float, float, float, float]
    area: float
    iscrowd: Literal[0, 1] | bool = 0


class _File(Struct):
    images: list[Picture]
    categories: list[_Category]
    annotations: list[_Object] | None = None


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
    faults: tuple[DatasetError, ...]
    """The contradictions."""


def read(path: Path) -> Annotations:
    """Read an annotation file. Raises `DatasetError`."""
    file = _parsed(path)
    if not file.images:
        raise _broken("coco.no-image-listed", "no images listed", path.name, "at least one", "none")
    for index, image in enumerate(file.images):
        if not _is_name(image.file_name):
            expected = "a file name inside the image folder"
            raise _unusable(f"{path.name}, images[{index}].file_name", expected, image.file_name)
    for index, category in enumerate(file.categories):
        if not _is_text(category.name):
            raise _unusable(f"{path.name}, categories[{index}].name", "a name", category.name)
    categories = {category.id: category.name for category in sorted(file.categories, key=lambda each: each.id)}
    faults = [
        *_repeated(path.name, "image id", [image.id for image in file.images]),
        *_repeated(path.name, "category id", [category.id for category in file.categories]),
    ]
    truth = None
    if file.annotations is not None:
        truth, more = _truth(path.name, file.annotations, file.images, categories)
        faults += more
        for parent in _parents(file.categories) - set(truth.category_ids.tolist()):
            del categories[parent]
    elif not path.name.startswith("image_info"):
        where = f"{path.name}, annotations"
        raise _broken("coco.missing-field", "missing field", where, "a list of objects", "images, categories")
    return Annotations(path, tuple(sorted(file.images)), categories, truth, tuple(faults))


def _parents(categories: Sequence[_Category]) -> set[int]:
    """The ids of categories that are the supercategory of another one; without an object they are no classes."""
    above = [(each.supercategory, each.name) for each in categories]
    parents = {parent for parent, name in above if isinstance(parent, str) and parent != name}
    return {each.id for each in categories if each.name in parents}


def _parsed(path: Path) -> _File:
    try:
        data = json.loads(read_file(path, LARGEST_FILE), object_pairs_hook=_unique_keys)
    except OSError as error:
        found = error.strerror or str(error)
        raise _broken("coco.unreadable", "cannot be read", str(path), "an annotation file", found) from error
    except (ValueError, RecursionError) as error:
        # bad JSON, bad UTF-8, integers of thousands of digits
        found = "brackets nested too deeply" if isinstance(error, RecursionError) else brief(str(error), 120)
        raise _broken("coco.not-annotations", "not a COCO annotation file", path.name, "JSON", found) from error
    try:
        return msgspec.convert(data, _File)
    except msgspec.ValidationError as error:
        # "Expected `int`, got `str` - at `$.images[0].id`"
        text, _, place = str(error).replace("`", "").partition(" - at $.")
        value = data
        for key in re.findall(r"\w+", place):
            value = value[int(key) if isinstance(value, list) else key]
        if missing := text.partition("missing required field ")[2]:
            where = f"{path.name}, {f'{place}.{missing}'.lstrip('.')}"
            found = ", ".join(map(brief, list(value)[:8])) or "nothing"
            raise _broken("coco.missing-field", "missing field", where, missing, found) from error
        expected = text.removeprefix("Expected ").partition(", got")[0]
        if not place:
            found = type(data).__name__
            raise _broken("coco.not-annotations", "not a COCO annotation file", path.name, expected, found) from error
        raise _unusable(f"{path.name}, {place}", expected, value) from error


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. Raises `ValueError` for a repeated key, whose value would depend on the reader."""
    record = dict(pairs)
    if len(record) != len(pairs):
        repeated = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f'repeated key "{brief(repeated)}" in one object')
    return record


def _truth(
    where: str, objects: list[_Object], images: list[Picture], categories: dict[int, str]
) -> tuple[GroundTruth, list[DatasetError]]:
    ids = [each.id for each in objects]
    unique_ids = np.unique(np.array([image.id for image in images], np.int64))
    truth = GroundTruth(
        image_ids=unique_ids,
        categories=categories,
        images=np.array([each.image_id for each in objects], np.int64),
        category_ids=np.array([each.category_id for each in objects], np.int64),
        boxes=np.array([each.bbox for each in objects], np.float64).reshape(-1, 4),
        areas=np.array([each.area for each in objects], np.float64),
        crowd=np.array([each.iscrowd for each in objects], bool),
    )
    faults = _repeated(where, "annotation id", ids)
    no_image, no_category = ~np.isin(truth.images, unique_ids), ~np.isin(truth.category_ids, list(categories))
    with np.errstate(invalid="ignore"):
        no_box = ~((np.abs(truth.boxes) <= LARGEST_LENGTH).all(1) & (truth.boxes[:, 2:] >= 0).all(1))
        no_area = ~((truth.areas >= 0) & (truth.areas <= LARGEST_LENGTH**2))
    image, category, sides = "a listed image", "a listed category", "finite numbers, width and height not negative"
    wrong = (
        ("coco.unknown-image", "annotation of an unknown image", no_image, image, truth.images),
        ("coco.unknown-category", "annotation of an unknown category", no_category, category, truth.category_ids),
        ("coco.unusable-box", "invalid box", no_box, sides, truth.boxes),
        ("coco.unusable-area", "invalid area", no_area, "a finite number of pixels", truth.areas),
    )
    for code, kind, bad, expected, values in wrong:
        faults += [
            _broken(code, kind, f"{where}, annotation {ids[index]}", expected, brief(str(values[index].tolist())))
            for index in np.flatnonzero(bad).tolist()
        ]
    return truth, faults


def _repeated(where: str, kind: str, ids: list[int]) -> list[DatasetError]:
    if len(set(ids)) == len(ids):
        return []
    values, counts = np.unique(np.array(ids, np.int64), return_counts=True)
    return [
        _broken("coco.repeated-id", f"{kind} used twice", f"{where}, {kind} {value}", "a unique id", f"{count} times")
        for value, count in zip(values[counts > 1].tolist(), counts[counts > 1].tolist(), strict=True)
    ]


def _is_text(value: str) -> bool:
    """Whether text can be written: JSON allows surrogates, files do not."""
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def _is_name(value: str) -> bool:
    """Whether text is a relative path that stays inside its folder."""
    if not _is_text(value) or not value or "\0" in value or "\\" in value:
        return False
    path = PurePosixPath(value)
    return not path.is_absolute() and ".." not in path.parts and path.name not in ("", ".")


def _unusable(where: str, expected: str, value: Any) -> DatasetError:
    try:
        found = brief(json.dumps(value))
    except (ValueError, RecursionError):  # thousands of digits, or of brackets
        found = type(value).__name__
    return _broken("coco.unusable-field", "invalid value", where, expected, found)


def _broken(code: str, what: str, where: str, expected: str, found: str) -> DatasetError:
    remedy = "Use COCO's annotation file, or one in its format"
    return DatasetError(code, what, where=where, expected=expected, found=found, remedy=remedy)
