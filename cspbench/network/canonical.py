"""The canonical form of a network: what its digest is of, whatever its classes are called and its numbers look like.

The form is JSON with sorted keys and no spaces, so that different values never have one text:

    network     {"input": [...], "layers": [...], and what else differs from its default}
    a layer, or a dataclass within one
                [kind, {field: value}], `kind` being what its class declares
    a tuple     {"tuple": [values]}
    a number    as an integer if it is whole, else {"float": float.hex()}: 1, 1.0 and True are equal, and one number
    an enum     its value; {"enum": value} where its members are not equal to their values, as those of StrEnum are
    text, None  themselves

A field at its default is left out, so that a field can be added to a layer without changing a network that does not
use it; so is a field marked with `NOT_DIGESTED`. The price: a default must never get another value, which would let
old digests stand for new networks. Whoever needs one gives the layer another `kind`, or raises `VERSION`;
tests/network/digests.json keeps the defaults, and the digests of the whole catalogue.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from functools import cache
from types import MappingProxyType
from typing import Any

VERSION = "v2"
"""What a digest begins with. v1 was of the classes' `repr`; cspbench.results.migrate knows it."""

NOT_DIGESTED: Mapping[str, Any] = MappingProxyType({"cspbench.digested": False})
"""Metadata of a field that changes no output at inference: names, places, and what only training reads."""


def text(settings: Mapping[str, Any]) -> str:
    """The canonical form of settings, values by name. Raises `TypeError` for a value that has none."""
    return json.dumps({name: _form(value) for name, value in settings.items()}, sort_keys=True, separators=(",", ":"))


def settings(instance: Any) -> dict[str, Any]:
    """The fields of a dataclass that are digested and differ from their defaults."""
    class_: type = type(instance)
    return {
        name: value
        for name, default in _digested(class_)
        if (value := getattr(instance, name)) is not default and not _equal(value, default)
    }


def digested(class_: type) -> tuple[Field[Any], ...]:
    """The fields of a dataclass that its digest is of."""
    return tuple(item for item in fields(class_) if item.metadata.get("cspbench.digested", True))


@cache
def _digested(class_: type) -> tuple[tuple[str, Any], ...]:
    """Names and defaults; MISSING where there is none."""
    return tuple(
        (item.name, item.default_factory() if item.default_factory is not MISSING else item.default)
        for item in digested(class_)
    )


def _equal(value: Any, default: Any) -> bool:
    return default is not MISSING and bool(value == default)


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
    kind = getattr(value, "kind", None)
    if is_dataclass(value) and isinstance(kind, str):
        return [kind, {name: _form(item) for name, item in settings(value).items()}]
    raise TypeError(f"a {type(value).__name__} has no canonical form: {value!r:.80}")
