"""The published tables as data: each printed number with its decimals, its unit and the way it was counted and rounded.

The CSV files hold the documents' cells character for character; `tables.toml` beside them describes the columns.
"""

from __future__ import annotations

import csv
import difflib
import io
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, cast, get_args

from cspbench.errors import TableError, UsageError

Rounding = Literal["printed", "darknet", "cut", "doubled"]

NOTHING = "-"  # what the documents print where they have no number

# No leading zeros and ASCII digits only: whatever matches is written back as the same characters.
_INTEGER = r"(?:0|[1-9][0-9]*)"
_NUMBER = rf"{_INTEGER}(?:\.[0-9]+)?"
_COMPARISON = rf"\((?:=|[+-]{_INTEGER}%|[+-]{_INTEGER}\.[0-9]+)\)"
_READING = rf"({_NUMBER})\(([^()\s|]+)\)"


@dataclass(frozen=True)
class Column:
    """A column of a document: its header, its role and, for a metric, how its numbers are to be read.

    `unit` is what one unit of the printed number is worth: "M" 1e6, "G" 1e9, "1" single parameters or operations,
    "%", "fps", "B" bytes. `suffix` is what is printed after each number.
    """

    header: str
    role: Literal["name", "setting", "size", "side", "link", "metric"]
    metric: str = ""
    unit: str = ""
    suffix: str = ""
    counting: str | None = None
    rounding: Rounding = "printed"


@dataclass(frozen=True)
class Comparison:
    """A parenthesised comparison with the base row: percent of the base (ratio) or a plain difference."""

    text: str
    kind: Literal["ratio", "difference"]
    value: Decimal

    @classmethod
    def parse(cls, text: str) -> Comparison:
        """Read "(-34%)" (ratio), "(+0.8)" (difference) or "(=)" (difference 0)."""
        if not re.fullmatch(_COMPARISON, text):
            raise _fault("not a comparison", None, expected="one like (-34%), (+0.8) or (=)", found=repr(text))
        value = Decimal(0 if text == "(=)" else text.strip("(%)"))
        return cls(text, "ratio" if text.endswith("%)") else "difference", value)

    def render(self) -> str:
        """The comparison as the README prints it."""
        if self.kind == "ratio":
            return f"({self.value:+f}%)"
        # A printed difference has decimals, so a zero without any can only be "(=)".
        return "(=)" if self.value.as_tuple().exponent == 0 else f"({self.value:+f})"


@dataclass(frozen=True)
class Cell:
    """One published number: the claim, in units of `unit`, with its printed decimals.

    A cell without a number ("-") has value None. So has a cell of frame rates by device, "44(1080ti) 67(GV100)": its
    (device, number) pairs are in `values`.
    """

    column: str
    metric: str
    text: str
    value: Decimal | None
    decimals: int | None
    unit: str
    counting: str | None
    rounding: Rounding
    comparison: Comparison | None = None
    values: tuple[tuple[str, Decimal], ...] = ()
    suffix: str = ""

    @classmethod
    def parse(cls, text: str, column: Column, counting: str | None = None, rounding: str | None = None) -> Cell:
        """Read a printed cell; `counting` and `rounding` are the row's exceptions to the column's."""
        number = re.fullmatch(rf"({_NUMBER}){re.escape(column.suffix)}(?: ({_COMPARISON}))?", text)
        value = Decimal(number[1]) if number else None
        values: tuple[tuple[str, Decimal], ...] = ()
        if column.metric == "fps" and re.fullmatch(rf"{_READING}(?: {_READING})*", text):
            values = tuple((device, Decimal(reading)) for reading, device in re.findall(_READING, text))
        if not (number or values or text == NOTHING) or (column.unit == "%" and value and value > 100):
            expected = f"a number printed like 12.3{column.suffix} (no percentage above 100), or {NOTHING}"
            raise _fault("not a published number", column.header, expected=expected, found=repr(text))
        if rounding and rounding not in get_args(Rounding):
            expected = f"one of {', '.join(get_args(Rounding))}"
            raise _fault("no such rounding", f"{column.metric}_rounding", expected=expected, found=repr(rounding))
        return cls(
            column=column.header,
            metric=column.metric,
            text=text,
            value=value,
            decimals=None if value is None else -cast("int", value.as_tuple().exponent),
            unit=column.unit,
            counting=counting or column.counting,
            rounding=cast("Rounding", rounding or column.rounding),
            comparison=Comparison.parse(number[2]) if number and number[2] else None,
            values=values,
            suffix=column.suffix,
        )

    @property
    def published(self) -> bool:
        """Whether the document prints a number here."""
        return self.value is not None or bool(self.values)

    def render(self) -> str:
        """The cell as the document prints it, put together from what was read and not from `text`."""
        if self.value is None:
            return " ".join(f"{value:f}({device})" for device, value in self.values) or NOTHING
        number = f"{self.value:.{self.decimals}f}{self.suffix}"
        return f"{number} {self.comparison.render()}" if self.comparison else number


