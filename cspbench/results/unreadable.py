"""What is wrong with a file of results, in words, from whatever its reader stumbled over."""

from __future__ import annotations

import json
import re

_PYTHONS = re.compile(r"object|invalid literal|could not convert|unhashable|argument|unpack|concatenate|indices")
"""What Python itself says of values of other types, which means nothing to who sees the file."""


def words(error: Exception) -> str:
    """The error as a reader of the file would say it."""
    if isinstance(error, json.JSONDecodeError):
        return f"no JSON in line {error.lineno}, column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return "bytes that are no UTF-8"
    if isinstance(error, RecursionError):
        return "nested too deep"
    if isinstance(error, KeyError):
        return f"no {error.args[0]!r} in it" if error.args else "an entry is missing"
    if isinstance(error, LookupError):
        return "an entry is missing"
    if isinstance(error, ArithmeticError):
        return "a number that is none, or too large"
    text = str(error)
    return "a value of another type" if not text or _PYTHONS.search(text) else text
