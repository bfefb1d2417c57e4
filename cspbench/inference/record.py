"""run.json: what a run is, and how it was made; read without trusting that it was written here."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

SCHEMA = 1
LARGEST = 1 << 22
"""Bytes of a run.json, at most."""
MOST = 100_000_000
"""Samples of a run, at most."""

Shape = type | Mapping[str, Any] | Callable[[Any], bool]
"""What a value must be: of a type, a mapping with at least these keys, or whatever a function says."""

_WHEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


def now() -> str:
    """The time as a record has it: UTC, to the second, by a clock that may be wrong; only to put runs in order."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse(data: bytes, shard: int) -> dict[str, Any]:
    """A run.json's content for shards of so many samples; ValueError says what is wrong with it."""
    try:
        record = json.loads(data.decode("utf-8"), parse_constant=_no_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    _fit(record, _RUN, "")
    if record["schema"] != SCHEMA or record["shard"] != shard:
        raise ValueError(f"schema {record['schema']}, {record['shard']} samples per shard")
    if not _sessions(record.get("sessions", [])):
        raise ValueError("sessions is no list of objects")
    _printable(record)
    return dict(record)


def check(record: Mapping[str, Any]) -> None:
    """ValueError unless the record of a classifier's or a detector's run has all that scoring asks of it."""
    identity = record["identity"]
    shape = _TASKS.get(str(identity.get("task")))
    if shape is None:
        raise ValueError(f"task {identity.get('task')!r:.60}")
    _fit(record, shape, "")
    data = identity["data"]
    if record["samples"] != data.get("limit", data["images"]):
        raise ValueError(f"{record['samples']} samples of {data['images']} images")
    if identity["task"] == "coco":
        if record["data"]["limit"] not in (None, record["samples"]):
            raise ValueError(f"a limit of {record['data']['limit']} and {record['samples']} samples")
        if identity["quoted"]:
            _check_quoted(identity)


def _check_quoted(identity: Mapping[str, Any]) -> None:
    from cspbench.zoo.catalogue import MODELS

    model = MODELS.get(identity["model"])
    if model is None or model.recipe is None or not isinstance(identity["preset"].get("nms_kind"), str):
        raise ValueError(f"a recipe of {identity['model']!r:.60}, which has none")


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number")


def _fit(value: Any, shape: Any, where: str) -> None:
    """ValueError naming the first key whose value is not as the shape says."""
    if isinstance(shape, Mapping):
        if not isinstance(value, dict):
            raise ValueError(f"{where or 'the file'} is no object")
        for key, wanted in shape.items():
            if key not in value:
                raise ValueError(f"no {f'{where}.{key}'.lstrip('.')}")
            _fit(value[key], wanted, f"{where}.{key}".lstrip("."))
    # a bool is an int in Python, and not in JSON
    elif not (type(value) is shape if isinstance(shape, type) else shape(value)):
        raise ValueError(f"{where} is {value!r:.60}")


def _printable(value: Any) -> None:
    """ValueError for a text that is no Unicode or that no file can be called by."""
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("a zero byte in a text")
        value.encode()
    elif isinstance(value, dict):
        for key, each in value.items():
            _printable(key)
            _printable(each)
    elif isinstance(value, list):
        for each in value:
            _printable(each)


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MOST


def _number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e9 and math.isfinite(value)


def _maybe(kind: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or kind(value)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _sessions(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def _size(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(_count(extent) and extent > 0 for extent in value)


def _split(value: Any) -> bool:
    from cspbench.data.coco import SPLITS

    # a file is called by it
    return value in SPLITS


def _last(value: Any) -> bool:
    """The settings of a last layer, no more and no less: they become a layer again."""
    if not isinstance(value, dict) or set(value) != {"classes", "nms_kind", "beta_nms"}:
        return False
    return _count(value["classes"]) and value["classes"] > 0 and _text(value["nms_kind"]) and _number(value["beta_nms"])


_RUN = {"schema": int, "shard": int, "samples": _count, "identity": dict}
_IDENTITY = {"model": str, "weights": str, "size": _size, "precision": str, "file": bool}
_TASKS: Mapping[str, Any] = {
    "imagenet": {
        "identity": {**_IDENTITY, "data": {"images": _count}, "preset": {"name": str}, "classes": str},
    },
    "coco": {
        "identity": {
            **_IDENTITY,
            "data": {"images": _count, "split": _split, "sha256": str},
            "preset": dict,
            "quoted": bool,
            "last": _last,
        },
        "preset": {"name": str, "conf": _number, "nms_kind": str},
        "data": {"place": str, "split": _maybe(_text), "limit": _maybe(_count)},
    },
}


def when(record: Mapping[str, Any]) -> str:
    """When a run began, as `now` says it; empty where it is not known. To put runs in order, and for nothing else."""
    found = record.get("when")
    return found if isinstance(found, str) and _WHEN.fullmatch(found) else ""
