"""A results directory's report in every format, with its plots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from cspbench.claims.model import Table
from cspbench.io import write_text
from cspbench.plots.figures import Plot, plots
from cspbench.report.build import sources
from cspbench.report.forms import SUFFIXES, rendered
from cspbench.report.model import ReportRow
from cspbench.report.select import select
from cspbench.report.yours import all_tables, every_row
from cspbench.results.runs import find_runs
from cspbench.results.store import keep

Say = Callable[[str], None]


def drawn(rows: Sequence[ReportRow], of_tables: Sequence[Table], say: Say) -> list[Plot]:
    """The report's plots; none without matplotlib, which is said."""
    if find_spec("matplotlib") is None:
        say("no plots: they need matplotlib, install cspbench[plot]")
        return []
    return plots(rows, of_tables)


def save(results: Path, runs: Sequence[Path], say: Say) -> tuple[list[Path], list[ReportRow]]:
    """Copy the records of complete runs into a results directory and write its report there in every format.

    The report covers the directory alone, so that it can be made again from it; figures are PNG, SVG and PDF. Returns
    the paths of the written files and the report's rows. Incomplete runs are named to `say`.
    """
    paths = find_runs(runs)
    written = keep(results, paths)
    saved = {record.stem for record in written}
    for path in paths:
        if path.resolve().name not in saved:
            say(f"{path}: incomplete, not kept")
    measured, every = sources(results), all_tables()
    rows = every_row(measured)
    shown, figures = select(rows, every), drawn(rows, every, say)
    drawings = [figure.svg for figure in figures]
    for suffix, form in SUFFIXES.items():
        written.append(results / f"report{suffix}")
        write_text(written[-1], rendered(form, shown, drawings, measured.evaluations, measured.speeds))
    for figure in figures:
        written += figure.save(results)
    return written, rows
