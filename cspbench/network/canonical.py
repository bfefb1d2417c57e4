"""The canonical form of a network, from which its digest is computed; class names and float formatting do not matter.

The form is JSON with sorted keys and no spaces; different values always have different texts:

    network     {"input": [...], "layers": [...], and other fields that differ from their defaults}
    a layer, or a dataclass within one
                [kind, {field: value}], by the `kind` of the class, or its `section`: unique, never changed
    a tuple     {"tuple": [values]}
    a number    as an integer if it is whole, else {"float": float.hex()}: 1, 1.0 and True are the same number
    an enum     its value; {"enum": value} unless its members equal their values, as a StrEnum's do
    text, None  unchanged

Fields at their defaults are omitted, so that a new field leaves the digests of networks that do not use it unchanged;
so are fields marked `NOT_DIGESTED`. A default must therefore never change, or old digests would stand for new
networks: give the layer another `kind` instead, or raise `VERSION`. tests/network/digests.json pins the defaults and
the digests of the whole catalogue.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, fields, is_dataclass
from enum import Enum
from functools import cache
from types import MappingProxyType
from typing import Any

VERSION = "v2"
"""Prefix of a digest. v1 hashed the `repr` of the classes; cspbench.results.migrate computes it."""

NOT_DIGESTED: Mapping[str, Any] = MappingProxyType({"cspbench.digested": False})
"""Metadata of a field that does not affect inference: names, places, training settings."""


def text(settings: Mapping[str, Any]) -> str:
    """The canonical form of settings (values by name). Raises `TypeError` for an unsupported type."""
    return json.dumps({name: _form(value) for name, value in settings.items()}, sort_keys=True, separators=(",", ":"))


def settings(instance: Any) -> dict[str, Any]:
    """The digested fields of a dataclass that differ from their defaults."""
    class_: type = type(instance)
    return {
        name: value
        for name, default in _digested(class_)
        if (value := getattr(instance, name)) is not default and (default is MISSING or value != default)
    }


def digested(class_: type) -> tuple[Field[Any], ...]:
    """The fields of a dataclass that are part of the digest."""
    return tuple(item for item in fields(class_) if item.metadata.get("cspbench.digested", True))


def kind(layer: Any) -> str | None:
    """The name of a layer's class in the form; None for anything else."""
    return getattr(layer, "kind", getattr(layer, "section", None))


@cache
def _digested(class_: type) -> tuple[tuple[str, Any], ...]:
    """Names and defaults; MISSING for a field without a default."""
    return tuple(
        (item.name, item.default_factory() if item.default_factory is not MISSING else item.default)
        for item in digested(class_)
    )


def without_new_defaults(instance: Any, first: frozenset[str]) -> dict[str, Any]:
    """The fields of a dataclass, without those that are not among the `first` and have their defaults.

    A new field with a default leaves records unchanged that do not use it.
    """
    used = settings(instance)
    return {name: value for name, value in asdict(instance).items() if name in first or name in used}


def _form(value: Any) -> Any:
    if value is None or type(value) is str:
        return value
    if isinstance(value, Enum):
        return _form(value.value) if value == value.value else {"enum": _form(value.value)}
    if isinstance(value, int):  # True is 1
        return int(value)
    if isinstance(value, float):
        return int(value) if value.is_integer() else {"float": value.hex()}
    if isinstance(value, tuple):
        return {"tuple": [_form(item) for item in value]}
    if is_dataclass(value) and (name := kind(value)):
        return [name, {name: _form(item) for name, item in settings(value).items()}]
    raise TypeError(f"a {type(value).__name__} has no canonical form: {value!r:.80}")
