"""The published numbers as data: what a cell, a row and a table of a document claim.

Each number keeps its printed decimals, its unit and the way it was counted and rounded.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal, cast, get_args

from cspbench.errors import TableError, UsageError, brief

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
            raise fault(
                "tables.not-a-comparison",
                "not a comparison",
                None,
                expected="one like (-34%), (+0.8) or (=)",
                found=repr(text),
            )
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
            raise fault(
                "tables.not-a-number", "not a published number", column.header, expected=expected, found=repr(text)
            )
        if rounding and rounding not in get_args(Rounding):
            expected = f"one of {', '.join(get_args(Rounding))}"
            raise fault(
                "tables.unknown-rounding",
                "no such rounding",
                f"{column.metric}_rounding",
                expected=expected,
                found=repr(rounding),
            )
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

    def counted_as(self, rule: str | None) -> Cell:
        """The same claim, held against a counting: one that is not its own is not doubled as its own may be."""
        if rule == self.counting:
            return self
        return replace(self, counting=rule, rounding="printed" if self.rounding == "doubled" else self.rounding)

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
    """One table: what the document says about it, its columns in printed order and its rows."""

    name: str
    title: str
    section: tuple[str, ...]
    source: str
    dataset: Literal["imagenet", "coco"]
    split: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    kind: Literal["published", "sample"] = "published"
    """sample: what cspbench itself claims of the nets and images that it brings along."""
    data: str | None = None
    """The digest of the images, where only these will do; None where the split's name says it."""

    def row(self, row_id: str) -> Row:
        """The row of that id."""
        rows = {row.id: row for row in self.rows}
        if row_id not in rows:
            raise unknown("usage.unknown-row", f"{self.name} has no such row", row_id, list(rows))
        return rows[row_id]

    def markdown(self) -> str:
        """The table in markdown, line by line as the README prints it."""
        lines = [[column.header for column in self.columns]]
        lines += [[row.render(column) for column in self.columns] for row in self.rows]
        header, *body = [" | ".join(line) + " |" for line in lines]
        return "\n".join([header, "---|" * len(self.columns), *body])


def fault(code: str, what: str, column: str | None, *, expected: str, found: str) -> TableError:
    """The error for a cell that is not as the document could have printed it."""
    where = f'column "{brief(column, 80)}"' if column else None
    remedy = "Write the CSV as the document prints the table; tables.toml describes the columns."
    return TableError(code, what, where=where, expected=expected, found=brief(found, 200), remedy=remedy)


def unknown(code: str, what: str, asked: str, known: list[str]) -> UsageError:
    """The error for a name that does not exist, with the nearest one where any is near."""
    nearest = difflib.get_close_matches(asked.lower(), known, n=1, cutoff=0.4)
    remedy = f"Did you mean {nearest[0]}?" if nearest else "Name one of these"
    return UsageError(code, what, expected=f"one of {', '.join(known)}", found=asked, remedy=remedy)
