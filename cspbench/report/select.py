"""Selecting the rows that a report shows, by table and by mark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cspbench.claims.model import Column, Table, unknown
from cspbench.claims.verdict import Status
from cspbench.report.model import ReportCell, ReportRow

PARTIAL = "partial"
MARKS = (*map(str, Status), PARTIAL)
"""What `--only` takes: the verdicts, and `partial` for measurements on a part of the data."""


@dataclass(frozen=True)
class Section:
    """A table and the lines of it that are shown, in its order."""

    table: Table
    lines: Sequence[ReportRow] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        """The document's columns without links, which say nothing about a number; with a name where it prints none."""
        columns = tuple(column for column in self.table.columns if column.role != "link")
        return columns if any(column.role == "name" for column in columns) else (Column("Model", "name"), *columns)

    @property
    def place(self) -> str:
        """Where the document has the table: "ImageNet / Big Models"."""
        section, title = self.table.section, self.table.title
        return " / ".join(section) if section[-1] == title else title

    @property
    def cells(self) -> list[ReportCell]:
        """All cells, row by row."""
        return [cell for line in self.lines for cell in line.cells.values()]


def marks(cell: ReportCell) -> set[str]:
    """The values of `--only` that select a cell; a comparison that is off counts as off."""
    words = {cell.verdict}
    if cell.comparison and cell.comparison.verdict == Status.OFF:
        words.add(Status.OFF.value)
    if cell.partial:
        words.add(PARTIAL)
    return words


def check_names(tables: Sequence[Table], names: Sequence[str], only: Sequence[str]) -> None:
    """Raise `UsageError` for the name of a table or a mark that does not exist."""
    existing = [table.name for table in tables]
    for name in names:
        if name not in existing:
            raise unknown("usage.unknown-table", "no such table", name, existing)
    for mark in only:
        if mark not in MARKS:
            raise unknown("usage.unknown-mark", "no such mark", mark, list(MARKS))


def select(
    lines: Iterable[ReportRow], tables: Sequence[Table], names: Sequence[str] = (), only: Sequence[str] = ()
) -> list[Section]:
    """The tables with lines to show, in their order; without `names` and `only` all of them."""
    by_table: dict[str, list[ReportRow]] = {table.name: [] for table in tables if not names or table.name in names}
    for line in lines:
        if line.table in by_table and (not only or any(marks(cell) & {*only} for cell in line.cells.values())):
            by_table[line.table].append(line)
    return [Section(table, by_table[table.name]) for table in tables if by_table.get(table.name)]
