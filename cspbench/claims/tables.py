"""The published tables, read from their CSV files.

The CSV files hold the documents' cells character for character; `tables.toml` beside them describes the columns.
"""

from __future__ import annotations

import csv
import io
import re
import tomllib
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

from cspbench.claims.model import Cell, Column, Row, Table, fault, unknown
from cspbench.errors import TableError, brief
from cspbench.io import read_file

LARGEST_FILE = 1 << 22
"""Bytes; the published tables have a few thousand each."""
LARGEST_DESCRIPTION, LONGEST_LINE = 1 << 16, 1000
"""Characters of tables.toml and of a line in it: names within names (a.b.c) take tomllib their number's square."""
ROLES = frozenset(get_args(get_type_hints(Column)["role"]))


def names(directory: Path | None = None, kind: str = "published") -> tuple[str, ...]:
    """The tables' names in the README's order, then the model cards'; or those of the sample."""
    described = _descriptions(directory or where_published())["tables"]
    return tuple(name for name, each in described.items() if each.get("kind", "published") == kind)


def load_all(directory: Path | None = None, kind: str = "published") -> tuple[Table, ...]:
    """Every published table, or the sample's."""
    return tuple(load(name, directory) for name in names(directory, kind))


def load(name: str, directory: Path | None = None) -> Table:
    """The published table of that name; `directory` holds tables.toml and the CSV files."""
    directory = directory or where_published()
    descriptions = _descriptions(directory)
    if name not in descriptions["tables"]:
        raise unknown("usage.unknown-table", "no such table", name, list(descriptions["tables"]))
    description = dict(descriptions["tables"][name])
    try:
        columns = tuple(Column(header, **descriptions["columns"][header]) for header in description.pop("columns"))
        counting_size = _size(description.pop("counting_size", ""), "counting_size", "x")
        section = tuple(description.pop("section"))
        table = Table(name=name, section=section, columns=columns, rows=(), **description)
        texts = [*section, *description.values(), *(text for column in columns for text in vars(column).values())]
        if not all(text is None or isinstance(text, str) for text in texts):
            raise TypeError("a value that is no text")
        if not {column.role for column in columns} <= ROLES:
            raise TypeError("a role that no column has")
    except (KeyError, TypeError) as error:
        where = f"tables.toml, table {name}"
        remedy = "Add or correct that entry."
        raise TableError(
            "tables.incomplete", "incomplete description", where=where, found=brief(str(error), 120), remedy=remedy
        ) from error
    return replace(table, rows=_rows(directory / f"{name}.csv", table, counting_size))


def where_published() -> Path:
    """Where the tables are: inside an installed package, else beside the package in a checkout."""
    installed = Path(__file__).parents[1] / "published"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "tables"


def _text(path: Path) -> str:
    try:
        return read_file(path, LARGEST_FILE).decode("utf-8-sig")  # spreadsheets put a byte order mark in front
    except OSError as error:
        remedy = "Install cspbench again, or restore the file."
        raise TableError(
            "tables.unreadable", "cannot be read", where=str(path), found=error.strerror, remedy=remedy
        ) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        found = f"byte 0x{error.object[error.start]:02x}"
        where, remedy = f"{path.name}, line {line}", "Save the file as UTF-8."
        raise TableError(
            "tables.encoding", "wrong encoding", where=where, expected="UTF-8", found=found, remedy=remedy
        ) from error


def _descriptions(directory: Path) -> dict[str, Any]:
    return _described(_text(directory / "tables.toml"))


@lru_cache(maxsize=4)
def _described(text: str) -> dict[str, Any]:
    try:
        if len(text) > LARGEST_DESCRIPTION or len(max(text.split("\n"), key=len)) > LONGEST_LINE:
            raise ValueError(f"more than {LARGEST_DESCRIPTION} characters, or than {LONGEST_LINE} on a line")
        found = {"columns": {}, "tables": {}} | tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise TableError(
            "tables.not-toml",
            "not TOML",
            where="tables.toml",
            found=brief(str(error), 120),
            remedy="Correct that line.",
        ) from error
    for group in ("columns", "tables"):
        if not isinstance(found[group], dict) or not all(isinstance(each, dict) for each in found[group].values()):
            raise TableError(
                "tables.not-sections",
                f"[{group}] is no list of sections",
                where="tables.toml",
                remedy="Restore the published file.",
            )
    return found


