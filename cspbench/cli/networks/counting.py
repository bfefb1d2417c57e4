"""Counting with a progress line, and saving counts: for `params` and `demo`."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from cspbench.cli.arguments import command, resized
from cspbench.cli.choices import Format
from cspbench.cli.terminal.failing import report
from cspbench.cli.terminal.printing import Style, print_blocks, print_json
from cspbench.cli.terminal.progress import listener as terminal
from cspbench.errors import CountingError, DefinitionError, UsageError
from cspbench.evaluation.execution import steps

if TYPE_CHECKING:
    from cspbench.evaluation.counts import Countable
    from cspbench.network.counter import Counter
    from cspbench.network.modular.architecture import Architecture
    from cspbench.report.judged_counts import CountsRow
    from cspbench.results.schema import Session
    from cspbench.zoo.model import Model


def overrides_of(countings: Sequence[str]) -> dict[str, str]:
    """The requested countings by metric. Raises `UsageError`."""
    from cspbench.claims.model import unknown
    from cspbench.network.counting import COUNTINGS, PARAMETER_COUNTINGS

    overrides: dict[str, str] = {}
    for name in countings:
        if name not in PARAMETER_COUNTINGS and name not in COUNTINGS:
            known = [*PARAMETER_COUNTINGS, *COUNTINGS]
            raise unknown("usage.unknown-counting", f"unknown counting {name!r}", name, known)
        metric, counted = ("params", "parameters") if name in PARAMETER_COUNTINGS else ("bflops", "operations")
        if overrides.setdefault(metric, name) != name:
            raise UsageError(
                "usage.two-countings",
                f"two countings of {counted}",
                found=f"{overrides[metric]} and {name}",
                remedy="Give one --counting of each, and run once for each",
            )
    return overrides


def counted(
    countables: list[Countable], overrides: Mapping[str, str] | None = None, counter: Counter | None = None
) -> list[CountsRow]:
    """The models' counts and the verdicts on them."""
    from cspbench.evaluation.counts import count_rows, with_bases
    from cspbench.report.judged_counts import judged

    # keeps the collector from walking the objects of torch's import again and again, a fifth of the time
    gc.freeze()
    with terminal().progress("counting", len(countables)) as reach:
        counts = count_rows(with_bases(countables), counter, overrides, steps(reach))
    return judged(counts, _session())[: len(countables)]


def counted_apart(
    countables: list[Countable], overrides: Mapping[str, str] | None = None, counter: Counter | None = None
) -> tuple[list[CountsRow], int]:
    """The same, and an exit code: 0, or that of the last of several models on which the counters disagree.

    The error of a single model is raised; those of several are printed, and the others are counted all the same.
    """
    try:
        return counted(countables, overrides, counter), 0
    except CountingError:
        if len(countables) == 1:
            raise
    rows, code = [], 0
    for countable in countables:
        try:
            rows += counted([countable], overrides)
        except CountingError as error:
            code = report(error)
    return rows, code


def at_size(models: Sequence[Model], size: tuple[int, int] | None) -> tuple[list[Model], list[Architecture], int]:
    """The models that fit an input size (height, width; None: their own), their networks there, and an exit code.

    The code is 0, or that of the last of several models that do not fit; the error of a single one is raised.
    """
    fitting, networks, code = [], [], 0
    for model in models:
        try:
            networks.append(resized(model.architecture(), size, terminal()))
            fitting.append(model)
        except DefinitionError as error:
            if len(models) == 1:
                raise
            code = report(error)
    return fitting, networks, code


def print_counts(rows: Sequence[CountsRow], style: Style) -> None:
    """Print the counts in any format."""
    from cspbench.report.tables import counts as counts_table

    if style.form is Format.JSON:
        print_json(list(map(counts_table.as_json, rows)))
    elif style.form in (Format.CSV, Format.LATEX):
        typer.echo((counts_table.as_csv if style.form is Format.CSV else counts_table.as_latex)(rows), nl=False)
    else:
        print_blocks(counts_table.blocks(rows), style)


def save(rows: Sequence[CountsRow], out: Path, name: str) -> None:
    """Write NAME.json and NAME.md."""
    from cspbench.report.tables import counts as counts_table

    counts_table.save(rows, out, name, _session())
    terminal().note(f"wrote {out / name}.json and .md")


def count_tables(out: Path, name: str, kind: Literal["published", "sample"]) -> list[CountsRow]:
    """Count the rows of the tables of a kind (`published`, `sample`) and save the counts to the folder `out`."""
    from cspbench.claims import tables
    from cspbench.evaluation.counts import published

    rows = counted(published(tables.load_all(kind=kind)))
    save(rows, out, name)
    return rows


def count_all(out: Path) -> bool:
    """Count every row of the published tables and of the sample's, and save the counts to the folder `out`.

    Returns whether a cell is off without an explanation.
    """
    rows = count_tables(out, "params", "published") + count_tables(out, "sample-params", "sample")
    return any(row.failed for row in rows)


def _session() -> Session:
    from cspbench.results import sessions

    return sessions.session(command())
