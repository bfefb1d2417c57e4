"""The claims of a baseline's tables, where they differ from today's.

Measurements are judged by the present tables. A baseline's claims are in the tables at its commit, or in the
report.json beside its measurements.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from cspbench.claims import tables
from cspbench.claims.model import NOTHING, Row
from cspbench.claims.verdict import Status
from cspbench.errors import CspbenchError, TableError, brief
from cspbench.report.build import cell as report_cell
from cspbench.report.model import ReportCell, ReportRow

NAMES = re.compile(r"tables\.toml|[A-Za-z0-9_-]+\.csv", re.ASCII)
"""Names of the files of tables."""


def of_tables(files: Mapping[str, bytes], where: str) -> list[ReportRow]:
    """The rows, with claims and without measurements, of tables given as file contents by name.

    Raises `CspbenchError` naming `where` if they cannot be read.
    """
    try:
        every = tables.load_all(files, None, claims_only=True)
        return [_row(row, name) for table in every for row, name in zip(table.rows, table.names(), strict=True)]
    except TableError as error:
        what, found = "tables that this version cannot read", brief(str(error), 300)
        remedy = "Compare with a commit whose tables it can read, or with a report.json"
        raise CspbenchError("baseline.unreadable-tables", what, where=where, found=found, remedy=remedy) from None


def _row(row: Row, name: str) -> ReportRow:
    cells = {metric: report_cell(claim, []) for metric, claim in row.cells.items()}
    size = row.size or row.counting_size
    return ReportRow(row.table, row.id, row.label, dict(row.settings), None, None, size, None, cells, name)


def with_claims(lines: Iterable[ReportRow], claimed: Iterable[ReportRow]) -> list[ReportRow]:
    """The lines with the claims of `claimed` instead of their own, and the rows that only `claimed` has.

    What `claimed` lacks was not claimed.
    """
    present = {(line.table, line.row): line for line in lines}
    then = {(line.table, line.row): line for line in claimed}
    merged = [_reclaimed(line, then[key].cells if key in then else {}) for key, line in present.items()]
    gone = [_reclaimed(replace(line, cells={}), line.cells) for key, line in then.items() if key not in present]
    return merged + gone


def _reclaimed(line: ReportRow, then: Mapping[str, ReportCell]) -> ReportRow:
    cells = {metric: _with_claim(cell, then.get(metric)) for metric, cell in line.cells.items()}
    for metric, cell in then.items():
        if metric not in cells and cell.printed != NOTHING:
            cells[metric] = ReportCell(
                metric, cell.header, cell.printed, cell.unit, cell.claim, None, None, None, str(Status.UNMEASURED)
            )
    return replace(line, cells=cells)


def _with_claim(cell: ReportCell, then: ReportCell | None) -> ReportCell:
    printed = then.printed if then else NOTHING
    if printed == cell.printed:
        return cell
    if then is None or printed == NOTHING:
        verdict = str(Status.UNPUBLISHED)
        cell = replace(cell, printed=NOTHING, claim=None, delta=None, verdict=verdict, reason=None)
        return replace(cell, explained=False, comparison=None)
    # the verdict stays that on today's claim: the earlier one is lost, and a changed claim fails anyway
    return replace(cell, printed=printed, claim=then.claim, delta=None)
