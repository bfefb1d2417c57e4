"""The published tables, read from their CSV files.

The CSV files hold the documents' cells character for character; `tables.toml` beside them describes the tables and
columns, `models.toml` the models of the rows. A missing declaration that would leave rows unmeasured is an error.
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
from cspbench.claims.model import CHECK, Cell, Column, Figure, Row, Table, cell_error, unknown
from cspbench.claims.models import Entry, PublishedFile, Status
from cspbench.claims.toml import sections
from cspbench.errors import TableError, brief
from cspbench.io import read_file

LARGEST_FILE = 1 << 22
"""Bytes; the published tables have a few thousand."""
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
"""A folder, or file contents by name."""


def names(source: Files | None = None, kind: str = "published") -> tuple[str, ...]:
    """The names of the tables of a kind (`published`, `sample`), in the order of tables.toml."""
    descriptions = _descriptions(source)["tables"]
    return tuple(name for name, table in descriptions.items() if table.get("kind", "published") == kind)


def load_all(source: Files | None = None, kind: str = "published", *, claims_only: bool = False) -> tuple[Table, ...]:
    """All tables of a kind; see `load`."""
    return tuple(load(name, source, claims_only=claims_only) for name in names(source, kind))


def load(name: str, source: Files | None = None, *, claims_only: bool = False) -> Table:
    """Load a table from `source`, which holds tables.toml, models.toml and the CSV files (None: the published ones).

    With `claims_only` rows have no models and need not declare any, as in tables of earlier versions. Raises
    `TableError` for malformed or undeclared contents, `UsageError` for an unknown name.
    """
    descriptions = _descriptions(source)
    if name not in descriptions["tables"]:
        raise unknown("usage.unknown-table", "no such table", name, list(descriptions["tables"]))
    model_text = None if claims_only else _text(source, models.FILE)
    return _table(name, _text(source, DESCRIPTION), _text(source, f"{name}.csv"), model_text)


def entries(source: Files | None = None) -> Mapping[str, Entry]:
    """The entries of models.toml by model name."""
    return models.parse(_text(source, models.FILE))


def where_published() -> Path:
    """The folder of the tables: inside an installed package, or beside the package in a checkout."""
    installed = Path(__file__).parents[1] / "published"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "tables"


def _text(source: Files | None, name: str) -> str:
    """The text of a file; raises `TableError` if it cannot be read."""
    source = where_published() if source is None else source
    try:
        data = _bytes(source, name)
        # spreadsheets write a byte order mark
        return data.removeprefix("\ufeff") if isinstance(data, str) else data.decode("utf-8-sig")
    except OSError as error:
        remedy = "Reinstall cspbench, or restore the file."
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
def _table(name: str, description: str, text: str, model_text: str | None) -> Table:
    """The table from the texts of its files; without `model_text` only its claims."""
    descriptions = _descriptions({DESCRIPTION: description})
    table, sizes = _described(name, descriptions["tables"][name], descriptions["columns"])
    catalogue = None if model_text is None else models.parse(model_text)
    return replace(table, rows=_rows(f"{name}.csv", text, table, sizes, catalogue))


Sizes = tuple[tuple[int, int] | None, tuple[int, int] | None]
"""The input size of all rows, if no column prints it, and the input size of their counts."""


def _described(name: str, section: Mapping[str, Any], column_types: Mapping[str, Any]) -> tuple[Table, Sizes]:
    description = dict(section)
    try:
        columns = tuple(Column(**{"header": key, **column_types[key]}) for key in description.pop("columns"))
        size = _size(description.pop("size", ""), "size", "x")
        counting_size = _size(description.pop("counting_size", ""), "counting_size", "x")
        headings, presets = tuple(description.pop("section")), tuple(description.pop("presets", ()))
        settings = description.pop("show_settings", True)
        table = Table(
            name=name,
            columns=columns,
            rows=(),
            section=headings,
            presets=presets,
            show_settings=settings,
            **description,
        )
        texts = [*headings, *presets, *description.values()]
        texts += [value for column in columns for value in vars(column).values()]
        if not all(text is None or isinstance(text, str) for text in texts) or type(settings) is not bool:
            raise TypeError("a value of the wrong type")
        _check(table, size)
    except (KeyError, TypeError, ValueError) as error:
        where = f"{DESCRIPTION}, table {name}"
        remedy = "Add or correct that entry."
        raise TableError(
            "tables.incomplete", "incomplete description", where=where, found=brief(str(error), 120), remedy=remedy
        ) from error
    return table, (size, counting_size)


def _check(table: Table, size: tuple[int, int] | None) -> None:
    """Raise `ValueError` unless the table declares what measuring its rows needs."""
    roles = [column.role for column in table.columns]
    for value, allowed in ((table.dataset, DATASETS), (table.kind, KINDS), (table.figure, FIGURES)):
        if value not in allowed:
            raise ValueError(f"{value!r}, not one of {', '.join(map(str, allowed))}")
    if not {*roles} <= ROLES:
        raise ValueError("unknown role of a column")
    if not table.split:
        raise ValueError("empty split")
    if table.dataset == "imagenet" and not table.presets:
        raise ValueError("no presets for its accuracies")
    if table.dataset == "coco" and size is None and not {"size", "side"} & {*roles}:
        raise ValueError("no size, neither of the table nor in a column")
    if table.sweep is not None and table.sweep not in [
        column.header for column in table.columns if column.role == "setting"
    ]:
        raise ValueError(f"sweep {table.sweep!r} is not one of its settings")


def _rows(file: str, text: str, table: Table, sizes: Sizes, catalogue: Mapping[str, Entry] | None) -> tuple[Row, ...]:
    rows: dict[str, Row] = {}
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = []
    try:
        for record in reader:
            if not header:
                _check_header(record, table, catalogue is not None)
                header = record
                continue
            if len(record) != len(header):
                expected, found = f"{len(header)} cells", str(len(record))
                if len(record) > len(header):
                    raise cell_error("tables.row-too-long", "row too long", None, expected=expected, found=found)
                column = header[len(record)]
                raise cell_error("tables.row-too-short", "row too short", column, expected=expected, found=found)
            row = _row(table, dict(zip(header, record, strict=True)), sizes, catalogue)
            if row.id in rows:
                raise cell_error("tables.duplicate-id", "duplicate id", "id", expected="a unique id", found=row.id)
            rows[row.id] = row
    except csv.Error as error:
        where, remedy = f"{file}, line {reader.line_num}", "Close the quotes."
        raise TableError("tables.not-csv", "not CSV", where=where, found=str(error), remedy=remedy) from error
    except TableError as error:
        raise error.at(f"{file}, line {reader.line_num}") from None
    if not rows:
        raise cell_error("tables.empty", "empty table", None, expected="a header and rows", found="none").at(file)
    for row in rows.values():
        compares = any(cell.comparison for cell in row.cells.values())
        if (row.base or compares) and (row.base == row.id or row.base not in rows):
            expected = "the id of the row that the comparisons refer to"
            found = repr(row.base or "")
            unknown_base = cell_error("tables.unknown-base", "unknown base", "base", expected=expected, found=found)
            raise unknown_base.at(f"{file}, row {row.id}")
    return tuple(rows.values())


def _check_header(header: list[str], table: Table, modelled: bool) -> None:
    required = ["id", *(column.header for column in table.columns)]
    if modelled:
        required.append("model")
    counts = [column.metric for column in table.columns if column.counting]
    optional = [
        "base",
        "counting_size",
        *(f"{metric}_{kind}" for metric in counts for kind in ("counting", "rounding")),
    ]
    optional += ["model", "note", "weights", "weights_status"]
    for column in [*required, *header]:
        if header.count(column) != 1 or column not in [*required, *optional]:
            expected, found = ", ".join(required), ", ".join(header)
            if column not in header:
                raise cell_error("tables.missing-column", "missing column", column, expected=expected, found=found)
            what = "unknown or repeated column"
            raise cell_error("tables.unexpected-column", what, column, expected=expected, found=found)


def _row(table: Table, record: dict[str, str], sizes: Sizes, catalogue: Mapping[str, Entry] | None) -> Row:
    texts: dict[str, dict[str, str]] = {"name": {}, "setting": {}, "link": {}}
    size, counting_size = sizes
    cells: dict[str, Cell] = {}
    for column in (Column("id", "name"), *table.columns):
        text = record[column.header]
        if column.role == "check" and text not in ("", CHECK):
            raise cell_error(
                "tables.not-a-check",
                "not a check mark",
                column.header,
                expected=f"{CHECK} or nothing",
                found=repr(text),
            )
        if (not text and column.role != "check") or text != text.strip() or "|" in text or not text.isprintable():
            raise cell_error(
                "tables.not-a-cell",
                "not a printed cell",
                column.header,
                expected="text on one line without |",
                found=repr(text),
            )
    for column in table.columns:
        text, metric = record[column.header], column.metric
        if column.role == "metric":
            exceptions = record.get(f"{metric}_counting"), record.get(f"{metric}_rounding")
            cells[metric] = Cell.parse(text, column, *exceptions)
        elif column.role in ("size", "side"):
            size = _size(text if column.role == "size" else f"{text}×{text}", column.header, "×")
        else:
            texts["setting" if column.role == "check" else column.role][column.header] = text
    model, weights, status = (None, None, None) if catalogue is None else _of_model(record, catalogue)
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
    record: Mapping[str, str], catalogue: Mapping[str, Entry]
) -> tuple[str | None, PublishedFile | None, Status | None]:
    """The model of a row, its weight file and the status of this; each must be declared, or declared missing."""
    name, note, file, status = (record.get(key, "") for key in ("model", "note", "weights", "weights_status"))
    if len(note) > LONGEST_NOTE or not note.isprintable():
        raise cell_error(
            "tables.not-a-note",
            "invalid note",
            "note",
            expected=f"at most {LONGEST_NOTE} characters on one line",
            found=repr(note),
        )
    if not name and not note:
        raise cell_error(
            "tables.no-model",
            "row without a model",
            "model",
            expected="a model, or a note why there is none",
            found="neither",
        )
    if name and name not in catalogue:
        raise cell_error(
            "tables.unknown-model", "unknown model", "model", expected=f"a model of {models.FILE}", found=repr(name)
        )
    if bool(file) == bool(status):
        expected = "either a file in weights or a weights_status"
        raise cell_error(
            "tables.weights-without-status",
            "invalid weights and weights_status",
            "weights",
            expected=expected,
            found="both" if file else "neither",
        )
    if status and status != "never-released":
        expected = f"never-released, or a weight file of {models.FILE} in weights"
        raise cell_error(
            "tables.unknown-weights-status", "unknown status", "weights_status", expected=expected, found=repr(status)
        )
    if not file:
        return name or None, None, "never-released"
    entry = catalogue.get(name)
    weights = entry.file(file) if entry else None
    if weights is None:
        expected = f"a weight file of the row's model in {models.FILE}"
        raise cell_error(
            "tables.unknown-weights", "unknown weight file", "weights", expected=expected, found=repr(file)
        )
    return name, weights, weights.status


def _size(text: str, column: str, sign: str) -> tuple[int, int] | None:
    if not text:
        return None
    if match := re.fullmatch(rf"([1-9][0-9]*){sign}([1-9][0-9]*)", text):
        return int(match[1]), int(match[2])
    raise cell_error(
        "tables.not-a-size",
        "invalid size",
        column,
        expected=f"HEIGHT{sign}WIDTH, such as 512{sign}512",
        found=repr(text),
    )
