"""The published tables, read from their CSV files.

The CSV files hold the documents' cells character for character; `tables.toml` beside them describes the columns and the
tables, and `models.toml` the models that the rows name. Whatever keeps rows from being measured because it was not
declared is an error here.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

from cspbench.claims import models
from cspbench.claims.model import CHECK, Cell, Column, Figure, Row, Table, fault, unknown
from cspbench.claims.models import Entry, PublishedFile, Status
from cspbench.claims.toml import sections
from cspbench.errors import TableError, brief
from cspbench.io import read_file

LARGEST_FILE = 1 << 22
"""Bytes; the published tables have a few thousand each."""
LARGEST_DESCRIPTION = 1 << 16
"""Characters of tables.toml."""
LONGEST_NOTE = 500
"""Characters of a row's note."""
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
        raise unknown("no such table", name, list(descriptions["tables"]))
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
        raise TableError("cannot be read", where=where, found=error.strerror, remedy=remedy) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        found = f"byte 0x{error.object[error.start]:02x}"
        where, remedy = f"{name}, line {line}", "Save the file as UTF-8."
        raise TableError("wrong encoding", where=where, expected="UTF-8", found=found, remedy=remedy) from error


def _bytes(source: Files, name: str) -> bytes | str:
    if isinstance(source, Path):
        return read_file(source / name, LARGEST_FILE)
    if name not in source:
        raise TableError("no such file", where=brief(name))
    if len(source[name]) > LARGEST_FILE:
        raise TableError("too large", where=brief(name), expected=f"at most {LARGEST_FILE} bytes")
    return source[name]


def _descriptions(source: Files | None) -> dict[str, dict[str, dict[str, Any]]]:
    return sections(_text(source, DESCRIPTION), DESCRIPTION, ("columns", "tables"), LARGEST_DESCRIPTION)


@lru_cache(maxsize=64)
def _table(name: str, description: str, text: str, known: str | None) -> Table:
    """The table out of the texts of its files; without the `known` models its claims alone."""
    every = _descriptions({DESCRIPTION: description})
    table, sizes = _described(name, every["tables"][name], every["columns"], claims_only=known is None)
    rows = _rows(f"{name}.csv", text, table, sizes, None if known is None else models.parse(known))
    return replace(table, rows=rows)


Sizes = tuple[tuple[int, int] | None, tuple[int, int] | None]
"""The input size of all rows, where no column prints it, and that at which they were counted."""


def _described(
    name: str, given: Mapping[str, Any], columns: Mapping[str, Any], *, claims_only: bool
) -> tuple[Table, Sizes]:
    description = dict(given)
    try:
        listed = tuple(Column(**{"header": key, **columns[key]}) for key in description.pop("columns"))
        size = _size(description.pop("size", ""), "size", "x")
        counting_size = _size(description.pop("counting_size", ""), "counting_size", "x")
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
        raise TableError("incomplete description", where=where, found=brief(str(error), 120), remedy=remedy) from error
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


def _rows(file: str, text: str, table: Table, sizes: Sizes, known: Mapping[str, Entry] | None) -> tuple[Row, ...]:
    rows: dict[str, Row] = {}
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = []
    try:
        for record in reader:
            if not header:
                _check_header(record, table, known is not None)
                header = record
                continue
            if len(record) != len(header):
                what = "row too short" if len(record) < len(header) else "row too long"
                column = header[len(record)] if len(record) < len(header) else None
                raise fault(what, column, expected=f"{len(header)} cells", found=str(len(record)))
            row = _row(table, dict(zip(header, record, strict=True)), sizes, known)
            if row.id in rows:
                raise fault("duplicate id", "id", expected="an id of its own", found=row.id)
            rows[row.id] = row
    except csv.Error as error:
        where, remedy = f"{file}, line {reader.line_num}", "Close the quotes."
        raise TableError("not CSV", where=where, found=str(error), remedy=remedy) from error
    except TableError as error:
        raise error.at(f"{file}, line {reader.line_num}") from None
    if not rows:
        raise fault("empty table", None, expected="a header and rows", found="none").at(file)
    for row in rows.values():
        compares = any(cell.comparison for cell in row.cells.values())
        if (row.base or compares) and (row.base == row.id or row.base not in rows):
            expected = "the id of the row that the comparisons are relative to"
            wrong = fault("unknown base", "base", expected=expected, found=repr(row.base or ""))
            raise wrong.at(f"{file}, row {row.id}")
    return tuple(rows.values())


