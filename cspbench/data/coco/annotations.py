"""COCO's annotation files: strictly typed, as plain arrays, with a list of all contradictions.

A broken structure (JSON, types, missing keys) is an error at once. Contradictions (repeated ids, boxes of unknown
images, NaN) are a list of faults: a check reports them all, an evaluation raises the first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from cspbench.data.coco import names as file_names
from cspbench.data.coco.ids import Ids, whole
from cspbench.data.coco.records import Category, Object, Record, broken, is_text, parsed, unusable
from cspbench.errors import DatasetError, brief

Array = np.ndarray[Any, Any]

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


class Picture(Struct, frozen=True, order=True):
    """One image of the annotation file: its path inside the image folder, and its size in pixels, 0 if unknown."""

    id: int
    file_name: str
    width: int
    height: int


@dataclass(frozen=True)
class GroundTruth:
    """The annotated objects of some images: I images, K categories, N objects in the order of the file.

    `categories` maps id to name. `image_ids` (I,) is sorted; `images` (N,) and `category_ids` (N,) are ids, `boxes`
    (N, 4) left, top, width, height in pixels, `areas` (N,) the areas of the segments in pixels, which decide whether an
    object is small, `crowd` (N,) whether the object is a group that any number of detections may match. `ids` (N,) are
    the ids of the annotations, None where these are not numbers.
    """

    image_ids: Array
    categories: dict[int, str]
    images: Array
    category_ids: Array
    boxes: Array
    areas: Array
    crowd: Array
    ids: Array | None = None

    def __len__(self) -> int:
        return len(self.images)

    def objects_by_class(self) -> dict[str, int]:
        """How many objects each category has, groups left out, by its name."""
        ids, counts = np.unique(self.category_ids[~self.crowd], return_counts=True)
        by_id = dict(zip(ids.tolist(), counts.tolist(), strict=True))
        return {name: by_id.get(number, 0) for number, name in self.categories.items()}

    def only(self, image_ids: Sequence[int] | Array) -> GroundTruth:
        """The objects of some of the images."""
        selected = np.intersect1d(self.image_ids, np.asarray(image_ids, np.int64))
        inside = np.isin(self.images, selected)
        columns = {name: getattr(self, name)[inside] for name in ("images", "category_ids", "boxes", "areas", "crowd")}
        ids = None if self.ids is None else self.ids[inside]
        return replace(self, image_ids=selected, ids=ids, **columns)


@dataclass(frozen=True)
class Annotations:
    """An annotation file: images sorted by id; `truth` is None if the file only lists images (test sets)."""

    path: Path
    images: tuple[Picture, ...]
    categories: dict[int, str]
    truth: GroundTruth | None
    faults: tuple[DatasetError, ...]
    """The contradictions."""
    ids: tuple[Ids, Ids] | None = None
    """The ids of the images and of the categories; None if they are the numbers that `images` and `categories` have."""
    parents: tuple[int, ...] = ()
    """The ids of categories that are left out: without objects, and above others."""
    folders: tuple[str, ...] = ()
    """Where, below the image folder, images may lie whose paths were absolute."""
    notes: tuple[str, ...] = ()
    """What a reader of the scores should know."""

    @property
    def texts(self) -> tuple[dict[int, str], dict[int, str]]:
        """The ids of images and of categories that are texts in the file, by number."""
        return ({}, {}) if self.ids is None else (self.ids[0].texts, self.ids[1].texts)


def read(path: Path) -> Annotations:
    """Read an annotation file. Raises `DatasetError`."""
    file = parsed(path)
    if not file.images:
        raise broken("coco.no-image-listed", "no images listed", path.name, "at least one", "none")
    for index, image in enumerate(file.images):
        if image.file_name and not file_names.is_name(image.file_name):
            raise unusable(f"{path.name}, images[{index}].file_name", "the name of a file", image.file_name)
    for index, category in enumerate(file.categories):
        if not is_text(category.name):
            raise unusable(f"{path.name}, categories[{index}].name", "a name", category.name)
    ids = _ids(path.name, "images", file.images), _ids(path.name, "categories", file.categories)
    names = file_names.inside([image.file_name or "" for image in file.images])
    pictures = [
        Picture(number, name, *(_whole(path.name, index, key, getattr(image, key)) for key in ("width", "height")))
        for index, (number, name, image) in enumerate(zip(ids[0].numbers, names.paths, file.images, strict=True))
    ]
    categories = dict(sorted(zip(ids[1].numbers, (category.name for category in file.categories), strict=True)))
    faults = [
        *_repeated(path.name, "image id", ids[0].numbers, ids[0].texts),
        *_repeated(path.name, "category id", ids[1].numbers, ids[1].texts),
    ]
    truth, parents, notes = None, set[int](), list[str]()
    if file.annotations is not None:
        truth, more = _truth(path.name, file.annotations, ids, categories)
        faults += more
        parents = _parents(file.categories, ids[1]) - set(truth.category_ids.tolist())
        for parent in parents:
            del categories[parent]
        notes = _notes(file.annotations)
    elif not path.name.startswith("image_info"):
        where = f"{path.name}, annotations"
        raise broken("coco.missing-field", "missing field", where, "a list of objects", "images, categories")
    return Annotations(
        path=path,
        images=tuple(sorted(pictures)),
        categories=categories,
        truth=truth,
        faults=tuple(faults),
        ids=ids,
        parents=tuple(sorted(parents)),
        folders=tuple(names.folders()),
        notes=tuple(notes),
    )


def _ids(where: str, kind: str, records: Sequence[Record]) -> Ids:
    """The ids of images, categories or annotations. Raises `DatasetError`."""
    for index, record in enumerate(records):
        if isinstance(record.id, float) and not record.id.is_integer():
            raise unusable(f"{where}, {kind}[{index}].id", "a whole number or a text", record.id)
        if isinstance(record.id, str) and not is_text(record.id):
            raise unusable(f"{where}, {kind}[{index}].id", "a whole number or a text", record.id)
    return Ids([record.id for record in records])


def _whole(where: str, index: int, key: str, side: float | None) -> int:
    """A side of an image in pixels, 0 if it is unknown. Raises `DatasetError`."""
    try:
        return whole(side or 0)
    except ValueError:
        raise unusable(f"{where}, images[{index}].{key}", "a whole number of pixels", side) from None


def _notes(objects: Sequence[Object]) -> list[str]:
    without = sum(item.area is None for item in objects)
    notes = []
    if without:
        notes.append(f"{without:,} of {len(objects):,} annotations have no area; the boxes' width x height stands in")
    if any(item.id == 0 for item in objects if not isinstance(item.id, str)):
        notes.append(
            "an annotation has the id 0: pycocotools takes a match with it for none (--engine pycocotools gives its "
            "number)"
        )
    return notes


def _parents(categories: Sequence[Category], ids: Ids) -> set[int]:
    """The ids of categories that are the supercategory of another one; without an object they are no classes."""
    above = [(category.supercategory, category.name) for category in categories]
    parents = {parent for parent, name in above if isinstance(parent, str) and parent != name}
    return {number for number, category in zip(ids.numbers, categories, strict=True) if category.name in parents}


def _truth(
    where: str, objects: list[Object], known: tuple[Ids, Ids], categories: dict[int, str]
) -> tuple[GroundTruth, list[DatasetError]]:
    ids, unique_ids = _ids(where, "annotations", objects), np.unique(np.array(known[0].numbers, np.int64))
    for index, item in enumerate(objects):
        if not float(item.iscrowd or 0).is_integer():
            raise unusable(f"{where}, annotations[{index}].iscrowd", "0 or 1", item.iscrowd)
    boxes = np.array([item.bbox for item in objects], np.float64).reshape(-1, 4)
    areas = np.array([np.nan if item.area is None else item.area for item in objects], np.float64)
    missing = np.array([item.area is None for item in objects], np.bool_)
    with np.errstate(invalid="ignore", over="ignore"):
        areas = np.where(missing, boxes[:, 2] * boxes[:, 3], areas)
    truth = GroundTruth(
        image_ids=unique_ids,
        categories=categories,
        images=_numbers(known[0], [item.image_id for item in objects]),
        category_ids=_numbers(known[1], [item.category_id for item in objects]),
        boxes=boxes,
        areas=areas,
        crowd=np.array([bool(item.iscrowd) for item in objects], bool),
        ids=None if ids.texts else np.array(ids.numbers, np.int64),
    )
    faults = _repeated(where, "annotation id", ids.numbers, ids.texts)
    no_image, no_category = truth.images < 0, truth.category_ids < 0
    with np.errstate(invalid="ignore"):
        no_box = ~((np.abs(truth.boxes) <= LARGEST_LENGTH).all(1) & (truth.boxes[:, 2:] >= 0).all(1))
        no_area = ~missing & ~((truth.areas >= 0) & (truth.areas <= LARGEST_LENGTH**2))
    image, category, sides = "a listed image", "a listed category", "finite numbers, width and height not negative"
    wrong = (
        ("coco.unknown-image", "annotation of an unknown image", no_image, image, "image_id"),
        ("coco.unknown-category", "annotation of an unknown category", no_category, category, "category_id"),
        ("coco.unusable-box", "invalid box", no_box, sides, "bbox"),
        ("coco.unusable-area", "invalid area", no_area, "a finite number of pixels", "area"),
    )
    for code, kind, bad, expected, key in wrong:
        faults += [
            broken(
                code,
                kind,
                f"{where}, annotation {brief(str(objects[index].id))}",
                expected,
                _shown(objects[index], key),
            )
            for index in np.flatnonzero(bad).tolist()
        ]
    return truth, faults


def _numbers(ids: Ids, values: Sequence[int | float | str]) -> Array:
    """The number of each id, -1 for an unknown one."""
    known = {value: ids.find(value) for value in set(values)}
    return np.array([-1 if known[value] is None else known[value] for value in values], np.int64)


def _shown(item: Object, key: str) -> str:
    value = getattr(item, key)
    return brief(str(list(value) if isinstance(value, tuple) else value))


def _repeated(where: str, kind: str, ids: list[int], texts: dict[int, str]) -> list[DatasetError]:
    if len(set(ids)) == len(ids):
        return []
    return [
        broken(
            "coco.repeated-id",
            f"{kind} used twice",
            f"{where}, {kind} {brief(texts.get(value, str(value)))}",
            "a unique id",
            f"{count} times",
        )
        for value, count in sorted(Counter(ids).items())
        if count > 1
    ]