@dataclass(frozen=True)
class Row:
    """One line of a published table.

    `size` is the input (height, width) where the document prints it. `counting_size` is the input at which parameters
    and operations were counted; None means the network definition's own. `base` is the id of the row that the
    comparisons are relative to. `cells` are keyed by metric, `settings` and `links` by column header.
    """

    table: str
    id: str
    name: str
    settings: Mapping[str, str]
    size: tuple[int, int] | None
    counting_size: tuple[int, int] | None
    cells: Mapping[str, Cell]
    base: str | None
    links: Mapping[str, str]

    @property
    def label(self) -> str:
        """The model's name without the README's citation mark, "DarkNet-53" for "DarkNet-53 [1]"."""
        return re.sub(r" \[[0-9]+\]$", "", self.name)

    def render(self, column: Column) -> str:
        """What the document prints for this row in `column`."""
        if column.role == "metric":
            return self.cells[column.metric].render()
        if column.role in ("size", "side") and self.size:
            return "×".join(map(str, self.size if column.role == "size" else self.size[:1]))
        return {column.header: self.name, **self.settings, **self.links}[column.header]


@dataclass(frozen=True)
class Table:
    """One published table: what the document says about it, its columns in printed order and its rows."""

    name: str
    title: str
    section: tuple[str, ...]
    source: str
    dataset: Literal["imagenet", "coco"]
    split: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    def row(self, row_id: str) -> Row:
        """The row of that id."""
        rows = {row.id: row for row in self.rows}
        if row_id not in rows:
            raise _unknown(f"{self.name} has no such row", row_id, list(rows))
        return rows[row_id]

    def markdown(self) -> str:
        """The table in markdown, line by line as the README prints it."""
        lines = [[column.header for column in self.columns]]
        lines += [[row.render(column) for column in self.columns] for row in self.rows]
        header, *body = [" | ".join(line) + " |" for line in lines]
        return "\n".join([header, "---|" * len(self.columns), *body])


def names(directory: Path | None = None) -> tuple[str, ...]:
    """The tables' names in the README's order, then the model cards'."""
    return tuple(_descriptions(directory or _published())["tables"])


def load_all(directory: Path | None = None) -> tuple[Table, ...]:
    """Every published table."""
    return tuple(load(name, directory) for name in names(directory))


def load(name: str, directory: Path | None = None) -> Table:
    """The published table of that name; `directory` holds tables.toml and the CSV files."""
    directory = directory or _published()
    descriptions = _descriptions(directory)
    if name not in descriptions["tables"]:
        raise _unknown("no such table", name, list(descriptions["tables"]))
    description = dict(descriptions["tables"][name])
    try:
        columns = tuple(Column(header, **descriptions["columns"][header]) for header in description.pop("columns"))
        counting_size = _size(description.pop("counting_size", ""), "counting_size", "x")
        section = tuple(description.pop("section"))
        table = Table(name=name, section=section, columns=columns, rows=(), **description)
    except (KeyError, TypeError) as error:
        where = f"tables.toml, table {name}"
        remedy = "Add or correct that entry."
        raise TableError("incomplete description", where=where, found=str(error), remedy=remedy) from error
    return replace(table, rows=_rows(directory / f"{name}.csv", table, counting_size))


