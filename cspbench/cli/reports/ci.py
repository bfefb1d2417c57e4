"""`cspbench ci`: results compared with a baseline's, for a gate that fails when a number changes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cspbench.ci.tolerances import DEFAULT
from cspbench.cli import options
from cspbench.cli.choices import Format
from cspbench.cli.terminal.printing import Style, print_blocks


def ci(
    baseline: Annotated[
        str,
        typer.Option(
            "--baseline",
            metavar="DIR|FILE|git:REF",
            help="A results directory, a report.json, a params.json, or the results directory as it was where HEAD "
            "branched off from REF (git:REF:FOLDER for another folder).",
        ),
    ],
    runs: Annotated[
        list[Path] | None, typer.Argument(metavar="RUN...", help="Run directories, or folders of runs, to add.")
    ] = None,
    results: options.ResultsOption = Path("results"),
    own_tables: options.TablesOption = None,
    fail_on: Annotated[
        str,
        typer.Option(
            "--fail-on",
            metavar="METRIC:TOLERANCE,...",
            help="What may move and how far: params and bflops in percent, top1, top5, ap, ap50, ... in points; top1 "
            "covers top5, ap the other APs. What is left out keeps the default.",
        ),
    ] = DEFAULT,
    benchmarks: Annotated[
        Path | None,
        typer.Option(
            "--benchmarks", metavar="FILE", help="Also compare these ratios with benchmarks.json in the baseline."
        ),
    ] = None,
    slower: Annotated[
        float,
        typer.Option("--slower", metavar="PERCENT", min=0, max=100, help="How far a ratio of benchmarks may fall."),
    ] = 20.0,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML, one test case per cell.")
    ] = None,
    summary: Annotated[
        Path | None,
        typer.Option("--summary", metavar="FILE", help="Append the changes as markdown ($GITHUB_STEP_SUMMARY)."),
    ] = None,
    comment: Annotated[
        Path | None,
        typer.Option("--comment", metavar="FILE", help="Write the body of a comment, with a marker to find it again."),
    ] = None,
    form: options.FormatOption = Format.MD,
    wide: options.WideOption = False,
) -> None:
    """Compare results with a baseline and fail where they changed.

    To be run after `cspbench params --all --save`; only what changed is printed. It does not count again. Claims are
    read from the tables at that commit if they are in the same checkout, else from the report.json and params.json of
    the baseline.

    Exit codes: 0 nothing fails; 1 a measurement moved by more than its tolerance, got a worse verdict or vanished, a
    new one is off, a claim changed, or a network did without a new count; 4 a measurement or a RUN is partial, which
    never passes.
    """
    from cspbench.ci import ratios, render
    from cspbench.ci.baseline import changes_since, load, present
    from cspbench.ci.junit import junit as as_junit
    from cspbench.ci.tolerances import parse
    from cspbench.errors import printable
    from cspbench.io import append_text, write_bytes, write_text

    tolerances = parse(fail_on)
    now = present(results, runs or [])
    against = load(baseline, results)
    changes = changes_since(against, now, tolerances)
    if benchmarks is not None:
        changes = changes.beside(ratios.since(baseline, benchmarks, slower))
    if junit is not None:
        write_bytes(junit, as_junit(changes), named=True)
    if summary is not None:
        append_text(
            summary, f"### cspbench ci\n\n{render.markdown(changes, against.name, render.SUMMARY_LIMIT)}\n", named=True
        )
    if comment is not None:
        write_text(comment, render.comment(changes, against.name), named=True)
    if form is Format.RICH:
        print_blocks(render.blocks(changes, against.name), Style(form, wide))
    else:
        typer.echo(render.table(changes, against.name, form.value), nl=False)
    if form in (Format.CSV, Format.LATEX):
        typer.echo(f"cspbench: {changes.summary}", err=True)
    if against.unrelated:
        words = "no ancestor in common with HEAD is known, so the commit itself is the baseline"
        typer.echo(f"cspbench: warning: {baseline}: {words}; in a shallow clone, git fetch --unshallow first", err=True)
    for run in now.partial:
        typer.echo(f"cspbench: run {printable(run)}: of a part of the data only, which never passes", err=True)
    if code := changes.exit_code or (4 if now.partial else 0):
        raise typer.Exit(code)
