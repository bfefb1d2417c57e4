"""Reads the TOML files of the tables, with limits: a hostile file must not take minutes."""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from typing import Any

from cspbench.errors import TableError, brief

LONGEST_LINE = 1000
"""Characters; tomllib takes quadratic time for dotted names (a.b.c)."""


def place(text: str, file: str, group: str, name: str) -> str:
    """Where the section [group.name] begins: "models.toml, line 12, model net"."""
    head = re.compile(rf"""\s*\[\s*{group}\s*\.\s*(["']?){re.escape(name)}\1\s*\]""")
    lines = (number for number, line in enumerate(text.split("\n"), 1) if head.match(line))
    line = next(lines, None)
    return f"{file}, {f'line {line}, ' if line else ''}{group.removesuffix('s')} {brief(name, 80)}"


@lru_cache(maxsize=8)
def read_sections(text: str, file: str, groups: tuple[str, ...], largest: int) -> dict[str, dict[str, dict[str, Any]]]:
    """The sections [group.name] of a TOML file by group and name; absent groups are empty.

    Raises `TableError` for a file of more than `largest` characters, for invalid TOML, and for other contents of a
    group.
    """
    try:
        if len(text) > largest or len(max(text.split("\n"), key=len)) > LONGEST_LINE:
            raise ValueError(f"more than {largest} characters, or more than {LONGEST_LINE} on a line")
        content: dict[str, Any] = {**{group: {} for group in groups}, **tomllib.loads(text)}
    except (ValueError, RecursionError) as error:
        found, remedy = brief(str(error), 120), "Correct that line."
        raise TableError("tables.not-toml", "not TOML", where=file, found=found, remedy=remedy) from error
    for group in groups:
        sections = content[group].values() if isinstance(content[group], dict) else [None]
        if not all(isinstance(section, dict) for section in sections):
            what, remedy = f"[{group}] is not a group of sections", f"Write each as a section, [{group}.NAME]."
            raise TableError("tables.not-sections", what, where=file, remedy=remedy)
    return content
