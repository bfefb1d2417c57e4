"""`cspbench report`: every published table with what was measured, in any form."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cspbench.cli import options
from cspbench.cli.arguments import read_cfg
from cspbench.cli.choices import Format
from cspbench.cli.reports import trained_parts
from cspbench.cli.terminal.printing import Style, print_blocks
from cspbench.cli.terminal.progress import listener as terminal
from cspbench.errors import UsageError
from cspbench.report.forms import ReportFormat


def report(
    runs: Annotated[
        list[Path] | None, typer.Argument(metavar="RUN...", help="Runs, trainings, or folders of them.")
    ] = None,
    results: options.ResultsOption = Path("results"),
    form: Annotated[
        ReportFormat | None,
        typer.Option("--format", help="md, or by the suffix of --out; on a terminal short tables by default."),
    ] = None,
    out: options.OutOption = None,
    saving: options.SaveOption = False,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="VERDICT", help="Only rows containing a cell with this verdict; repeatable."),
    ] = None,
    table: options.TableOption = None,
    own_tables: options.TablesOption = None,
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
    wide: options.WideOption = False,
    legend: options.LegendOption = False,
) -> None:
    """Show every table: claim, measurement and verdict.

    Verdicts: exact, close (within the metric's tolerance), fitted (a stand-in), off, missed (a stand-in that is off),
    consistent and inconsistent (a part drawn at random), unmeasured, unpublished; and partial, a part of the data. Of
    several runs of one cell the newest that is complete counts; the others are listed. Findings come first. The same
    results give the same bytes. Trainings have a part of their own, with seeds, spread and gains, and no verdict;
    so have the studies in results/studies.

    --save writes every form, the figures as PNG, SVG and PDF, and the runs' records to --results.
    """
    from cspbench.claims import tables
    from cspbench.claims.verdict import FAILED
    from cspbench.io import write_text
    from cspbench.plots.report_files import drawn, save, with_curves
    from cspbench.report.brief import brief
    from cspbench.report.build import sources
    from cspbench.report.forms import format_of, rendered
    from cspbench.report.markdown import like_readme as readme
    from cspbench.report.select import check_names, select
    from cspbench.report.speed import of_tables
    from cspbench.report.yours import all_tables, every_row

    listener = terminal()
    if migrating is not None or cfgs:
        if migrating is None or runs or saving or form or out or only or table or like_readme or strict:
            raise UsageError(
                "usage.migrate-alone", "--migrate goes alone, or with --cfg", remedy="Migrate first, then report"
            )
        _migrate(migrating, cfgs or [])
        return
    if saving and (only or table or like_readme):
        raise UsageError(
            "usage.save-part", "--save writes the whole report", remedy="Leave out --only, --table and --like-readme"
        )
    short = sys.stdout.isatty() and not (form or out or saving or like_readme)
    form = form or (format_of(out) if out else None if saving else ReportFormat.MD)
    if like_readme and form is not ReportFormat.MD:
        raise UsageError(
            "usage.like-readme-format",
            "--like-readme is markdown",
            found=f"--format {form}",
            remedy="Leave --format out",
        )
    every = all_tables()
    if table:
        table = tables.matching(table, [claimed.name for claimed in every])
    names = table or [claimed.name for claimed in every if claimed.kind == "published" or not like_readme]
    check_names(every, names, only or ())
    if saving:
        written, rows = save(results, runs or [], listener.note)
        measured, runs = sources(results), None
        for path in written:
            listener.note(f"wrote {path}")
    else:
        measured = sources(results, runs or [])
        rows = every_row(measured)
    shown = select(rows, every, names, only or ())
    speeds = of_tables(measured.speeds, [section.table for section in shown]) if table or only else measured.speeds
    retrained = trained_parts.retrained(every, results, runs or [], table) if not (only or like_readme) else []
    studies = trained_parts.studies(results, table) if not (only or like_readme) else []
    if short:
        print_blocks(list(brief(shown, retrained, speeds, studies)), Style(Format.RICH, wide, legend))
    elif form is not None:
        html = form is ReportFormat.HTML
        plots = drawn(rows, [section.table for section in shown], listener.note, studies) if html else []
        drawings = [plot.svg for plot in with_curves(plots, studies)]
        parts = measured.evaluations, retrained, speeds, studies
        text = readme(shown) if like_readme else rendered(form, shown, drawings, *parts)
        if out is None or str(out) == "-":
            typer.echo(text, nl=False)
        else:
            write_text(out, text, named=True)
            listener.note(f"wrote {out}")
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