def _rows(path: Path, table: Table, counting_size: tuple[int, int] | None) -> tuple[Row, ...]:
    rows: dict[str, Row] = {}
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    header: list[str] = []
    try:
        for record in reader:
            if not header:
                _check_header(record, table)
                header = record
                continue
            if len(record) != len(header):
                what = "row too short" if len(record) < len(header) else "row too long"
                column = header[len(record)] if len(record) < len(header) else None
                raise fault(
                    "tables.row-too-short" if len(record) < len(header) else "tables.row-too-long",
                    what,
                    column,
                    expected=f"{len(header)} cells",
                    found=str(len(record)),
                )
            row = _row(table, dict(zip(header, record, strict=True)), counting_size)
            if row.id in rows:
                raise fault("tables.duplicate-id", "duplicate id", "id", expected="an id of its own", found=row.id)
            rows[row.id] = row
    except csv.Error as error:
        where, remedy = f"{path.name}, line {reader.line_num}", "Close the quotes."
        raise TableError("tables.not-csv", "not CSV", where=where, found=str(error), remedy=remedy) from error
    except TableError as error:
        raise error.at(f"{path.name}, line {reader.line_num}") from None
    if not rows:
        raise fault("tables.empty", "empty table", None, expected="a header and rows", found="none").at(path.name)
    for row in rows.values():
        compares = any(cell.comparison for cell in row.cells.values())
        if (row.base or compares) and (row.base == row.id or row.base not in rows):
            expected = "the id of the row that the comparisons are relative to"
            wrong = fault("tables.unknown-base", "unknown base", "base", expected=expected, found=repr(row.base or ""))
            raise wrong.at(f"{path.name}, row {row.id}")
    return tuple(rows.values())


def _check_header(header: list[str], table: Table) -> None:
    needed = ["id", *(column.header for column in table.columns)]
    counted = [column.metric for column in table.columns if column.counting]
    ours = ["base", "counting_size", *(f"{metric}_{kind}" for metric in counted for kind in ("counting", "rounding"))]
    for column in [*needed, *header]:
        if header.count(column) != 1 or column not in [*needed, *ours]:
            what = "missing column" if column not in header else "unknown or repeated column"
            raise fault(
                "tables.missing-column" if column not in header else "tables.unexpected-column",
                what,
                column,
                expected=", ".join(needed),
                found=", ".join(header),
            )


def _row(table: Table, record: dict[str, str], counting_size: tuple[int, int] | None) -> Row:
    texts: dict[str, dict[str, str]] = {"name": {}, "setting": {}, "link": {}}
    size: tuple[int, int] | None = None
    cells: dict[str, Cell] = {}
    for header in ("id", *(column.header for column in table.columns)):
        text = record[header]
        if not text or text != text.strip() or "|" in text or not text.isprintable():
            raise fault(
                "tables.not-a-cell",
                "not a printed cell",
                header,
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
            texts[column.role][column.header] = text
    return Row(
        table=table.name,
        id=record["id"],
        name="".join(texts["name"].values()),
        settings=texts["setting"],
        size=size,
        counting_size=_size(record.get("counting_size", ""), "counting_size", "x") or counting_size,
        cells=cells,
        base=record.get("base") or None,
        links=texts["link"],
    )


def _size(text: str, column: str, sign: str) -> tuple[int, int] | None:
    if not text:
        return None
    if match := re.fullmatch(rf"([1-9][0-9]*){sign}([1-9][0-9]*)", text):
        return int(match[1]), int(match[2])
    raise fault(
        "tables.not-a-size", "not a size", column, expected=f"HEIGHT{sign}WIDTH, as 512{sign}512", found=repr(text)
    )
