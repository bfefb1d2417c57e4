"""The published tables, read from their CSV files.

The CSV files hold the documents' cells character for character; `tables.toml` beside them describes the columns and the
tables, and `models.toml` the models that the rows name. Whatever keeps rows from being measured because it was not
declared is an error here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

from cspbench.claims import models
from cspbench.claims.model import Column, Figure, Table, unknown
from cspbench.claims.models import Entry
from cspbench.claims.rows import Sizes, read, size_of
from cspbench.claims.toml import sections
from cspbench.errors import TableError, brief
from cspbench.io import read_file

LARGEST_FILE = 1 << 22
"""Bytes; the published tables have a few thousand each."""
LARGEST_DESCRIPTION = 1 << 16
"""Characters of tables.toml."""
DESCRIPTION = "tables.toml"
ROLES = frozenset(get_args(get_type_hints(Column)["role"]))
DATASETS = get_args(get_type_hints(Table)["dataset"])
KINDS = get_args(get_type_hints(Table)["kind"])
FIGURES = (None, *get_args(Figure))

Files = Path | Mapping[str, bytes | str]
"""A folder, or the contents of its files by name."""


def names(source: Files | None = None, kind: str = "published") -> tuple[str, ...]:
    """The tables' names in their order in tables.toml; or those of the sample."""
    described = _descriptions(source)["tables"]
    return tuple(name for name, each in described.items() if each.get("kind", "published") == kind)


def load_all(source: Files | None = None, kind: str = "published", *, claims_only: bool = False) -> tuple[Table, ...]:
    """Every published table, or the sample's; see `load`."""
    return tuple(load(name, source, claims_only=claims_only) for name in names(source, kind))


def load(name: str, source: Files | None = None, *, claims_only: bool = False) -> Table:
    """The table of that name; `source` holds tables.toml, models.toml and the CSV files.

    With `claims_only` the rows need not say what they are of, as in tables of earlier versions, and have no models.
    Raises `TableError` for anything malformed or not declared, `UsageError` for a name that there is not.
    """
    descriptions = _descriptions(source)
    if name not in descriptions["tables"]:
        raise unknown("usage.unknown-table", "no such table", name, list(descriptions["tables"]))
    known = None if claims_only else _text(source, models.FILE)
    return _table(name, _text(source, DESCRIPTION), _text(source, f"{name}.csv"), known)


def entries(source: Files | None = None) -> Mapping[str, Entry]:
    """What models.toml says of every model, by name."""
    return models.parse(_text(source, models.FILE))


def where_published() -> Path:
    """Where the tables are: inside an installed package, else beside the package in a checkout."""
    installed = Path(__file__).parents[1] / "published"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "tables"


def _text(source: Files | None, name: str) -> str:
    """The text of a file; raises `TableError` where it cannot be read."""
    source = where_published() if source is None else source
    try:
        data = _bytes(source, name)
        # spreadsheets put a byte order mark in front
        return data.removeprefix("\ufeff") if isinstance(data, str) else data.decode("utf-8-sig")
    except OSError as error:
        remedy = "Install cspbench again, or restore the file."
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


def _descriptions(source: Files | None) -> dict[str, dict[str, dict[str, Any]]]:
    return sections(_text(source, DESCRIPTION), DESCRIPTION, ("columns", "tables"), LARGEST_DESCRIPTION)


@lru_cache(maxsize=64)
def _table(name: str, description: str, text: str, known: str | None) -> Table:
    """The table out of the texts of its files; without the `known` models its claims alone."""
    every = _descriptions({DESCRIPTION: description})
    table, sizes = _described(name, every["tables"][name], every["columns"], claims_only=known is None)
    rows = read(f"{name}.csv", text, table, sizes, None if known is None else models.parse(known))
    return replace(table, rows=rows)


def _described(
    name: str, given: Mapping[str, Any], columns: Mapping[str, Any], *, claims_only: bool
) -> tuple[Table, Sizes]:
    description = dict(given)
    try:
        listed = tuple(Column(**{"header": key, **columns[key]}) for key in description.pop("columns"))
        size = size_of(description.pop("size", ""), "size", "x")
        counting_size = size_of(description.pop("counting_size", ""), "counting_size", "x")
        section, presets = tuple(description.pop("section")), tuple(description.pop("presets", ()))
        settings = description.pop("show_settings", True)
        table = Table(
            name=name,
            columns=listed,
            rows=(),
            section=section,
            presets=presets,
            show_settings=settings,
            **description,
        )
        texts = [*section, *presets, *description.values()]
        texts += [value for column in listed for value in vars(column).values()]
        if not all(text is None or isinstance(text, str) for text in texts) or type(settings) is not bool:
            raise TypeError("a value of the wrong kind")
        _check(table, size, claims_only=claims_only)
    except (KeyError, TypeError, ValueError) as error:
        where = f"{DESCRIPTION}, table {name}"
        remedy = "Add or correct that entry."
        raise TableError(
            "tables.incomplete", "incomplete description", where=where, found=brief(str(error), 120), remedy=remedy
        ) from error
    return table, (size, counting_size)


def _check(table: Table, size: tuple[int, int] | None, *, claims_only: bool) -> None:
    """That a table says all that its rows need to be measured; raises `ValueError`."""
    roles = [column.role for column in table.columns]
    for value, known in ((table.dataset, DATASETS), (table.kind, KINDS), (table.figure, FIGURES)):
        if value not in known:
            raise ValueError(f"{value!r}, which is none of {', '.join(map(str, known))}")
    if not {*roles} <= ROLES:
        raise ValueError("a role that no column has")
    if not table.split:
        raise ValueError("an empty split")
    if claims_only:
        return
    if table.dataset == "imagenet" and not table.presets:
        raise ValueError("no presets, under which its accuracies were measured")
    if table.dataset == "coco" and size is None and not {"size", "side"} & {*roles}:
        raise ValueError("no size: neither a column nor the table says it")
    if table.sweep is not None and table.sweep not in [each.header for each in table.columns if each.role == "setting"]:
        raise ValueError(f"sweep {table.sweep!r}, which is not one of its settings")
