"""Counted rows with the verdicts on their cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cspbench.claims import tables
from cspbench.claims.metrics import COUNTED
from cspbench.claims.model import Row, Table, setting_texts
from cspbench.claims.verdict import Reason
from cspbench.report.build import cell as report_cell
from cspbench.report.build import compared
from cspbench.report.model import ReportRow
from cspbench.results.counts import CountedRow
from cspbench.results.measurements import UNPUBLISHED, of_row
from cspbench.results.schema import Session
from cspbench.zoo.registry import MODELS, remarks


@dataclass(frozen=True)
class CountsRow:
    """A counted row with its verdicts."""

    counted: CountedRow
    report: ReportRow

    @property
    def failed(self) -> bool:
        """Whether a cell is off without an explanation."""
        return any(cell.verdict == "off" and not cell.explained for cell in self.report.cells.values())

    @property
    def off(self) -> bool:
        """Whether a cell is off, explained or not."""
        return any(cell.verdict == "off" for cell in self.report.cells.values())


def judged(counts: Sequence[CountedRow], session: Session) -> list[CountsRow]:
    """The counted rows with verdicts; the base rows of comparisons must be among them."""
    by_name = {name: tables.load(name) for name in {counted.table for counted in counts if counted.table}}
    published = [_row_of(counted, by_name) for counted in counts]
    reports = [
        _report(row, counted, session, by_name.get(row.table)) for row, counted in zip(published, counts, strict=True)
    ]
    reports = compared(published, reports)
    return [CountsRow(counted, report) for counted, report in zip(counts, reports, strict=True)]


def _row_of(counted: CountedRow, by_name: Mapping[str, Table]) -> Row:
    """The row of the table with both counts, published or not; a row of its own for a model in no table."""
    if counted.table is None or counted.id is None:
        name = str(counted.model)
        return Row("", name, name, {}, counted.size, None, UNPUBLISHED, None, {})
    row = by_name[counted.table].row(counted.id)
    return replace(
        row, cells={**UNPUBLISHED, **{metric: row.cells[metric] for metric in COUNTED if metric in row.cells}}
    )


def _report(row: Row, counted: CountedRow, session: Session, table: Table | None) -> ReportRow:
    measurements = {measurement.claim.metric: measurement for measurement in of_row(row, counted, session)}
    cells = {}
    for metric in COUNTED:
        candidates = [measurements[metric]] if metric in measurements else []
        claim = candidates[0].claim if candidates else row.cells[metric]
        cells[metric] = report_cell(claim, candidates, Reason.NO_DEFINITION)
    model = MODELS.get(counted.model or "")
    return ReportRow(
        row.table,
        row.id,
        row.label,
        dict(row.settings),
        counted.model,
        counted.definition,
        counted.size,
        remarks(row) if row.table else model.unknown if model else None,
        cells,
        ", ".join([row.label, *(setting_texts(row.settings) if table and table.show_settings else [])]),
    )
