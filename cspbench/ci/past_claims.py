"""What the tables claimed at a baseline, where today's claim something else.

Gathering judges every measurement by the tables as they are now. What they claimed then is in the tables themselves,
as they were at the baseline's commit, or in the report.json that was written beside its measurements.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from cspbench.claims import tables
from cspbench.claims.model import NOTHING, Cell, Row
from cspbench.claims.verdict import Word
from cspbench.errors import CspbenchError, TableError, brief
from cspbench.report.model import Line, ReportedCell

NAMES = re.compile(r"tables\.toml|[A-Za-z0-9_-]+\.csv", re.ASCII)
"""The files of tables."""


def of_tables(files: Mapping[str, bytes], where: str) -> list[Line]:
    """The rows of tables given as the bytes of their files by name, with their claims and nothing measured.

    Raises `CspbenchError` naming `where` for anything that is not such tables.
    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            return [_line(row) for row in _rows(files, Path(folder))]
    except (TableError, OSError) as error:
        raise CspbenchError(
            "baseline.unreadable-tables",
            "tables that this version cannot read",
            where=where,
            found=brief(getattr(error, "strerror", None) or str(error), 300),
            remedy="Compare with a commit whose tables it can read, or with a report.json",
        ) from None


def _rows(files: Mapping[str, bytes], folder: Path) -> list[Row]:
    """The rows of the tables, by way of a folder, which an error does not name."""
    for name, data in files.items():
        (folder / name).write_bytes(data)
    try:
        kinds = ("published", "sample")
        missing = {f"{name}.csv" for kind in kinds for name in tables.names(folder, kind)} - set(files)
        if missing:
            raise TableError("tables.no-file", "no such file", where=brief(min(missing)))
        return [row for kind in kinds for table in tables.load_all(folder, kind) for row in table.rows]
    except TableError as error:
        error.where = error.where and error.where.replace(f"{folder}{os.sep}", "")
        raise


def _line(row: Row) -> Line:
    cells = {metric: _cell(cell) for metric, cell in row.cells.items()}
    size = row.size or row.counting_size
    return Line(row.table, row.id, row.label, dict(row.settings), None, None, size, None, cells)


def _cell(cell: Cell) -> ReportedCell:
    verdict = str(Word.UNMEASURED if cell.published else Word.UNPUBLISHED)
    claim = None if cell.value is None else f"{cell.value:f}"
    return ReportedCell(cell.metric, cell.column, cell.text, cell.unit, claim, None, None, None, verdict)


def with_claims(lines: Iterable[Line], claimed: Iterable[Line]) -> list[Line]:
    """The lines with the claims of other lines instead of their own, and with the rows that only those have.

    Of `claimed` nothing but the claims is used. What it does not have was not claimed.
    """
    found = {(line.table, line.row): line for line in lines}
    then = {(line.table, line.row): line for line in claimed}
    merged = [_reclaimed(line, then[key].cells if key in then else {}) for key, line in found.items()]
    gone = [_reclaimed(replace(line, cells={}), line.cells) for key, line in then.items() if key not in found]
    return merged + gone


def _reclaimed(line: Line, then: Mapping[str, ReportedCell]) -> Line:
    cells = {metric: _with_claim(cell, then.get(metric)) for metric, cell in line.cells.items()}
    for metric, cell in then.items():
        if metric not in cells and cell.printed != NOTHING:
            cells[metric] = ReportedCell(
                metric, cell.header, cell.printed, cell.unit, cell.claim, None, None, None, str(Word.UNMEASURED)
            )
    return replace(line, cells=cells)


def _with_claim(cell: ReportedCell, then: ReportedCell | None) -> ReportedCell:
    printed = then.printed if then else NOTHING
    if printed == cell.printed:
        return cell
    if then is None or printed == NOTHING:
        verdict = str(Word.UNPUBLISHED)
        return replace(
            cell,
            printed=NOTHING,
            claim=None,
            delta=None,
            verdict=verdict,
            reason=None,
            explained=False,
            comparison=None,
        )
    # the verdict stays that on today's claim: what it was then is lost, and the other claim fails anyway
    return replace(cell, printed=printed, claim=then.claim, delta=None)
