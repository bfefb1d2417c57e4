"""The settings of a recipe as key=value, each of the type that its default has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from cspbench.errors import UsageError, brief
from cspbench.network.cfg.settings import split, unknown

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Recipe = TypeVar("Recipe", bound="DataclassInstance")


def pairs(recipe: DataclassInstance) -> list[tuple[str, str]]:
    """Keys and values, as `with_settings` reads them."""
    return [(item.name, _text(getattr(recipe, item.name))) for item in fields(recipe)]


def with_settings(recipe: Recipe, settings: Sequence[str], origin: str) -> Recipe:
    """The recipe with settings as key=value. Raises `UsageError`."""
    known = {item.name: item.default for item in fields(recipe)}
    values: dict[str, Any] = {}
    for setting in settings:
        key, text = split(setting, origin)
        if key not in known:
            raise unknown(key, known, origin)
        values[key] = _value(key, "".join(text.split()), known[key])
    return replace(recipe, **values)


def _value(key: str, text: str, default: Any) -> Any:
    """The value of a text, by the type of the default."""
    try:
        match default:
            case bool():
                return {"0": False, "1": True}[text]
            case int():
                return int(text)
            case float():
                return float(text)
            case tuple():
                kind = type(default[0])
                return () if text in ("0", "none") else tuple(kind(part) for part in text.split(","))
    except (ValueError, KeyError):
        wanted = {bool: "0 or 1", int: "a whole number", float: "a number", tuple: "numbers"}[type(default)]
        raise unfit(key, wanted, text) from None
    return text


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(_text(part) for part in value) or "none"
    if isinstance(value, bool):
        return str(int(value))
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def unfit(key: str, expected: str, found: object) -> UsageError:
    return UsageError(
        "usage.setting-value",
        "a setting has no such value",
        where=key,
        expected=expected,
        found=brief(str(found), 80),
        remedy="Correct --set",
    )
