"""A results directory's report in every format, with its plots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from cspbench.claims.model import Table
from cspbench.io import write_text
from cspbench.plots import studies
from cspbench.plots.figures import Plot, plots
from cspbench.report.build import sources
from cspbench.report.forms import SUFFIXES, ReportFormat, rendered
from cspbench.report.model import ReportRow
from cspbench.report.retrained.lines import build
from cspbench.report.select import select
from cspbench.report.yours import all_tables, every_row
from cspbench.results.store import keep, of_run
from cspbench.retrained.folders import collect, is_retrained, split
from cspbench.retrained.folders import keep as keep_retrained
from cspbench.retrained.studies import Study, stored

Say = Callable[[str], None]


def drawn(
    rows: Sequence[ReportRow], of_tables: Sequence[Table], say: Say, of_studies: Sequence[Study] = ()
) -> list[Plot]:
    """The report's plots; none without matplotlib, which is said."""
    if find_spec("matplotlib") is None:
        say("no plots: they need matplotlib, install cspbench[plot]")
        return []
    return [*plots(rows, of_tables), *(plot for study in of_studies for plot in studies.plots(study))]


def with_curves(figures: Sequence[Plot], of_studies: Sequence[Study]) -> list[Plot]:
    """The plots of the HTML page, which also shows learning curves, where there are plots at all."""
    return [*figures, *(plot for study in of_studies if figures for plot in studies.curves(study))]


def save(results: Path, runs: Sequence[Path], say: Say) -> tuple[list[Path], list[ReportRow]]:
    """Copy the records of complete runs into a results directory and write its report there in every format.

    The report covers the directory alone, so that it can be made again from it; figures are PNG, SVG and PDF. Returns
    the paths of the written files and the report's rows. Incomplete runs are named to `say`.
    """
    paths = [path for path in split(runs)[0] if not is_retrained(of_run(path))]
    written = keep(results, paths)
    kept = collect(None, runs)
    for note in kept.notes:
        say(note)
    trainings = keep_retrained(results, kept.retrainings)
    saved = {record.stem for record in written}
    for path in paths:
        if path.resolve().name not in saved:
            say(f"{path}: incomplete, not kept")
    measured, every = sources(results), all_tables()
    rows = every_row(measured)
    retrained, _ = build(every, results)
    kept_studies, unread = stored(results)
    for note in unread:
        say(note)
    shown, figures = select(rows, every), drawn(rows, every, say, kept_studies)
    written += trainings
    for suffix, form in SUFFIXES.items():
        written.append(results / f"report{suffix}")
        drawings = [plot.svg for plot in (with_curves(figures, kept_studies) if form is ReportFormat.HTML else figures)]
        parts = measured.evaluations, retrained, measured.speeds, kept_studies
        write_text(written[-1], rendered(form, shown, drawings, *parts))
    for figure in figures:
        written += figure.save(results)
    return written, rows
