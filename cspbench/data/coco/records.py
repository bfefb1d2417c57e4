"""The JSON of COCO's annotation files, with the type of every value; nothing more is checked here."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from cspbench.data.coco.ids import Id
from cspbench.errors import DatasetError, brief
from cspbench.io import read_file

LARGEST_FILE = 1 << 30
"""Bytes; the annotations of COCO's training images have about half as many."""

Side = Annotated[int, Meta(ge=0, le=1_000_000)] | Annotated[float, Meta(ge=0, le=1_000_000)] | None
Flag = bool | Annotated[int, Meta(ge=0, le=1)] | Annotated[float, Meta(ge=0, le=1)] | None


class Record(Struct):
    """What has an id."""

    id: Id


class Image(Record):
    """Scoring needs the id alone."""

    file_name: str | None = None
    width: Side = None
    height: Side = None


class Category(Record):
    """A class of objects."""

    name: str
    supercategory: Any = None


class Object(Record):
    """An annotation."""

    image_id: Id
    category_id: Id
    bbox: tuple[float, float, float, float]
    area: float | None = None
    iscrowd: Flag = 0


class File(Struct):
    """An annotation file; that of a test set has no annotations."""

    images: list[Image]
    categories: list[Category]
    annotations: list[Object] | None = None


def parsed(path: Path) -> File:
    """Read an annotation file. Raises `DatasetError` for a value of another type."""
    try:
        data = json.loads(read_file(path, LARGEST_FILE), object_pairs_hook=_unique_keys)
    except OSError as error:
        found = error.strerror or str(error)
        raise broken("coco.unreadable", "cannot be read", str(path), "an annotation file", found) from error
    except (ValueError, RecursionError) as error:
        # bad JSON, bad UTF-8, integers of thousands of digits
        found = "brackets nested too deeply" if isinstance(error, RecursionError) else brief(str(error), 120)
        raise broken("coco.not-annotations", "not a COCO annotation file", path.name, "JSON", found) from error
    try:
        return msgspec.convert(data, File)
    except msgspec.ValidationError as error:
        # "Expected `int`, got `str` - at `$.images[0].id`"
        text, _, place = str(error).replace("`", "").partition(" - at $.")
        value = data
        for key in re.findall(r"\w+", place):
            value = value[int(key) if isinstance(value, list) else key]
        if missing := text.partition("missing required field ")[2]:
            where = f"{path.name}, {f'{place}.{missing}'.lstrip('.')}"
            found = ", ".join(map(brief, list(value)[:8])) or "nothing"
            raise broken("coco.missing-field", "missing field", where, missing, found) from error
        expected = text.removeprefix("Expected ").partition(", got")[0]
        if not place:
            found = type(data).__name__
            raise broken("coco.not-annotations", "not a COCO annotation file", path.name, expected, found) from error
        raise unusable(f"{path.name}, {place}", expected, value) from error


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. Raises `ValueError` for a repeated key, whose value would depend on the reader."""
    record = dict(pairs)
    if len(record) != len(pairs):
        repeated = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f'repeated key "{brief(repeated)}" in one object')
    return record


def is_text(value: str) -> bool:
    """Whether text can be written: JSON allows surrogates, files do not."""
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def unusable(where: str, expected: str, value: Any) -> DatasetError:
    """The error for a value that is not as expected."""
    try:
        found = brief(json.dumps(value))
    except (ValueError, RecursionError):  # thousands of digits, or of brackets
        found = type(value).__name__
    return broken("coco.unusable-field", "invalid value", where, expected, found)


def broken(code: str, what: str, where: str, expected: str, found: str) -> DatasetError:
    """An error of an annotation file."""
    remedy = "Use COCO's annotation file, or one in its format"
    return DatasetError(code, what, where=where, expected=expected, found=found, remedy=remedy)
