"""Every cell of every table with the measurement that counts for it: from result files to `Line`s.

Verdicts and explanations are worked out anew from the claims and networks as they are now; what a file says about
itself is only its numbers and how they were made. Of several measurements of a cell the newest counts that is complete,
of the claimed data and made as the claim was; the others are listed with the reason. One made otherwise is shown where
there is no better, without a verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from cspbench.claims import tables
from cspbench.claims.model import Cell, Row, Table
from cspbench.claims.rounding import round_half_up
from cspbench.claims.verdict import Reason, Verdict, Word, derived
from cspbench.report.model import Compared, Line, Other, ReportedCell
from cspbench.results import measurements as measured
from cspbench.results.measurements import Measured
from cspbench.results.protocol import Networks
from cspbench.results.store import Evaluation, Sources, files_of, merged, of_files, of_run
from cspbench.zoo.catalogue import provenance, remarks
from cspbench.zoo.rows import row_model


def gather(results: Path, runs: Sequence[Path] = ()) -> list[Line]:
    """The lines of every table, from a results directory and run directories (or folders of runs)."""
    return lines(from_disk(results, runs))


def from_disk(results: Path, runs: Sequence[Path] = ()) -> Sources:
    """What was measured: a results directory and run directories.

    A complete run stands for what is kept there by its name, an incomplete one beside it.
    """
    kept = of_files(files_of(results), str(results))
    found = of_runs(runs)
    by_name = {each.name: each for each in kept.evaluations}
    complete = {each.name for each in found if each.metrics is not None}
    return Sources(
        kept.counts,
        (
            *(each for each in kept.evaluations if each.name not in complete),
            *(merged(by_name.get(each.name), each) for each in found),
        ),
    )


def of_runs(paths: Sequence[Path]) -> list[Evaluation]:
    """The evaluations in run directories, or in folders of them."""
    if not paths:
        return []
    from cspbench.inference.run import find_runs

    return [of_run(path) for path in find_runs(list(paths))]


def gather_files(files: Mapping[str, bytes], where: str) -> list[Line]:
    """The same from the bytes of a results directory's files, by their path in it."""
    return lines(of_files(files, where))


def lines(sources: Sources, then: Networks | None = None) -> list[Line]:
    """Every row of every table, the published ones first, then the sample's.

    `then` are the networks to hold measurements against, where it is not the catalogue's own that count.
    """
    found = measured.by_cell(sources, then)
    made = []
    for kind in ("published", "sample"):
        for table in tables.load_all(kind=kind):
            made += _compared(table, [_line(table, row, found) for row in table.rows])
    return made


def _line(table: Table, row: Row, found: Mapping[tuple[str, str, str], list[Measured]]) -> Line:
    entry = row_model(table.name, row.id)
    cells = {}
    for column in table.columns:
        if column.role == "metric":
            measurements = found.get((table.name, row.id, column.metric), [])
            absent = _unmeasured(row.cells[column.metric], entry.model, table.kind)
            cells[column.metric] = _cell(row.cells[column.metric], absent, measurements)
    definition = provenance(entry.model) if entry.model else None
    size = row.size or row.counting_size
    settings = dict(row.settings)
    return Line(table.name, row.id, row.label, settings, entry.model, definition, size, remarks(entry), cells)


def _cell(cell: Cell, absent: Verdict, found: Sequence[Measured]) -> ReportedCell:
    first = found[0] if found else None
    judged = first.verdict if first else absent
    shown = None if judged.measured is None else _shown(judged.measured, cell)
    return ReportedCell(
        metric=cell.metric,
        header=cell.column,
        printed=cell.text,
        unit=cell.unit,
        claim=None if cell.value is None else f"{cell.value:f}",
        measured=shown,
        exact=None if first is None or first.value is None else f"{first.value.normalize():f}",
        delta=None if judged.delta is None else f"{judged.delta:+f}",
        verdict=str(judged.word),
        reason=str(judged.reason) if judged.reason else None,
        interval=_interval(first.interval) if first and first.interval else None,
        explained=first is not None and first.explained,
        partial=first is not None and first.partial,
        note=_note(first) if first else None,
        made=first.made if first else None,
        others=tuple(_other(cell, each) for each in found[1:]),
    )


def _note(each: Measured) -> str | None:
    return "; ".join(text for text in (*each.faults, each.note) if text) or None


def _unmeasured(cell: Cell, model: str | None, kind: str) -> Verdict:
    """The verdict on a cell that nobody has measured."""
    if not cell.published:
        return Verdict(Word.UNPUBLISHED, None, None)
    if cell.metric == "fps":
        reason = Reason.HARDWARE
    elif model is None:
        reason = Reason.NO_DEFINITION
    else:
        # counting needs nothing, and the sample brings its own weights
        reason = Reason.NOT_RUN if cell.counting or kind == "sample" else Reason.NO_WEIGHTS
    return Verdict(Word.UNMEASURED, cell.value, None, reason=reason)


def _shown(measured: Decimal, cell: Cell) -> str:
    """A measurement with the claim's decimals; without a claim with as many as our own tables print."""
    decimals = {"M": 4, "G": 5, "%": 3}.get(cell.unit, 0) if cell.decimals is None else cell.decimals
    return f"{round_half_up(measured, decimals):f}"


def _interval(bounds: tuple[float, float]) -> tuple[str, str]:
    return f"{bounds[0]:.2f}", f"{bounds[1]:.2f}"


def _other(cell: Cell, each: Measured) -> Other:
    measured = None if each.verdict.measured is None else _shown(each.verdict.measured, cell)
    return Other(measured, "; ".join(each.faults) or "a newer one counts", each.made, each.partial)


def _compared(table: Table, made: list[Line]) -> list[Line]:
    """Add the parenthesised comparisons, as they follow from the measurements."""
    by_row = {line.row: line for line in made}
    compared = []
    for row, line in zip(table.rows, made, strict=True):
        base = table.row(row.base) if row.base else None
        cells = dict(line.cells)
        for metric, cell in line.cells.items():
            printed = row.cells[metric].comparison
            if base is None or printed is None:
                continue
            against = by_row[base.id].cells[metric]
            own, other = _compares(cell), _compares(against)
            known = None if own is None or other is None else derived(row, base, metric, (own, other))
            comparison = Compared(printed.text, known.text if known else None, base.label)
            notes = [cell.note] if cell.note else []
            if comparison.verdict == Word.OFF and against.verdict == Word.OFF:
                notes.append(f"the comparison rests on {base.label}'s published {against.printed}")
            cells[metric] = replace(cell, comparison=comparison, note="; ".join(notes) or None)
        compared.append(replace(line, cells=cells))
    return compared


def _compares(cell: ReportedCell) -> Decimal | None:
    """The measurement as it would have been printed, where it may be compared."""
    return Decimal(cell.measured) if cell.measured is not None and cell.verdict != "unmeasured" else None
