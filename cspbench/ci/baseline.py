"""What results are compared with: a results directory, a report.json, a params.json alone, or git:REF."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from cspbench.ci import git, past_claims
from cspbench.ci.diff import Changes, compare
from cspbench.ci.recorded_counts import as_recorded, networks, stale, then, with_counts
from cspbench.ci.tolerances import COUNTED, Tolerances
from cspbench.claims import tables
from cspbench.claims.verdict import Reason, Word
from cspbench.errors import CspbenchError, brief
from cspbench.io import read_file
from cspbench.report import build
from cspbench.report import model as cells
from cspbench.report.model import Line, ReportedCell
from cspbench.results.store import LARGEST, Counts, Sources, checked_counts, files_of, of_files, parsed

GIT = "git:"


@dataclass(frozen=True)
class Results:
    """The lines of a baseline or of the present, what to call them, and the files of counts they were gathered from."""

    lines: list[Line]
    name: str
    counts: tuple[Counts, ...] | None = None
    """None for a report.json, which keeps only what tables have columns for."""
    counts_only: bool = False
    """Whether they can be nothing but counts, so that nothing else is to be compared with them."""
    silent: frozenset[str] = frozenset()
    """The tables that they cannot speak of."""
    partial: tuple[str, ...] = ()
    """The runs that were asked about and are of a part of the data only."""


def load(text: str, results: Path) -> Results:
    """The baseline that `text` names, for the results in that directory.

    Raises `CspbenchError` naming the file or commit for anything that is not one, whatever is in it.
    """
    if text.startswith(GIT):
        reference, colon, path = text.removeprefix(GIT).partition(":")
        past = git.read(reference, path if colon else None, results)
        claimed = past_claims.of_tables(past.tables, f"{text}, its tables") if past.tables else None
        return replace(_recorded(of_files(past.files, text), text, past.report, claimed), name=past.commit)
    place = Path(text)
    if _is_folder(place):
        files = files_of(place)
        if not files:
            raise _unusable(text, "a folder without results")
        report = place / git.REPORT
        return _recorded(of_files(files, text), text, _bytes(report, str(report)) if report.exists() else None)
    data = _bytes(place, text)
    document = parsed(data, text)
    if "lines" in document:
        return Results(sound(cells.read(document, text), text), text)
    if "rows" not in document:
        raise _unusable(text, "other JSON")
    counts = checked_counts(document, text)
    alone = replace(_recorded(Sources((counts,), ()), text), counts_only=True)
    # params.json and sample-params.json are silent about each other's tables
    counted = {str(row["table"]) for row in counts.data["rows"]}
    sample = {table.name for table in tables.load_all(kind="sample")}
    published = {line.table for line in alone.lines} - sample
    return replace(alone, silent=frozenset().union(*(each for each in (sample, published) if not each & counted)))


def present(results: Path, runs: Sequence[Path] = ()) -> Results:
    """The results directory, and run directories, as they are now.

    A run that somebody asks about is never passed over: where it is partial, so is every cell that it measured.
    """
    sources = build.from_disk(results, runs)
    partial = tuple(each.name for each in build.of_runs(runs) if each.partial)
    lines = [_shown(line, partial) for line in build.lines(sources)]
    return Results(sound(lines, str(results)), str(results), sources.counts, partial=partial)


def _shown(line: Line, partial: Sequence[str]) -> Line:
    """A line with the measurements of those partial runs in the place of better ones."""
    cells = dict(line.cells)
    for metric, cell in cells.items():
        asked = [other for other in cell.others if other.partial and other.made.run in partial]
        if asked:
            cells[metric] = replace(
                cell,
                measured=asked[0].measured,
                exact=asked[0].measured,
                made=asked[0].made,
                delta=None,
                interval=None,
                verdict=cell.verdict if cell.claim is None else str(Word.UNMEASURED),
                reason=None if cell.claim is None else str(Reason.PARTIAL),
                partial=True,
            )
    return replace(line, cells=cells)


def compared(baseline: Results, now: Results, tolerances: Tolerances) -> Changes:
    """What changed since a baseline, of all that the baseline can speak about."""
    old, new = ([line for line in lines if line.table not in baseline.silent] for lines in (baseline.lines, now.lines))
    outdated = stale(now.counts or ())
    if baseline.counts is None or now.counts is None:
        return compare(old, new, tolerances, stale=outdated)
    new = sound(with_counts(new, now.counts), now.name)
    if baseline.counts_only:
        old, new = [_counted(line) for line in old], [_counted(line) for line in new]
    digests = networks(baseline.counts), networks(now.counts)
    return compare(old, new, tolerances, digests, outdated)


def _counted(line: Line) -> Line:
    return replace(line, cells={metric: cell for metric, cell in line.cells.items() if metric in COUNTED})


def sound(lines: Sequence[Line], where: str) -> list[Line]:
    """The lines, if every row is there once and every number is one; raises `CspbenchError` otherwise."""
    seen = set()
    for line in lines:
        for cell in line.cells.values():
            _check(cell, f"{where}, {brief(line.table)}, {brief(line.row)}")
        if (line.table, line.row) in seen:
            raise _unusable(f"{where}, {brief(line.table)}, {brief(line.row)}", "this row twice")
        seen.add((line.table, line.row))
    try:
        json.dumps(list(lines), default=vars, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise _unusable(where, str(error)) from None
    return list(lines)


def _check(cell: ReportedCell, where: str) -> None:
    texts = (cell.metric, cell.header, cell.printed, cell.unit)
    known = {str(word) for word in Word}
    if not all(isinstance(text, str) for text in texts) or cell.verdict not in known:
        raise _unusable(where, f"a cell with verdict {cell.verdict!r}")
    for text in (cell.measured, cell.exact):
        if text is not None and not _is_number(text):
            raise _unusable(f"{where}, {brief(cell.header)}", f"the measurement {text!r}")


def _is_number(text: str) -> bool:
    """Whether a text is a finite decimal of a size that measurements have, so that arithmetic with it is exact."""
    try:
        value = Decimal(text) if len(text) <= 100 else Decimal("NaN")
    except ArithmeticError:
        return False
    return value.is_finite() and abs(value.adjusted()) <= 40 and abs(int(value.as_tuple().exponent)) <= 100


def _recorded(sources: Sources, where: str, report: bytes | None = None, claimed: list[Line] | None = None) -> Results:
    """What was measured, with the claims of then: those of the tables, else those that were recorded."""
    lines = as_recorded(build.lines(sources, then(sources.counts)), sources.counts)
    if claimed is None and report is not None:
        place = f"{where}/{git.REPORT}"
        claimed = _beside_counts(sound(cells.read(parsed(report, place), place), place), lines, sources)
    if claimed is not None:
        lines = past_claims.with_claims(lines, claimed)
    return Results(sound(lines, where), where, sources.counts)


def _beside_counts(report: list[Line], lines: list[Line], sources: Sources) -> list[Line]:
    """A report with the claims that were recorded with the counts: it may be older than these."""
    counted = {(row["table"], row["id"]) for each in sources.counts for row in each.data["rows"] if row["table"]}
    recorded = {
        (line.table, line.row): {metric: line.cells[metric] for metric in COUNTED if metric in line.cells}
        for line in lines
        if (line.table, line.row) in counted
    }
    known = [replace(line, cells={**line.cells, **recorded.get((line.table, line.row), {})}) for line in report]
    rest = {(line.table, line.row) for line in report}
    return known + [
        replace(line, cells=recorded[line.table, line.row])
        for line in lines
        if (line.table, line.row) in recorded and (line.table, line.row) not in rest
    ]


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        # a name that no file can have; opening it says so
        return False


def _bytes(path: Path, text: str) -> bytes:
    try:
        return read_file(path, LARGEST)
    except (OSError, ValueError) as error:
        raise _unusable(text, getattr(error, "strerror", None) or str(error)) from None


def _unusable(where: str, found: Any) -> CspbenchError:
    return CspbenchError(
        "baseline.not-a-baseline",
        "not a baseline",
        where=where,
        expected="a results directory, a report.json, a params.json or git:REF",
        found=brief(str(found), 120),
        remedy="Make one with `cspbench params --all --save` or `cspbench report --save`",
    )
