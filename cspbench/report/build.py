"""Every cell of every table with the measurement that counts for it: from result files to rows of a report.

Of several measurements of a cell the newest counts that is complete and follows the claim's protocol; the others are
listed with the reason. A measurement under another protocol is shown, without a verdict, where there is no better one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from cspbench.claims import tables
from cspbench.claims.metrics import METRICS
from cspbench.claims.model import Cell, Row, Table
from cspbench.claims.rounding import round_half_up
from cspbench.claims.verdict import Measurement, Reason, Status, comparison_of, judge
from cspbench.report.model import MISSED, ComparisonResult, ReportCell, ReportRow, Superseded
from cspbench.results import measurements
from cspbench.results.explain_counts import Explanation
from cspbench.results.measurements import CellMeasurement
from cspbench.results.protocol import Networks
from cspbench.results.speeds import cells as speed_cells
from cspbench.results.store import Sources, StoredEvaluation, files_of, merge, of_files, of_run
from cspbench.retrained.folders import is_retrained, split
from cspbench.zoo.registry import provenance, remarks


def build(results: Path, runs: Sequence[Path] = ()) -> list[ReportRow]:
    """The rows of every table, from a results directory (if it exists) and run directories or folders of runs."""
    return rows(sources(results, runs))


def sources(results: Path, runs: Sequence[Path] = ()) -> Sources:
    """What was measured, in a results directory (if it exists) and in run directories or folders of runs."""
    if runs and not results.exists():
        return Sources((), tuple(of_runs(runs)))
    return from_disk(results, runs)


def from_disk(results: Path, runs: Sequence[Path] = ()) -> Sources:
    """The stored counts and evaluations, and those of run directories.

    A complete run replaces the stored evaluation of its name; an incomplete one is added to it.
    """
    stored = of_files(files_of(results), str(results))
    judged = [evaluation for evaluation in stored.evaluations if not is_retrained(evaluation)]
    by_name = {evaluation.name: evaluation for evaluation in judged}
    new = [merge(by_name.get(evaluation.name), evaluation) for evaluation in of_runs(runs)]
    complete = {evaluation.name for evaluation in new if evaluation.metrics is not None}
    others = [evaluation for evaluation in judged if evaluation.name not in complete]
    return Sources(stored.counts, (*others, *new), stored.speeds)


def of_runs(paths: Sequence[Path]) -> list[StoredEvaluation]:
    """The evaluations in run directories, or in folders of them; without those of retrained weights."""
    runs, _ = split(paths)
    return [evaluation for evaluation in map(of_run, runs) if not is_retrained(evaluation)]


def rows(sources: Sources, then: Networks | None = None) -> list[ReportRow]:
    """Every row of every table, in the order of tables.toml, where the sample's come last.

    `then` are the networks to hold measurements against instead of the catalogue's.
    """
    by_cell = measurements.by_cell(sources, then) | speed_cells.by_cell(sources.speeds)
    built = []
    for table in tables.load_all(kind=None):
        named = zip(table.rows, table.names(), strict=True)
        built += compared([(row, _row(table, row, name, by_cell)) for row, name in named])
    return built


def _row(table: Table, row: Row, name: str, by_cell: Mapping[measurements.Key, Sequence[CellMeasurement]]) -> ReportRow:
    cells = {}
    for column in table.columns:
        if column.role == "metric":
            claim = row.cells[column.metric]
            candidates = by_cell.get((table.name, row.id, column.metric), [])
            cells[column.metric] = cell(claim, candidates, _unmeasured(claim, row.model, table.kind))
    definition = provenance(row.model) if row.model else None
    about = row.model, definition, row.size or row.counting_size, remarks(row)
    return ReportRow(table.name, row.id, row.label, dict(row.settings), *about, cells, name)


def cell(claim: Cell, candidates: Sequence[CellMeasurement], reason: Reason = Reason.NOT_RUN) -> ReportCell:
    """A claim with its measurements, the one that counts first; `reason` says why there are none."""
    first = candidates[0] if candidates else None
    measurement = first.measurement if first else Measurement(None, reason)
    judged = first.verdict if first else judge(claim, measurement)
    explanation = first.explanation if first else Explanation()
    value, interval = measurement.value, measurement.interval
    return ReportCell(
        metric=claim.metric,
        header=claim.column,
        printed=claim.text,
        unit=claim.unit,
        claim=None if claim.value is None else f"{claim.value:f}",
        measured=None if judged.measured is None else _shown(judged.measured, claim),
        exact=None if value is None else f"{value.normalize():f}",
        delta=None if judged.delta is None else f"{judged.delta:+f}",
        verdict=str(judged.status),
        reason=str(judged.reason) if judged.reason else None,
        interval=(f"{interval[0]:.2f}", f"{interval[1]:.2f}") if interval else None,
        stand_in=measurement.stand_in,
        explained=explanation.explained,
        partial=first is not None and first.partial,
        note="; ".join([*_deviations(measurement), *explanation.texts]) or None,
        provenance=first.provenance if first else None,
        others=tuple(_superseded(claim, measurement) for measurement in candidates[1:]),
        images=judged.images,
        tolerance=None if judged.tolerance is None else f"{judged.tolerance:f}",
    )


def _unmeasured(claim: Cell, model: str | None, kind: str) -> Reason:
    """Why a cell has no measurement."""
    if METRICS[claim.metric].family == "speed":
        return Reason.HARDWARE
    if model is None:
        return Reason.NO_DEFINITION
    # counting needs nothing, and the sample brings its own weights
    return Reason.NOT_RUN if claim.counting or kind == "sample" else Reason.NO_WEIGHTS


def _shown(measured: Decimal, claim: Cell) -> str:
    """A measurement with the claim's decimals; without a claim with as many as our own tables print."""
    decimals = (
        {"M": 4, "G": 5, "%": 3, "fps": 2, "ms": 2}.get(claim.unit, 0) if claim.decimals is None else claim.decimals
    )
    return f"{round_half_up(measured, decimals):f}"


