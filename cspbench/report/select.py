"""Selecting the rows that a report shows, by table and by mark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cspbench.claims.model import Column, Table, unknown
from cspbench.claims.verdict import Status
from cspbench.report.model import MISSED, ReportCell, ReportRow

PARTIAL = "partial"
MARKS = (*map(str, Status), MISSED, PARTIAL)
"""What `--only` takes: the verdicts, `missed` for stand-ins that are off, `partial` for a part of the data."""


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
    def measured(self) -> bool:
        """Whether any cell of it has a measurement, comparable or not."""
        return any(cell.measured is not None or cell.others for cell in self.cells)

    @property
    def cells(self) -> list[ReportCell]:
        """All cells, row by row."""
        return [cell for line in self.lines for cell in line.cells.values()]


@dataclass(frozen=True)
class Parts:
    """The sections of a report in the order in which it shows them.

    Those without a measurement come last and folded, unless there are no others.
    """

    published: list[Section]
    folded: list[Section]
    yours: list[Section]
    """Runs and counts that belong to no row."""
    ours: list[Section]
    """cspbench's own claims about its sample."""

    @property
    def every(self) -> list[Section]:
        """All published sections."""
        return [*self.published, *self.folded]


def arranged(shown: Sequence[Section]) -> Parts:
    """The sections of a report by the part of it that they stand in."""
    published, yours, ours = (
        [section for section in shown if section.table.kind == kind] for kind in ("published", "yours", "sample")
    )
    if not any(section.measured for section in (*published, *yours)):
        return Parts(published, [], yours, ours)
    by_measured = {known: [section for section in published if section.measured is known] for known in (True, False)}
    return Parts(by_measured[True], by_measured[False], yours, ours)


def marks(cell: ReportCell) -> set[str]:
    """The values of `--only` that select a cell; a comparison that is off or missed counts like a cell."""
    words = {cell.word}
    if cell.comparison and cell.comparison.verdict == Status.OFF:
        words.add(str(cell.comparison.word))
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
