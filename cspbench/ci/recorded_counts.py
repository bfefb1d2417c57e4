"""What params.json files hold beyond the cells of a report.

A report judges every count by the present tables, and leaves out counts for which the row's table has no column. A
comparison must also see a row removed from its table, a changed claim, a network that became a stand-in, and the
parameters of a detector whose table prints only its AP.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
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
        (row.catalogue_model, row.size): row.network
        for row in _rows(counts)
        if row.catalogue_model and row.size is not None and row.network
    }


def stale(counts: Iterable[StoredCounts]) -> set[tuple[str, str]]:
    """The table and row id of every count whose network has changed since."""
    return {(str(row.table), str(row.id)) for row in _rows(counts) if row.table is not None and changed_since(row)}


def _rows(counts: Iterable[StoredCounts]) -> Iterator[CountedRow]:
    return (row for stored in counts for row in stored.record.rows)


def with_counts(rows: Iterable[ReportRow], counts: Iterable[StoredCounts]) -> list[ReportRow]:
    """The rows with all their counts, also those for which the table has no column."""
    recorded = _recorded(counts)
    return [
        replace(row, cells={**recorded[key].cells, **row.cells}) if (key := (row.table, row.row)) in recorded else row
        for row in rows
    ]


def as_recorded(rows: Iterable[ReportRow], counts: Iterable[StoredCounts]) -> list[ReportRow]:
    """The same judged by the recorded claims, and with the rows that no table has any more."""
    recorded = _recorded(counts)
    judged = []
    for row in rows:
        then = recorded.pop((row.table, row.row), None)
        judged.append(row if then is None else replace(row, cells=_judged(row.cells, then.cells)))
    return [*judged, *recorded.values()]


def _judged(cells: Mapping[str, ReportCell], recorded: Mapping[str, ReportCell]) -> dict[str, ReportCell]:
    """The cells with the recorded claims and verdicts where the counts are those recorded."""
    judged = {**recorded, **cells}
    for metric, then in recorded.items():
        if judged[metric].exact == then.exact:
            judged[metric] = replace(
                judged[metric],
                printed=then.printed,
                claim=then.claim,
                delta=then.delta,
                verdict=then.verdict,
                reason=then.reason,
                stand_in=then.stand_in,
                explained=then.explained,
            )
    return judged


def _recorded(counts: Iterable[StoredCounts]) -> dict[tuple[str, str], ReportRow]:
    """The counted rows of tables as they were counted, by table and row id."""
    return {
        (row.table, str(row.id)): ReportRow(
            row.table,
            str(row.id),
            str(row.row),
            dict(row.settings),
            None,
            None,
            row.size,
            None,
            {metric: _cell(metric, row, getattr(row, metric), stored.record.session) for metric in COUNTED},
            row_name(str(row.row), row.size, row.settings),
        )
        for stored in counts
        for row in stored.record.rows
        if row.table is not None
    }


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
    suffix = re.match(r"[0-9.]+( ?[^ (]+)?", cell.printed, re.ASCII)
    column = Column(
        METRICS[metric].header,
        "metric",
        metric,
        cell.unit,
        (suffix and suffix[1]) or "",
        cell.counting,
        cell.rounding,  # type: ignore[arg-type]
    )
    try:
        return Cell.parse(cell.printed, column)
    except TableError:
        return Cell.parse(NOTHING, column)
