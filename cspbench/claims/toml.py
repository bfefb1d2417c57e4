"""TOML files of tables, read with limits: a file that lies must not cost minutes."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from typing import Any

from cspbench.errors import TableError, brief

LONGEST_LINE = 1000
"""Characters: names within names (a.b.c) take tomllib their number's square."""


@lru_cache(maxsize=8)
def sections(text: str, file: str, groups: tuple[str, ...], largest: int) -> dict[str, dict[str, dict[str, Any]]]:
    """The sections [group.name] of a TOML file by group and name; a group that is not there is empty.

    Raises `TableError` for a file above `largest` characters, for one that is not TOML, and for other content in a
    group.
    """
    try:
        if len(text) > largest or len(max(text.split("\n"), key=len)) > LONGEST_LINE:
            raise ValueError(f"more than {largest} characters, or than {LONGEST_LINE} on a line")
        found: dict[str, Any] = {**{group: {} for group in groups}, **tomllib.loads(text)}
    except (ValueError, RecursionError) as error:
        raise TableError(
            "tables.not-toml", "not TOML", where=file, found=brief(str(error), 120), remedy="Correct that line."
        ) from error
    for group in groups:
        if not isinstance(found[group], dict) or not all(isinstance(each, dict) for each in found[group].values()):
            raise TableError(
                "tables.not-sections",
                f"[{group}] is not a group of sections",
                where=file,
                remedy="Restore the published file.",
            )
    return found
