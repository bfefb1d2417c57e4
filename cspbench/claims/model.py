"""Published tables as data: tables, rows and cells.

Each number keeps its printed decimals, its unit, and how it was counted and rounded.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated, Literal, cast, get_args

from msgspec import Meta, Struct

from cspbench.claims import numbers
from cspbench.claims.models import PublishedFile, Status
from cspbench.errors import TableError, UsageError, brief

Figure = Literal["tradeoff"]
Rounding = Literal["printed", "darknet", "cut", "doubled"]

NOTHING = "-"  # printed in place of a number
CHECK = "x"
"""A check mark in a column of tricks."""

# ASCII digits without leading zeros, so that rendering gives the same characters again.
_INTEGER = r"(?:0|[1-9][0-9]*)"
_NUMBER = rf"{_INTEGER}(?:\.[0-9]+)?"
_COMPARISON = rf"\((?:=|[+-]{_INTEGER}%|[+-]{_INTEGER}\.[0-9]+)\)"
_READING = rf"({_NUMBER})\(([^()\s|]+)\)"


class Column(Struct, frozen=True, forbid_unknown_fields=True):
    """A column of a printed table: its header, its role and, for a metric, how to read its numbers.

    `unit` of the printed numbers: "M" 1e6, "G" 1e9, "1" single parameters or operations, "%", "fps", "ms", "B" bytes.
    `suffix` is printed after each number. A "check" column marks a setting as on.
    """

    header: str
    role: Literal["name", "setting", "check", "size", "side", "link", "metric"]
    metric: str = ""
    unit: str = ""
    suffix: str = ""
    counting: str | None = None
    rounding: Rounding = "printed"


@dataclass(frozen=True)
class Cell:
    """One published number, the claim, in units of `unit`, with its printed decimals.

    `value` is None for a cell without a number ("-") and for frame rates by device, "44(1080ti) 67(GV100)", which are
    (device, number) pairs in `values`.
    """

    column: str
    metric: str
    text: str
    value: Decimal | None
    decimals: int | None
    unit: str
    counting: str | None
    rounding: Rounding
    comparison: str | None = None
    """With the base row: percent of its number, "(-34%)", or a difference, "(+0.8)" or "(=)"."""
    values: tuple[tuple[str, Decimal], ...] = ()
    suffix: str = ""
    verified: bool = True
    """Whether the number was read in the document; one that was not is never judged."""

    @classmethod
    def parse(cls, text: str, column: Column, counting: str | None = None, rounding: str | None = None) -> Cell:
        """Parse a printed cell; `counting` and `rounding` override the column's for this row."""
        number = re.fullmatch(rf"({_NUMBER}){re.escape(column.suffix)}(?: ({_COMPARISON}))?", text)
        values: tuple[tuple[str, Decimal], ...] = ()
        value = None
        with suppress(ValueError):
            value = numbers.parse(number[1]) if number else None
            if column.metric == "fps" and re.fullmatch(rf"{_READING}(?: {_READING})*", text):
                values = tuple((device, numbers.parse(reading)) for reading, device in re.findall(_READING, text))
        if not (value is not None or values or text == NOTHING) or (column.unit == "%" and value and value > 100):
            expected = f"a number like 12.3{column.suffix} (at most 100 %), or {NOTHING}"
            raise cell_error("tables.not-a-number", "not a published number", column.header, expected, repr(text))
        if rounding and rounding not in get_args(Rounding):
            expected, where = f"one of {', '.join(get_args(Rounding))}", f"{column.metric}_rounding"
            raise cell_error("tables.unknown-rounding", "unknown rounding", where, expected, repr(rounding))
        return cls(
            column=column.header,
            metric=column.metric,
            text=text,
            value=value,
            decimals=None if value is None else -cast("int", value.as_tuple().exponent),
            unit=column.unit,
            counting=counting or column.counting,
            rounding=cast("Rounding", rounding or column.rounding),
            comparison=number[2] if number else None,
            values=values,
            suffix=column.suffix,
        )

    @property
    def published(self) -> bool:
        """Whether the cell has a number."""
        return self.value is not None or bool(self.values)

    def under(self, rule: str | None) -> Cell:
        """The same claim under a counting; another counting than its own is never rounded as `doubled`."""
        if rule == self.counting:
            return self
        return replace(self, counting=rule, rounding="printed" if self.rounding == "doubled" else self.rounding)

    def render(self) -> str:
        """The printed cell, from the parsed values (not from `text`)."""
        if self.value is None:
            return " ".join(f"{value:f}({device})" for device, value in self.values) or NOTHING
        number = f"{self.value:.{self.decimals}f}{self.suffix}"
        return f"{number} {self.comparison}" if self.comparison else number


