"""Baselines: a results directory, a report.json, a params.json alone, or git:REF."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cspbench.ci import git, past_claims
from cspbench.ci.causes import causes
from cspbench.ci.diff import Changes, compare
from cspbench.ci.recorded_counts import as_recorded, networks, stale, then, with_counts
from cspbench.ci.tolerances import Tolerances
from cspbench.claims import numbers, tables
from cspbench.claims.metrics import COUNTED, of_family
from cspbench.claims.verdict import Status
from cspbench.errors import CspbenchError, brief
from cspbench.io import read_file
from cspbench.report import build
from cspbench.report import model as cells
from cspbench.report.model import ReportCell, ReportRow
from cspbench.report.yours import NAMES, every_row, yours
from cspbench.results.counts import Counts
from cspbench.results.measurements import of_evaluation
from cspbench.results.store import LARGEST, Sources, StoredCounts, files_of, of_files, record_of

GIT = "git:"
SPEEDS = of_family("speed")


@dataclass(frozen=True)
class Results:
    """The lines of a baseline or of the present results, their name, and the files of counts they come from."""

    lines: list[ReportRow]
    name: str
    counts: tuple[StoredCounts, ...] | None = None
    """None for a report.json, which holds only the columns of the tables."""
    counts_only: bool = False
    """Whether only counts can be compared with them."""
    silent: frozenset[str] = frozenset()
    """The tables that they do not cover."""
    partial: tuple[str, ...] = ()
    """The named runs that are of a part of the data."""
    unrelated: bool = False
    """Whether they are of a commit that has no known ancestor in common with HEAD."""


def load(text: str, results: Path) -> Results:
    """The baseline that `text` names, for the results in that directory.

    Raises `CspbenchError` naming the file or commit for anything that is not a baseline.
    """
    if text.startswith(GIT):
        reference, colon, path = text.removeprefix(GIT).partition(":")
        past = git.read(reference, path if colon else None, results)
        claimed = past_claims.of_tables(past.tables, f"{text}, its tables") if past.tables else None
        recorded = _recorded(of_files(past.files, text), text, past.report, claimed)
        return replace(recorded, name=past.commit, unrelated=past.unrelated)
    place = Path(text)
    if _is_folder(place):
        files = files_of(place)
        if not files:
            raise _unusable(text, "a folder without results")
        report = place / git.REPORT
        return _recorded(of_files(files, text), text, _bytes(report, str(report)) if report.exists() else None)
    data = _bytes(place, text)
    document = _document(data, text)
    if "rows" not in document:
        raise _unusable(text, "other JSON")
    if document.keys() - {"findings", "speeds"} == {"schema", "rows"}:
        return Results(sound(cells.read(document, text), text), text)
    counts = StoredCounts(text, record_of(data, Counts, text))
    recorded = replace(_recorded(Sources((counts,), ()), text), counts_only=True)
    # params.json and sample-params.json do not cover each other's tables
    counted = {str(row.table) for row in counts.record.rows}
    sample = {table.name for table in tables.load_all(kind="sample")}
    published = {line.table for line in recorded.lines} - sample
    silent = frozenset().union(*(names for names in (sample, published) if not names & counted))
    return replace(recorded, silent=silent)


def present(results: Path, runs: Sequence[Path] = ()) -> Results:
    """The present contents of the results directory and of run directories.

    A named run that is partial makes every cell that it measured partial, even where there is a better measurement.
    """
    sources = build.from_disk(results, runs)
    lines = every_row(sources)
    partial = [run for run in build.of_runs(runs) if run.partial or any(cell.partial for cell in of_evaluation(run))]
    if partial:
        parts = {(part.table, part.row): part for part in every_row(Sources((), tuple(partial)))}
        lines = [_with_partial(line, parts.get((line.table, line.row), line)) for line in lines]
    names = tuple(run.name for run in partial)
    return Results(sound(lines, str(results)), str(results), sources.counts, partial=names)


def _with_partial(line: ReportRow, part: ReportRow) -> ReportRow:
    """A line with the partial measurements of another in place of its own."""
    return replace(line, cells={**line.cells, **{key: cell for key, cell in part.cells.items() if cell.partial}})


def changes_since(baseline: Results, now: Results, tolerances: Tolerances) -> Changes:
    """What changed since a baseline, in the tables that it covers; of your models, those that it has."""
    old, new = ([line for line in lines if line.table not in baseline.silent] for lines in (baseline.lines, now.lines))
    known = {(line.table, line.row) for line in old}
    new = [line for line in new if line.table not in NAMES or (line.table, line.row) in known]
    outdated = stale(now.counts or ())
    if baseline.counts is None or now.counts is None:
        return compare(old, new, tolerances, stale=outdated)
    new = sound(with_counts(new, now.counts), now.name)
    if baseline.counts_only:
        old, new = [_counted(line) for line in old], [_counted(line) for line in new]
    digests = networks(baseline.counts), networks(now.counts)
    records = [[stored.record for stored in counts] for counts in (baseline.counts, now.counts)]
    return compare(old, new, tolerances, digests, outdated, causes(*records))


def _counted(line: ReportRow) -> ReportRow:
    return replace(line, cells={metric: cell for metric, cell in line.cells.items() if metric in COUNTED})


def sound(lines: Sequence[ReportRow], where: str) -> list[ReportRow]:
    """The lines without speeds, if every row is unique and every number valid; raises `CspbenchError` otherwise."""
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
    return [_without_speeds(line) for line in lines]


def _without_speeds(line: ReportRow) -> ReportRow:
    """A row without measured frame rates, which are of the machine: their claims alone are compared."""
    bare = {"measured": None, "exact": None, "interval": None, "note": None, "provenance": None, "others": ()}
    speeds = {metric: cell for metric, cell in line.cells.items() if cell.metric in SPEEDS}
    unmeasured = {metric: replace(cell, **bare) for metric, cell in speeds.items()}  # type: ignore[arg-type]
    return replace(line, cells={**line.cells, **unmeasured}) if speeds else line


def _check(cell: ReportCell, where: str) -> None:
    texts = (cell.metric, cell.header, cell.printed, cell.unit)
    if not all(isinstance(text, str) for text in texts) or cell.verdict not in set(map(str, Status)):
        raise _unusable(where, f"a cell with verdict {cell.verdict!r}")
    others = (other.measured for other in cell.others)
    for text in (cell.claim, cell.measured, cell.exact, cell.delta, cell.tolerance, *others):
        if text is not None:
            try:
                numbers.parse(text)
            except ValueError:
                raise _unusable(f"{where}, {brief(cell.header)}", f"the number {brief(text)!r}") from None


def _recorded(
    sources: Sources, where: str, report: bytes | None = None, claimed: list[ReportRow] | None = None
) -> Results:
    """Recorded measurements with the claims of their time: those of the tables, else those in the records."""
    lines = [*build.rows(sources, then(sources.counts)), *yours(sources)]
    if claimed is None and report is not None:
        # claims recorded with the counts may be newer than the report
        place = f"{where}/{git.REPORT}"
        lines = past_claims.with_claims(lines, sound(cells.read(_document(report, place), place), place))
    lines = as_recorded(lines, sources.counts)
    if claimed is not None:
        lines = past_claims.with_claims(lines, claimed)
    return Results(sound(lines, where), where, sources.counts)


def _document(data: bytes, where: str) -> dict[str, Any]:
    """Parse a JSON object of any content."""
    try:
        document = json.loads(data)
        if not isinstance(document, dict):
            raise ValueError("not an object")
    except (ValueError, RecursionError) as error:
        raise _unusable(where, str(error) or "nested too deeply") from None
    return document


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        # not a possible file name; opening it raises the error
        return False


def _bytes(path: Path, text: str) -> bytes:
    try:
        return read_file(path, LARGEST)
    except (OSError, ValueError) as error:
        raise _unusable(text, getattr(error, "strerror", None) or str(error)) from None


def _unusable(where: str, found: Any) -> CspbenchError:
    what, found = "not a baseline", brief(str(found), 120)
    expected = "a results directory, a report.json, a params.json or git:REF"
    remedy = "Make one with `cspbench params --all --save` or `cspbench report --save`"
    return CspbenchError("baseline.not-a-baseline", what, where=where, expected=expected, found=found, remedy=remedy)