def _superseded(claim: Cell, measurement: CellMeasurement) -> Superseded:
    measured = measurement.verdict.measured
    shown = None if measured is None else _shown(measured, claim)
    newer = "a part of the data only" if measurement.partial else "a newer one counts"
    why = "; ".join(_deviations(measurement.measurement)) or newer
    return Superseded(shown, why, measurement.provenance, measurement.partial)


def _deviations(measurement: Measurement) -> list[str]:
    return [deviation.text for deviation in measurement.deviations]


def compared(rows: Sequence[tuple[Row, ReportRow]]) -> list[ReportRow]:
    """The rows with their parenthesised comparisons, worked out from the measurements of each row and its base."""
    by_id = {(row.table, row.id): (row, report) for row, report in rows}
    return [
        replace(report, cells=_with_comparisons(row, report, *by_id[row.table, row.base]))
        if row.base and any(row.cells[metric].comparison for metric in report.cells)
        else report
        for row, report in rows
    ]


def _with_comparisons(row: Row, report: ReportRow, base: Row, base_report: ReportRow) -> dict[str, ReportCell]:
    cells = dict(report.cells)
    for metric, cell in report.cells.items():
        printed, against = row.cells[metric].comparison, base_report.cells.get(metric)
        if printed is None or against is None:
            continue
        numbers = cell.comparable, against.comparable
        result = None if None in numbers else comparison_of(row, base, metric, numbers)  # type: ignore[arg-type]
        missed = MISSED in (cell.word, against.word)
        comparison = ComparisonResult(printed, result, base.label, missed)
        notes = [cell.note] if cell.note else []
        if comparison.word == against.word == Status.OFF:
            notes.append(f"the comparison rests on {base.label}'s published {against.printed}")
        cells[metric] = replace(cell, comparison=comparison, note="; ".join(notes) or None)
    return cells
