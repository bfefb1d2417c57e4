"""`cspbench report`: every published table with what was measured, in any form."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.claims.model import Table
    from cspbench.plots.figures import Plot
    from cspbench.report.model import Line
    from cspbench.report.select import Shown


class ReportFormat(StrEnum):
    """How the report is written."""

    MD = "md"
    HTML = "html"
    CSV = "csv"
    JSON = "json"
    LATEX = "latex"


_SUFFIXES = {
    ".md": ReportFormat.MD,
    ".html": ReportFormat.HTML,
    ".csv": ReportFormat.CSV,
    ".json": ReportFormat.JSON,
    ".tex": ReportFormat.LATEX,
}


def report(
    runs: Annotated[
        list[Path] | None, typer.Argument(metavar="[RUN]...", help="Run directories, or folders of them.")
    ] = None,
    results: Annotated[Path, typer.Option("--results", help="Where results are kept.")] = Path("results"),
    form: Annotated[
        ReportFormat | None, typer.Option("--format", help="How the report is written; md, or by FILE's suffix.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write there instead of to stdout.")] = None,
    saving: Annotated[
        bool,
        typer.Option("--save", help="Write every form, the plots and the runs' records to --results."),
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="MARK", help="Rows with such a cell: off, exact, partial, ...")
    ] = None,
    table: Annotated[list[str] | None, typer.Option("--table", help="This table; may be repeated.")] = None,
    like_readme: Annotated[
        bool, typer.Option("--like-readme", help="Tables only, the measurements in place of the claims.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 1 if a cell shown is off and nothing explains it.")
    ] = False,
) -> None:
    """Show every published table with claim, measurement, delta and mark in each cell.

    Marks: exact, within (95 %), fitted (a stand-in), off, unmeasured, unpublished; and partial, a part of the data. Of
    several runs of one cell the newest that is complete counts; the others are listed. The same results give the same
    bytes.
    """
    from cspbench.report.select import select

    if saving and (only or table or like_readme):
        raise UsageError(
            "usage.save-part",
            "--save writes the whole report",
            remedy="Leave --only, --table and --like-readme out, or --save",
        )
    form = form or _of_suffix(out)
    if form is None and not saving:
        form = ReportFormat.MD
    if like_readme and form is not ReportFormat.MD:
        raise UsageError(
            "usage.like-readme-format",
            "--like-readme is markdown",
            found=f"--format {form}",
            remedy="Leave --format out",
        )
    every = _tables()
    names = table or [each.name for each in every if each.kind == "published" or not like_readme]
    select((), every, names, only or ())  # a wrong name is said before anything is read
    if saving:
        _wrote(save(results, runs or []))
    found = _found(results, runs or [])
    if form is not None:
        shown = select(found, every, names, only or ())
        plots = _plots(found, [each.table for each in shown]) if form is ReportFormat.HTML else []
        _write(_text(form, shown, plots, like_readme), out)
    cells = [cell for each in select(found, every, names, only or ()) for cell in each.cells]
    if strict and any(cell.verdict == "off" and not cell.explained for cell in cells):
        raise typer.Exit(1)


def _of_suffix(out: Path | None) -> ReportFormat | None:
    """What a file's name asks for; a pipe or a device asks for nothing but markdown."""
    if out is None:
        return None
    if out.suffix.lower() in _SUFFIXES:
        return _SUFFIXES[out.suffix.lower()]
    if not out.suffix or (out.exists() and not out.is_file()):
        return ReportFormat.MD
    raise UsageError(
        "usage.unknown-suffix",
        "unknown kind of report",
        where=str(out),
        expected=", ".join(_SUFFIXES),
        found=out.suffix,
        remedy="Choose such a suffix, or say --format",
    )


def save(results: Path, runs: list[Path]) -> list[Path]:
    """Keep the records of complete runs in a results directory and write its report there in every form.

    The report is of what the directory holds then, so that it can be made again from the directory alone.
    """
    from cspbench.inference.run import find_runs
    from cspbench.io import write_bytes, write_text
    from cspbench.report.build import gather
    from cspbench.report.select import select
    from cspbench.results.store import keep

    paths = find_runs(runs)
    written = keep(results, paths)
    for path in paths:
        if path.name not in [each.stem for each in written]:
            typer.echo(f"cspbench: {path}: incomplete, not kept", err=True)
    found = gather(results)
    plots, shown = _plots(found, _tables()), select(found, _tables())
    for form in ReportFormat:
        written.append(results / f"report.{'tex' if form is ReportFormat.LATEX else form}")
        write_text(written[-1], _text(form, shown, plots))
    for plot in plots:
        written.append(results / f"{plot.name}.png")
        write_bytes(written[-1], plot.png)
    return written


def list_off(results: Path) -> str:
    """The published cells that are off, as a markdown table; "" where none is."""
    from cspbench.report.build import gather
    from cspbench.report.markdown import off

    return off(gather(results), _tables())


def _tables() -> tuple[Table, ...]:
    from cspbench.claims import tables

    return (*tables.load_all(), *tables.load_all(kind="sample"))


def _found(results: Path, runs: list[Path]) -> list[Line]:
    """The lines of the results and the runs, or of runs alone where there are no results yet."""
    from cspbench.inference.run import find_runs
    from cspbench.report.build import gather, lines
    from cspbench.results.store import Sources, of_run

    if runs and not results.exists():
        return lines(Sources((), tuple(map(of_run, find_runs(runs)))))
    return gather(results, runs)


def _plots(found: Sequence[Line], shown: Sequence[Table]) -> list[Plot]:
    from importlib.util import find_spec

    from cspbench.plots.figures import plots

    if find_spec("matplotlib") is None:
        typer.echo("cspbench: no plots: they need matplotlib, install cspbench[plot]", err=True)
        return []
    return plots(found, shown)


def _text(form: ReportFormat, shown: Sequence[Shown], plots: Sequence[Plot], like_readme: bool = False) -> str:
    """The report in one form; half characters, which JSON can hold and no file can, as their escapes."""
    return _rendered(form, shown, plots, like_readme).encode("utf-8", "backslashreplace").decode()


def _rendered(form: ReportFormat, shown: Sequence[Shown], plots: Sequence[Plot], like_readme: bool) -> str:
    if like_readme:
        from cspbench.report.markdown import like_readme as pasted

        return pasted(shown)
    if form is ReportFormat.MD:
        from cspbench.report.markdown import markdown

        return markdown(shown, [f"{plot.name}.png" for plot in plots])
    if form is ReportFormat.HTML:
        from cspbench.report.html import html

        return html(shown, [plot.svg for plot in plots])
    if form is ReportFormat.JSON:
        from cspbench.report.model import as_json

        return json.dumps(as_json(line for each in shown for line in each.lines), indent=1, ensure_ascii=False) + "\n"
    from cspbench.report import csv_latex

    return csv_latex.as_csv(shown) if form is ReportFormat.CSV else csv_latex.as_latex(shown)


def _write(text: str, out: Path | None) -> None:
    from cspbench.io import write_text

    if out is None:
        typer.echo(text, nl=False)
    else:
        write_text(out, text, named=True)
        _wrote([out])


def _wrote(paths: Sequence[Path]) -> None:
    for path in paths:
        typer.echo(f"cspbench: wrote {path}", err=True)
