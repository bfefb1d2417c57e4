"""The published tables, read from their CSV files.

The CSV files hold the documents' cells character for character; `tables.toml` beside them describes the tables and
columns, `models.toml` the models of the rows. A missing declaration that would leave rows unmeasured is an error.

A folder of one's own, in `own.VARIABLE`, takes the place of the published tables. Its files may rest on the published
ones: columns and models of these need not be declared again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import msgspec

from cspbench.claims import models, own
from cspbench.claims.metrics import METRICS
from cspbench.claims.model import Table, unknown
from cspbench.claims.models import Entry
from cspbench.claims.rows import Sizes, read, size_of
from cspbench.claims.toml import place, read_sections
from cspbench.errors import TableError, brief
from cspbench.io import read_file

LARGEST_FILE = 1 << 22
"""Bytes; the published tables have a few thousand."""
LARGEST_DESCRIPTION = 1 << 16
"""Characters of tables.toml."""
DESCRIPTION = "tables.toml"
DESCRIBED = {field.name for field in fields(Table)} - {"name", "rows"}

Files = Path | Mapping[str, bytes | str]
"""A folder, or file contents by name."""


def names(source: Files | None = None, kind: Literal["published", "sample"] | None = "published") -> tuple[str, ...]:
    """The names of the tables of a kind (`published`, `sample`, None for both), in the order of tables.toml."""
    descriptions = _descriptions(_source(source, kind))["tables"]
    return tuple(name for name, table in descriptions.items() if kind in (None, table.get("kind", "published")))


def matching(patterns: Iterable[str], known: Sequence[str] | None = None) -> list[str]:
    """The names that patterns (*, ?, [..]) mean, in the order of the tables, and names as they are.

    `known` are the names of all tables, by default those of `names`. Raises `UsageError` for a pattern that fits none.
    """
    known = names(kind=None) if known is None else known
    chosen: dict[str, None] = {}
    for pattern in patterns:
        matches = [name for name in known if fnmatchcase(name, pattern)]
        if not matches and set(pattern) & set("*?["):
            raise unknown("usage.unknown-table", "no such table", pattern, list(known))
        chosen |= dict.fromkeys(matches or [pattern])
    return list(chosen)


def load_all(
    source: Files | None = None, kind: Literal["published", "sample"] | None = "published", *, claims_only: bool = False
) -> tuple[Table, ...]:
    """All tables of a kind, by default the published ones; see `names` and `load`."""
    source = _source(source, kind)
    return tuple(load(name, source, claims_only=claims_only) for name in names(source, kind))


def load(name: str, source: Files | None = None, *, claims_only: bool = False) -> Table:
    """Load a table from `source`, which holds tables.toml, models.toml and the CSV files.

    Without a source it is one's own tables where there are any, else the published ones.

    With `claims_only` rows have no models and need not declare any, as in tables of earlier versions. Raises
    `TableError` for malformed or undeclared contents, `UsageError` for an unknown name.
    """
    source = _source(source)
    descriptions = _descriptions(source)
    if name not in descriptions["tables"]:
        raise unknown("usage.unknown-table", "no such table", name, list(descriptions["tables"]))
    of_models = None if claims_only else model_texts(source)
    return _table(name, text_of(source, DESCRIPTION), text_of(source, f"{name}.csv"), of_models)


def entries() -> Mapping[str, Entry]:
    """The entries of the published models.toml by model name."""
    return models.parse(text_of(where_published(), models.FILE))


def own_entries(source: Files) -> Mapping[str, Entry]:
    """The entries of networks of one's own in a folder; raises `TableError` where one has a published model's name."""
    every = catalogue(model_texts(source))
    return {name: entry for name, entry in every.items() if entry.cfg is not None}


def where_published() -> Path:
    """The folder of the tables: inside an installed package, or beside the package in a checkout."""
    installed = Path(__file__).parents[1] / "published"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "tables"


def _source(source: Files | None, kind: str | None = None) -> Files:
    """Where the tables of a kind are, if no source is given: the sample's are never one's own."""
    if source is not None:
        return source
    return (own.folder() if kind != "sample" else None) or where_published()


def model_texts(source: Files) -> tuple[str, str]:
    """The texts of the published models.toml and of the source's own, "" where that has none."""
    published = text_of(where_published(), models.FILE)
    absent = not (source / models.FILE).exists() if isinstance(source, Path) else models.FILE not in source
    text = "" if absent else text_of(source, models.FILE)
    return published, "" if text == published else text


