"""`cspbench report`: every published table with what was measured, in any form."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cspbench.cli import options
from cspbench.cli.arguments import read_cfg
from cspbench.cli.progress import listener as terminal
from cspbench.errors import UsageError
from cspbench.report.forms import ReportFormat

if TYPE_CHECKING:
    from cspbench.claims.model import Table
    from cspbench.plots.figures import Plot
    from cspbench.report.model import ReportRow


def report(
    runs: Annotated[
        list[Path] | None, typer.Argument(metavar="RUN...", help="Run directories, or folders of them.")
    ] = None,
    results: options.ResultsOption = Path("results"),
    form: Annotated[
        ReportFormat | None, typer.Option("--format", help="How the report is written; md, or by the suffix of --out.")
    ] = None,
    out: options.OutOption = None,
    saving: options.SaveOption = False,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="VERDICT", help="Only rows containing a cell with this verdict; repeatable."),
    ] = None,
    table: options.TableOption = None,
    like_readme: Annotated[
        bool, typer.Option("--like-readme", help="Tables only, the measurements in place of the claims.")
    ] = False,
    migrating: Annotated[
        Path | None,
        typer.Option("--migrate", metavar="DIR", help="Only rewrite results or runs of an earlier version."),
    ] = None,
    cfgs: Annotated[
        list[Path] | None,
        typer.Option("--cfg", metavar="FILE", help="With --migrate: a .cfg that runs there were made with."),
    ] = None,
    strict: options.StrictOption = False,
) -> None:
    """Show every published table with claim, measurement, delta and verdict in each cell.

    Verdicts: exact, close (within the metric's tolerance), fitted (a stand-in), off, consistent and inconsistent (a
    part drawn at random), unmeasured, unpublished; and partial, a part of the data. Of several runs of one cell the
    newest that is complete counts; the others are listed. The same results give the same bytes.

    --save writes every form, the plots and the runs' records to --results.
    """
    from cspbench.claims.verdict import FAILED
    from cspbench.report.forms import format_of, rendered
    from cspbench.report.markdown import like_readme as readme
    from cspbench.report.select import check_names, select

    if migrating is not None or cfgs:
        if migrating is None or runs or saving or form or out or only or table or like_readme or strict:
            raise UsageError(
                "usage.migrate-alone",
                "--migrate goes alone",
                expected="--migrate DIR, with --cfg where runs were made with one",
                remedy="Migrate first, then make the report",
            )
        _migrate(migrating, cfgs or [])
        return
    if saving and (only or table or like_readme):
        raise UsageError(
            "usage.save-part",
            "--save writes the whole report",
            remedy="Leave --only, --table and --like-readme out, or --save",
        )
    form = form or (format_of(out) if out else None if saving else ReportFormat.MD)
    if like_readme and form is not ReportFormat.MD:
        raise UsageError(
            "usage.like-readme-format",
            "--like-readme is markdown",
            found=f"--format {form}",
            remedy="Leave --format out",
        )
    every = all_tables()
    names = table or [claimed.name for claimed in every if claimed.kind == "published" or not like_readme]
    check_names(every, names, only or ())
    if saving:
        written, rows = save(results, runs or [])
        _say_written(written)
    else:
        from cspbench.report.build import build

        rows = build(results, runs or [])
    shown = select(rows, every, names, only or ())
    if form is not None:
        plots = _plots(rows, [section.table for section in shown]) if form is ReportFormat.HTML else []
        text = readme(shown) if like_readme else rendered(form, shown, [plot.svg for plot in plots])
        _write(text, out)
    if strict and any(cell.verdict in FAILED for section in shown for cell in section.cells):
        raise typer.Exit(1)


def _migrate(folder: Path, cfgs: list[Path]) -> None:
    """Rewrite the files of earlier versions in a folder, and name them."""
    from cspbench.results.folders import migrate_folder

    listener = terminal()
    written = migrate_folder(folder, [read_cfg(path, listener) for path in cfgs])
    for path in written:
        listener.note(f"migrated {path}")
    if not written:
        listener.note(f"nothing in {folder} is of an earlier version")


def save(results: Path, runs: list[Path]) -> tuple[list[Path], list[ReportRow]]:
    """Copy the records of complete runs into a results directory and write its report there in every format.

    The report covers the directory alone, so that it can be made again from it. Returns the paths of the written files
    and the report's rows.
    """
    from cspbench.io import write_bytes, write_text
    from cspbench.report.build import build
    from cspbench.report.forms import SUFFIXES, rendered
    from cspbench.report.select import select
    from cspbench.results.runs import find_runs
    from cspbench.results.store import keep

    paths = find_runs(runs)
    records = keep(results, paths)
    for path in paths:
        if path.resolve().name not in [record.stem for record in records]:
            terminal().note(f"{path}: incomplete, not kept")
    rows, every = build(results), all_tables()
    shown, plots = select(rows, every), _plots(rows, every)
    drawings = [plot.svg for plot in plots]
    reports = {results / f"report{suffix}": form for suffix, form in SUFFIXES.items()}
    for path, form in reports.items():
        write_text(path, rendered(form, shown, drawings))
    pictures = {results / f"{plot.name}.png": plot.png for plot in plots}
    for path, picture in pictures.items():
        write_bytes(path, picture)
    return [*records, *reports, *pictures], rows


def all_tables() -> tuple[Table, ...]:
    """The published tables, then the sample's."""
    from cspbench.claims import tables

    return (*tables.load_all(), *tables.load_all(kind="sample"))


def _plots(rows: Sequence[ReportRow], tables: Sequence[Table]) -> list[Plot]:
    if find_spec("matplotlib") is None:
        terminal().note("no plots: they need matplotlib, install cspbench[plot]")
        return []
    from cspbench.plots.figures import plots

    return plots(rows, tables)


def _write(text: str, out: Path | None) -> None:
    from cspbench.io import write_text

    if out is None:
        typer.echo(text, nl=False)
    else:
        write_text(out, text, named=True)
        _say_written([out])


def _say_written(paths: Sequence[Path]) -> None:
    for path in paths:
        terminal().note(f"wrote {path}")