@dataclass(frozen=True)
class Row:
    """One row of a published table.

    `size` is the printed input size (height, width). `counting_size` is the input size at which parameters and
    operations were counted; None means that of the network's definition. `base` is the id of the row that comparisons
    refer to. `cells` are keyed by metric, `settings` and `links` by column header.

    `model` is the network of the row, None if it is unknown; `note` gives the reason or other remarks. `weights` is
    the file whose accuracy the row prints; `weights_status` says why there is none.
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
    model: str | None = None
    note: str | None = None
    weights: PublishedFile | None = None
    weights_status: Status | None = None

    @property
    def label(self) -> str:
        """The printed name without its citation: "DarkNet-53" for "DarkNet-53 [1]"."""
        return re.sub(r" \[[0-9]+\]$", "", self.name)

    def render(self, column: Column) -> str:
        """The printed text of this row in `column`."""
        if column.role == "metric":
            return self.cells[column.metric].render()
        if column.role in ("size", "side") and self.size:
            return "×".join(map(str, self.size if column.role == "size" else self.size[:1]))
        return {column.header: self.name, **self.settings, **self.links}[column.header]


@dataclass(frozen=True)
class Table:
    """A published table: its description, its columns in printed order and its rows."""

    name: str
    title: str
    section: tuple[str, ...]
    source: str
    dataset: Literal["imagenet", "coco"]
    split: Annotated[str, Meta(min_length=1)]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    kind: Literal["published", "sample", "yours"] = "published"
    """sample: cspbench's own claims about its bundled networks and images. yours: no claims, of no document."""
    data: str | None = None
    """Digest of the only admissible images; None if the name of the split identifies them."""
    presets: tuple[str, ...] = ()
    """Presets under which its accuracies or APs may be measured; the first is the claimed one."""
    sweep: str | None = None
    """Header of the setting with the NMS threshold, in a table of one detector at several thresholds."""
    figure: Figure | None = None
    """The figure of the report that shows its rows."""
    show_settings: bool = True
    """Whether names of rows include their settings."""
    base: str | None = None
    """The id of the row without tricks, in a table of tricks that prints no comparisons."""

    def base_of(self, row: Row) -> Row | None:
        """The row against which a retrained one's gain is shown, if there is one."""
        name = row.base or self.base
        return None if name is None or name == row.id else self.row(name)

    def row(self, row_id: str) -> Row:
        """A row by its id; raises `UsageError` if it is unknown."""
        rows = {row.id: row for row in self.rows}
        if row_id not in rows:
            raise unknown("usage.unknown-row", f"no such row in {self.name}", row_id, list(rows))
        return rows[row_id]

    def names(self) -> list[str]:
        """Distinct names of the rows, in order: "CSPResNeXt50-PANet-SPP 512×512 (0.60)".

        Equal names get the model's name: "Ours (csppeleenet-ref-prn-3l) 320×320".
        """
        names = [self._row_name(row, row.label) for row in self.rows]
        return [
            self._row_name(row, f"{row.label} ({row.model})") if row.model and names.count(name) > 1 else name
            for row, name in zip(self.rows, names, strict=True)
        ]

    def _row_name(self, row: Row, label: str) -> str:
        return row_name(label, row.size or row.counting_size, row.settings if self.show_settings else {})


def setting_texts(settings: Mapping[str, str]) -> list[str]:
    """A row's settings; for check marks, the header of the column."""
    return [header if text == CHECK else text for header, text in settings.items() if text]


def row_name(label: str, size: tuple[int, int] | None, settings: Mapping[str, str]) -> str:
    """A row's label, input size and settings: "CSPResNeXt50-PANet-SPP 512×512 (0.60)"."""
    texts = ", ".join(setting_texts(settings))
    return " ".join(part for part in (label, "×".join(map(str, size or ())), f"({texts})" if texts else "") if part)


def cell_error(code: str, what: str, column: str | None, expected: str, found: str) -> TableError:
    """The error for an invalid cell or column of a CSV file."""
    where = f'column "{brief(column, 80)}"' if column else None
    remedy = "Write the CSV as the document prints the table, with the columns of tables.toml."
    return TableError(code, what, where=where, expected=expected, found=brief(found, 200), remedy=remedy)


def unknown(code: str, what: str, name: str, names: Sequence[str]) -> UsageError:
    """The error for an unknown name; the remedy proposes a similar one."""
    similar = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.4)
    remedy = f"Did you mean {similar[0]}?" if similar else "Name one of these"
    return UsageError(code, what, expected=f"one of {', '.join(names)}", found=name, remedy=remedy)