def _check_header(header: list[str], table: Table, modelled: bool) -> None:
    needed = ["id", *(column.header for column in table.columns)]
    if modelled:
        needed.append("model")
    counted = [column.metric for column in table.columns if column.counting]
    ours = ["base", "counting_size", *(f"{metric}_{kind}" for metric in counted for kind in ("counting", "rounding"))]
    ours += ["model", "note", "weights", "weights_status"]
    for column in [*needed, *header]:
        if header.count(column) != 1 or column not in [*needed, *ours]:
            what = "missing column" if column not in header else "unknown or repeated column"
            raise fault(what, column, expected=", ".join(needed), found=", ".join(header))


def _row(table: Table, record: dict[str, str], sizes: Sizes, known: Mapping[str, Entry] | None) -> Row:
    texts: dict[str, dict[str, str]] = {"name": {}, "setting": {}, "link": {}}
    size, counting_size = sizes
    cells: dict[str, Cell] = {}
    for column in (Column("id", "name"), *table.columns):
        text = record[column.header]
        if column.role == "check" and text not in ("", CHECK):
            raise fault("not a check mark", column.header, expected=f"{CHECK} or nothing", found=repr(text))
        if (not text and column.role != "check") or text != text.strip() or "|" in text or not text.isprintable():
            raise fault("not a printed cell", column.header, expected="text on one line without |", found=repr(text))
    for column in table.columns:
        text, metric = record[column.header], column.metric
        if column.role == "metric":
            exceptions = record.get(f"{metric}_counting"), record.get(f"{metric}_rounding")
            cells[metric] = Cell.parse(text, column, *exceptions)
        elif column.role in ("size", "side"):
            size = _size(text if column.role == "size" else f"{text}×{text}", column.header, "×")
        else:
            texts["setting" if column.role == "check" else column.role][column.header] = text
    model, weights, status = (None, None, None) if known is None else _of_model(record, known)
    return Row(
        table=table.name,
        id=record["id"],
        name="".join(texts["name"].values()) or table.title,
        settings=texts["setting"],
        size=size,
        counting_size=_size(record.get("counting_size", ""), "counting_size", "x") or counting_size,
        cells=cells,
        base=record.get("base") or None,
        links=texts["link"],
        model=model,
        note=record.get("note") or None,
        weights=weights,
        weights_status=status,
    )


def _of_model(
    record: Mapping[str, str], known: Mapping[str, Entry]
) -> tuple[str | None, PublishedFile | None, Status | None]:
    """The model of a row, its weight file, and whether this can be had; each must be said, or said to be missing."""
    name, note, file, status = (record.get(key, "") for key in ("model", "note", "weights", "weights_status"))
    if len(note) > LONGEST_NOTE or not note.isprintable():
        raise fault("not a note", "note", expected=f"at most {LONGEST_NOTE} characters on one line", found=repr(note))
    if not name and not note:
        raise fault("a row without a model", "model", expected="a model, or in note why there is none", found="neither")
    if name and name not in known:
        raise fault("unknown model", "model", expected=f"a model of {models.FILE}", found=repr(name))
    if bool(file) == bool(status):
        expected = "a file in weights, or the weights_status of a row without one"
        raise fault("weights without a status", "weights", expected=expected, found="both" if file else "neither")
    if status and status != "never-released":
        expected = f"never-released; other weights are a file of {models.FILE}"
        raise fault("unknown status", "weights_status", expected=expected, found=repr(status))
    if not file:
        return name or None, None, "never-released"
    entry = known.get(name)
    weights = entry.file(file) if entry else None
    if weights is None:
        expected = f"a weight file of the row's model in {models.FILE}"
        raise fault("unknown weight file", "weights", expected=expected, found=repr(file))
    return name, weights, weights.status


def _size(text: str, column: str, sign: str) -> tuple[int, int] | None:
    if not text:
        return None
    if match := re.fullmatch(rf"([1-9][0-9]*){sign}([1-9][0-9]*)", text):
        return int(match[1]), int(match[2])
    raise fault("not a size", column, expected=f"HEIGHT{sign}WIDTH, as 512{sign}512", found=repr(text))