@lru_cache(maxsize=8)
def catalogue(texts: tuple[str, str]) -> Mapping[str, Entry]:
    """The entries of both texts by model name; the second's go before the first's."""
    published, others = models.parse(texts[0]), models.parse(texts[1])
    for name, entry in others.items():
        if entry.cfg is not None and name in published:
            where = place(texts[1], models.FILE, "models", name)
            what, remedy = "a model of the catalogue has this name", "Give yours another name."
            raise TableError("models.name-taken", what, where=where, found=brief(name, 80), remedy=remedy)
    return {**published, **others}


def text_of(source: Files, name: str) -> str:
    """The text of a file; raises `TableError` if it cannot be read."""
    try:
        data = _bytes(source, name)
        # spreadsheets write a byte order mark
        return data.removeprefix("\ufeff") if isinstance(data, str) else data.decode("utf-8-sig")
    except OSError as error:
        published = isinstance(source, Path) and source == where_published()
        remedy = "Reinstall cspbench, or restore the file." if published else "Add the file, or name another folder."
        where = str(source / name) if isinstance(source, Path) else name
        raise TableError(
            "tables.unreadable", "cannot be read", where=where, found=error.strerror, remedy=remedy
        ) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        found = f"byte 0x{error.object[error.start]:02x}"
        where, remedy = f"{name}, line {line}", "Save the file as UTF-8."
        raise TableError(
            "tables.encoding", "wrong encoding", where=where, expected="UTF-8", found=found, remedy=remedy
        ) from error


def _bytes(source: Files, name: str) -> bytes | str:
    if isinstance(source, Path):
        return read_file(source / name, LARGEST_FILE)
    if name not in source:
        raise TableError("tables.no-file", "no such file", where=brief(name))
    if len(source[name]) > LARGEST_FILE:
        raise TableError("tables.too-large", "too large", where=brief(name), expected=f"at most {LARGEST_FILE} bytes")
    return source[name]


def _descriptions(source: Files) -> dict[str, dict[str, dict[str, Any]]]:
    return sections(text_of(source, DESCRIPTION))


def sections(text: str) -> dict[str, dict[str, dict[str, Any]]]:
    """The groups `columns` and `tables` of the text of tables.toml."""
    return read_sections(text, DESCRIPTION, ("columns", "tables"), LARGEST_DESCRIPTION)


@lru_cache(maxsize=64)
def _table(name: str, description: str, text: str, of_models: tuple[str, str] | None) -> Table:
    """The table from the texts of its files; without the texts `of_models` only its claims."""
    table, sizes = described(name, description, claims_only=of_models is None)
    rows = read(f"{name}.csv", text, table, sizes, None if of_models is None else catalogue(of_models))
    return replace(table, rows=rows)


def described(name: str, text: str, *, claims_only: bool = False) -> tuple[Table, Sizes]:
    """A table without its rows from the text of tables.toml, and the sizes of all rows; raises `TableError`."""
    published, described = _descriptions(where_published()), sections(text)
    description, column_types = dict(described["tables"][name]), {**published["columns"], **described["columns"]}
    try:
        headers = description.pop("columns")
        if undeclared := [header for header in headers if header not in column_types]:
            raise ValueError(f"column {undeclared[0]}, which [columns] does not declare")
        columns = [{"header": header, **column_types[header]} for header in headers]
        size = size_of(description.pop("size", ""), "size", "x")
        counting_size = size_of(description.pop("counting_size", ""), "counting_size", "x")
        if unknown_keys := description.keys() - DESCRIBED:
            raise ValueError(f"unknown {', '.join(sorted(unknown_keys))}")
        if description.get("kind") == "yours":
            raise ValueError("kind yours, which no document has")
        table = msgspec.convert({**description, "name": name, "columns": columns, "rows": ()}, Table)
        if not claims_only:
            _check(table, size)
    except (KeyError, TypeError, ValueError) as error:
        where, remedy = place(text, DESCRIPTION, "tables", name), "Add or correct that entry."
        found = brief(str(error), 120)
        raise TableError(
            "tables.incomplete", "incomplete description", where=where, found=found, remedy=remedy
        ) from error
    return table, (size, counting_size)


def _check(table: Table, size: tuple[int, int] | None) -> None:
    """Raise `ValueError` unless the table declares what measuring its rows needs."""
    measured = any(METRICS[column.metric].family in ("accuracy", "ap") for column in table.columns if column.metric)
    if measured and not table.presets:
        raise ValueError("no presets for its numbers")
    if table.dataset == "coco" and size is None and not {"size", "side"} & {column.role for column in table.columns}:
        raise ValueError("no size, neither of the table nor in a column")
    settings = [column.header for column in table.columns if column.role == "setting"]
    if table.sweep is not None and table.sweep not in settings:
        raise ValueError(f"sweep {table.sweep!r} is not one of its settings")
