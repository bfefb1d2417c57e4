"""Counted rows with the verdicts on their cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cspbench.claims import tables
from cspbench.claims.metrics import COUNTED
from cspbench.claims.model import Row, Table, setting_texts
from cspbench.claims.verdict import Reason
from cspbench.report.build import cell, compared
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
    reports = compared([_judged(counted, session, by_name.get(counted.table or "")) for counted in counts])
    return [CountsRow(counted, report) for counted, report in zip(counts, reports, strict=True)]


def _judged(counted: CountedRow, session: Session, table: Table | None) -> tuple[Row, ReportRow]:
    """The row of the table with both counts, published or not, and its report; a model in no table has its own row."""
    if table is None:
        name = str(counted.model)
        model = counted.catalogue_model if counted.catalogue_model in MODELS else None
        row = Row("", name, name, {}, counted.size, None, UNPUBLISHED, None, {}, model)
    else:
        row = table.row(str(counted.id))
        row = replace(row, cells={metric: row.cells.get(metric, UNPUBLISHED[metric]) for metric in COUNTED})
    cells = {metric: cell(row.cells[metric], [], Reason.NO_DEFINITION) for metric in COUNTED}
    for measurement in of_row(row, counted, session):
        cells[measurement.claim.metric] = cell(measurement.claim, [measurement])
    name = ", ".join([row.label, *(setting_texts(row.settings) if table and table.show_settings else [])])
    about = counted.model, counted.definition, counted.size, remarks(row)
    return row, ReportRow(row.table, row.id, row.label, dict(row.settings), *about, cells, name)
