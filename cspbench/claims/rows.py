"""Reads the rows of a table from its CSV file: printed cells, and models and weight files."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import replace

from cspbench.claims import models
from cspbench.claims.metrics import of_family
from cspbench.claims.model import CHECK, Cell, Column, Row, Table, cell_error
from cspbench.claims.models import Entry, PublishedFile, Status
from cspbench.errors import TableError

LONGEST_NOTE = 500
"""Characters of a row's note."""

MEASURED = of_family("accuracy", "ap")
"""The metrics of a network with its weights."""

Sizes = tuple[tuple[int, int] | None, tuple[int, int] | None]
"""The input size of all rows, if no column prints it, and the input size of their counts."""


def read(file: str, text: str, table: Table, sizes: Sizes, catalogue: Mapping[str, Entry] | None) -> tuple[Row, ...]:
    """The rows of a table from the text of its CSV file, with models if the `catalogue` is given.

    Raises `TableError` for malformed or undeclared contents.
    """
    rows, faults = read_all(file, text, table, sizes, catalogue, most=1)
    if faults:
        raise faults[0]
    return rows


def read_all(
    file: str, text: str, table: Table, sizes: Sizes, catalogue: Mapping[str, Entry] | None, most: int
) -> tuple[tuple[Row, ...], list[TableError]]:
    """The rows that can be read, and the errors of the others, each with its line, at most `most`."""
    rows: dict[str, Row] = {}
    lines: dict[str, int] = {}
    faults: list[TableError] = []
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, None)
        if header is not None:
            _check_header(header, table, catalogue is not None)
            for record in reader:
                try:
                    row = _row(table, _cells(header, record), sizes, catalogue)
                    if row.id in rows:
                        raise cell_error("tables.duplicate-id", "duplicate id", "id", "a unique id", row.id)
                except TableError as error:
                    faults.append(error.at(f"{file}, line {reader.line_num}"))
                    if len(faults) == most:
                        return tuple(rows.values()), faults
                else:
                    rows[row.id], lines[row.id] = row, reader.line_num
    except csv.Error as error:
        where, remedy = f"{file}, line {reader.line_num}", "Close the quotes."
        faults.append(TableError("tables.not-csv", "not CSV", where=where, found=str(error), remedy=remedy))
    except TableError as error:
        faults.append(error.at(f"{file}, line {reader.line_num}"))
    if not rows and not faults:
        faults.append(cell_error("tables.empty", "empty table", None, "a header and rows", "none").at(file))
    if table.base is not None and table.base not in rows and not faults:
        expected, found = "the id of one of its rows", repr(table.base)
        faults.append(cell_error("tables.unknown-base", "unknown base", "base", expected, found).at(file))
    for row in rows.values() if not faults else ():
        compares = any(cell.comparison for cell in row.cells.values())
        if (row.base or compares) and (row.base == row.id or row.base not in rows):
            expected, found = "the id of the row that the comparisons refer to", repr(row.base or "")
            unknown = cell_error("tables.unknown-base", "unknown base", "base", expected, found)
            faults.append(unknown.at(f"{file}, line {lines[row.id]}, row {row.id}"))
    return tuple(rows.values()), faults[:most]


def _check_header(header: list[str], table: Table, modelled: bool) -> None:
    required = ["id", *(column.header for column in table.columns)]
    if modelled:
        required.append("model")
    counts = [column.metric for column in table.columns if column.counting]
    optional = [f"{metric}_{kind}" for metric in counts for kind in ("counting", "rounding")]
    optional += ["base", "counting_size", "model", "note", "unverified", "weights", "weights_status"]
    expected, found = ", ".join(required), ", ".join(header)
    for column in required:
        if column not in header:
            raise cell_error("tables.missing-column", "missing column", column, expected, found)
    for column in header:
        if header.count(column) != 1 or column not in [*required, *optional]:
            raise cell_error("tables.unexpected-column", "unknown or repeated column", column, expected, found)


def _cells(header: list[str], record: list[str]) -> dict[str, str]:
    expected, found = f"{len(header)} cells", str(len(record))
    if len(record) < len(header):
        raise cell_error("tables.row-too-short", "row too short", header[len(record)], expected, found)
    if len(record) > len(header):
        raise cell_error("tables.row-too-long", "row too long", None, expected, found)
    return dict(zip(header, record, strict=True))


