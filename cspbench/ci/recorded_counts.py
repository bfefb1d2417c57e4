"""What params.json files hold beyond the cells of a report.

A report judges every count by the present tables, and leaves out counts for which the row's table has no column. A
comparison must also see a row removed from its table, a changed claim, a network that became a stand-in, and the
parameters of a detector whose table prints only its AP.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from decimal import Decimal

from cspbench.claims.metrics import COUNTED, METRICS
from cspbench.claims.model import NOTHING, Cell, Column, Row, row_name
from cspbench.claims.verdict import Measurement, Reason, Status, judge
from cspbench.errors import TableError
from cspbench.report.build import cell as report_cell
from cspbench.report.model import ReportCell, ReportRow
from cspbench.results.counts import CountedCell, CountedRow
from cspbench.results.measurements import CellMeasurement, changed_since
from cspbench.results.protocol import Networks
from cspbench.results.provenance import Provenance
from cspbench.results.schema import Session
from cspbench.results.store import StoredCounts


def networks(counts: Iterable[StoredCounts]) -> dict[tuple[str, str], str]:
    """The recorded digests of the counted networks, by table and row id."""
    return {(str(row.table), str(row.id)): row.network for row in _rows(counts) if row.network}


def then(counts: Iterable[StoredCounts]) -> Networks:
    """The same by model and (height, width): the catalogue at the time of counting."""
    return {
        (row.model, row.size): row.network
        for row in _rows(counts)
        if row.model is not None and row.size is not None and row.network
    }


def stale(counts: Iterable[StoredCounts]) -> set[tuple[str, str]]:
    """The table and row id of every count whose network has changed since."""
    return {(str(row.table), str(row.id)) for row in _rows(counts) if row.table is not None and changed_since(row)}


def _rows(counts: Iterable[StoredCounts]) -> Iterator[CountedRow]:
    return (row for stored in counts for row in stored.record.rows)


def with_counts(rows: Iterable[ReportRow], counts: Iterable[StoredCounts]) -> list[ReportRow]:
    """The rows with all their counts, also those for which the table has no column."""
    return _merged(
        rows,
        counts,
        lambda row, counted, session: replace(row, cells={**_cells(counted, session), **row.cells}),
        gone=False,
    )


def as_recorded(rows: Iterable[ReportRow], counts: Iterable[StoredCounts]) -> list[ReportRow]:
    """The same judged by the recorded claims, and with the rows that no table has any more."""
    return _merged(rows, counts, _judged, gone=True)


def _merged(
    rows: Iterable[ReportRow],
    counts: Iterable[StoredCounts],
    change: Callable[[ReportRow, CountedRow, Session], ReportRow],
    *,
    gone: bool,
) -> list[ReportRow]:
    merged = {(row.table, row.row): row for row in rows}
    for stored in counts:
        for counted in stored.record.rows:
            if counted.table is None:
                continue
            key = counted.table, str(counted.id)
            if key in merged:
                merged[key] = change(merged[key], counted, stored.record.session)
            elif gone:
                merged[key] = _gone(counted, stored.record.session)
    return list(merged.values())


def _judged(row: ReportRow, counted: CountedRow, session: Session) -> ReportRow:
    recorded = _cells(counted, session)
    cells = {**recorded, **row.cells}
    for metric, then in recorded.items():
        cell = cells[metric]
        if cell.exact == then.exact:
            same = then.printed == cell.printed
            cells[metric] = replace(
                cell,
                printed=then.printed,
                claim=cell.claim if same else then.claim,
                delta=cell.delta if same else None,
                verdict=then.verdict,
                reason=then.reason,
                explained=then.explained,
            )
    return replace(row, cells=cells)


def _gone(counted: CountedRow, session: Session) -> ReportRow:
    """A row that no table has any more, from its counts."""
    label = str(counted.row)
    cells = _cells(counted, session)
    name = row_name(label, counted.size, counted.settings)
    return ReportRow(
        str(counted.table), str(counted.id), label, dict(counted.settings), None, None, counted.size, None, cells, name
    )


def _cells(counted: CountedRow, session: Session) -> dict[str, ReportCell]:
    return {metric: _cell(metric, counted, getattr(counted, metric), session) for metric in COUNTED}


def _cell(metric: str, counted: CountedRow, cell: CountedCell, session: Session) -> ReportCell:
    claim = _claim(metric, cell)
    if cell.count is None:
        return report_cell(claim, [], Reason.NO_DEFINITION)
    row = Row(str(counted.table), str(counted.id), "", {}, counted.size, None, {metric: claim}, None, {})
    measurement = Measurement(Decimal(cell.count), stand_in=counted.definition == "stand-in")
    origin = Provenance(shlex.join(session.command), session.cspbench, counting=cell.counting)
    reported = report_cell(claim, [CellMeasurement(row, claim, measurement, origin)])
    twins = [judge(claim, Measurement(Decimal(twin))).status is Status.EXACT for twin in cell.namesakes.values()]
    return replace(reported, explained=reported.verdict == "off" and (measurement.stand_in or any(twins)))


def _claim(metric: str, cell: CountedCell) -> Cell:
    """The claim as recorded; unpublished if it cannot be parsed."""
    suffix = re.match(r"[0-9.]+([^ (]*)", cell.printed, re.ASCII)
    column = Column(
        METRICS[metric].header,
        "metric",
        metric,
        cell.unit,
        suffix[1] if suffix else "",
        cell.counting,
        cell.rounding,  # type: ignore[arg-type]
    )
    try:
        return Cell.parse(cell.printed, column)
    except TableError:
        return Cell.parse(NOTHING, column)