def _fault(what: str, column: str | None, *, expected: str, found: str) -> TableError:
    where = f'column "{column}"' if column else None
    remedy = "Write the CSV as the document prints the table; tables.toml describes the columns."
    return TableError(what, where=where, expected=expected, found=found, remedy=remedy)


def _unknown(what: str, asked: str, known: list[str]) -> UsageError:
    nearest = difflib.get_close_matches(asked.lower(), known, n=1, cutoff=0)
    remedy = f"Did you mean {nearest[0]}?" if nearest else None
    return UsageError(what, expected=f"one of {', '.join(known)}", found=asked, remedy=remedy)


def _published() -> Path:
    """Where the tables are: inside an installed package, else beside the package in a checkout."""
    installed = Path(__file__).parent / "published"
    return installed if installed.is_dir() else Path(__file__).parents[1] / "tables"


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")  # spreadsheets put a byte order mark in front
    except OSError as error:
        remedy = "Install cspbench again, or restore the file."
        raise TableError("cannot be read", where=str(path), found=error.strerror, remedy=remedy) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        found = f"byte 0x{error.object[error.start]:02x}"
        where, remedy = f"{path.name}, line {line}", "Save the file as UTF-8."
        raise TableError("wrong encoding", where=where, expected="UTF-8", found=found, remedy=remedy) from error


def _descriptions(directory: Path) -> dict[str, Any]:
    try:
        return {"columns": {}, "tables": {}} | tomllib.loads(_text(directory / "tables.toml"))
    except tomllib.TOMLDecodeError as error:
        raise TableError("not TOML", where="tables.toml", found=str(error), remedy="Correct that line.") from error


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
                raise _fault(what, column, expected=f"{len(header)} cells", found=str(len(record)))
            row = _row(table, dict(zip(header, record, strict=True)), counting_size)
            if row.id in rows:
                raise _fault("duplicate id", "id", expected="an id of its own", found=row.id)
            rows[row.id] = row
    except csv.Error as error:
        where, remedy = f"{path.name}, line {reader.line_num}", "Close the quotes."
        raise TableError("not CSV", where=where, found=str(error), remedy=remedy) from error
    except TableError as error:
        raise error.at(f"{path.name}, line {reader.line_num}") from None
    if not rows:
        raise _fault("empty table", None, expected="a header and rows", found="none").at(path.name)
    for row in rows.values():
        compares = any(cell.comparison for cell in row.cells.values())
        if (row.base or compares) and row.base not in rows.keys() - {row.id}:
            expected = "the id of the row that the comparisons are relative to"
            fault = _fault("unknown base", "base", expected=expected, found=repr(row.base or ""))
            raise fault.at(f"{path.name}, row {row.id}")
    return tuple(rows.values())


def _check_header(header: list[str], table: Table) -> None:
    needed = ["id", *(column.header for column in table.columns)]
    counted = [column.metric for column in table.columns if column.counting]
    ours = ["base", "counting_size", *(f"{metric}_{kind}" for metric in counted for kind in ("counting", "rounding"))]
    for column in [*needed, *header]:
        if header.count(column) != 1 or column not in [*needed, *ours]:
            what = "missing column" if column not in header else "unknown or repeated column"
            raise _fault(what, column, expected=", ".join(needed), found=", ".join(header))


def _row(table: Table, record: dict[str, str], counting_size: tuple[int, int] | None) -> Row:
    texts: dict[str, dict[str, str]] = {"name": {}, "setting": {}, "link": {}}
    size: tuple[int, int] | None = None
    cells: dict[str, Cell] = {}
    for header in ("id", *(column.header for column in table.columns)):
        text = record[header]
        if not text or text != text.strip() or "|" in text or not text.isprintable():
            raise _fault("not a printed cell", header, expected="text on one line without |", found=repr(text))
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
    raise _fault("not a size", column, expected=f"HEIGHT{sign}WIDTH, as 512{sign}512", found=repr(text))