def _row(table: Table, record: dict[str, str], sizes: Sizes, catalogue: Mapping[str, Entry] | None) -> Row:
    texts: dict[str, dict[str, str]] = {"name": {}, "setting": {}, "link": {}}
    size, counting_size = sizes
    cells: dict[str, Cell] = {}
    for column in (Column("id", "name"), *table.columns):
        text = record[column.header]
        if column.role == "check" and text not in ("", CHECK):
            expected = f"{CHECK} or nothing"
            raise cell_error("tables.not-a-check", "not a check mark", column.header, expected, repr(text))
        if (not text and column.role != "check") or text != text.strip() or "|" in text or not text.isprintable():
            expected = "text on one line without |"
            raise cell_error("tables.not-a-cell", "not a printed cell", column.header, expected, repr(text))
    for column in table.columns:
        text, metric = record[column.header], column.metric
        if column.role == "metric":
            exceptions = record.get(f"{metric}_counting"), record.get(f"{metric}_rounding")
            cells[metric] = Cell.parse(text, column, *exceptions)
        elif column.role in ("size", "side"):
            size = size_of(text if column.role == "size" else f"{text}×{text}", column.header, "×")
        else:
            texts["setting" if column.role == "check" else column.role][column.header] = text
    for metric in record.get("unverified", "").split():
        if metric not in cells:
            expected = f"metrics of the row: {', '.join(cells)}"
            raise cell_error("tables.unknown-unverified", "unknown metric", "unverified", expected, repr(metric))
        cells[metric] = replace(cells[metric], verified=False)
    measured = any(column.metric in MEASURED for column in table.columns)
    model, weights, status = (None, None, None) if catalogue is None else _of_model(record, catalogue, measured)
    return Row(
        table=table.name,
        id=record["id"],
        name="".join(texts["name"].values()) or table.title,
        settings=texts["setting"],
        size=size,
        counting_size=size_of(record.get("counting_size", ""), "counting_size", "x") or counting_size,
        cells=cells,
        base=record.get("base") or None,
        links=texts["link"],
        model=model,
        note=record.get("note") or None,
        weights=weights,
        weights_status=status,
    )


def _of_model(
    record: Mapping[str, str], catalogue: Mapping[str, Entry], measured: bool
) -> tuple[str | None, PublishedFile | None, Status | None]:
    """The model of a row, its weight file and the status of this; each must be declared, or declared missing.

    A row of counts alone, one that is not `measured` with weights, needs no file; a network of one's own has at most
    one file, which is its rows'.
    """
    name, note, file, status = (record.get(key, "") for key in ("model", "note", "weights", "weights_status"))
    if len(note) > LONGEST_NOTE or not note.isprintable():
        expected = f"at most {LONGEST_NOTE} characters on one line"
        raise cell_error("tables.not-a-note", "invalid note", "note", expected, repr(note))
    if not name and not note:
        expected = "a model, or a note why there is none"
        raise cell_error("tables.no-model", "row without a model", "model", expected, "neither")
    if name and name not in catalogue:
        expected = f"a model of {models.FILE}"
        raise cell_error("tables.unknown-model", "unknown model", "model", expected, repr(name))
    entry = catalogue.get(name)
    if not file and not status and entry is not None and entry.cfg is not None:
        file = next((weights.file for weights in entry.weights), "")
    if not file and not status and (not measured or (entry is not None and entry.cfg is not None)):
        status = "never-released"
    if bool(file) == bool(status):
        what, expected = "invalid weights and weights_status", "either a file in weights or a weights_status"
        raise cell_error("tables.undeclared-weights", what, "weights", expected, "both" if file else "neither")
    if status and status != "never-released":
        expected = f"never-released, or a weight file of {models.FILE} in weights"
        raise cell_error("tables.unknown-status", "unknown status", "weights_status", expected, repr(status))
    if not file:
        return name or None, None, "never-released"
    weights = entry.file(file) if entry else None
    if weights is None:
        expected = f"a weight file of the row's model in {models.FILE}"
        raise cell_error("tables.unknown-weights", "unknown weight file", "weights", expected, repr(file))
    return name, weights, weights.status


def size_of(text: str, column: str, sign: str) -> tuple[int, int] | None:
    """Parse a size, such as "512×512" with the sign ×, as (height, width); None for an empty text."""
    if not text:
        return None
    if match := re.fullmatch(rf"([1-9][0-9]*){sign}([1-9][0-9]*)", text):
        return int(match[1]), int(match[2])
    expected = f"HEIGHT{sign}WIDTH, such as 512{sign}512"
    raise cell_error("tables.not-a-size", "invalid size", column, expected, repr(text))
