"""Counting with a progress line, and saving counts: for `params` and `demo`."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cspbench.cli.arguments import command
from cspbench.cli.progress import Progress
from cspbench.cli.progress import listener as terminal

if TYPE_CHECKING:
    from cspbench.claims.model import Table
    from cspbench.evaluation.counts import Subject
    from cspbench.report.judged_counts import CountsRow
    from cspbench.results.schema import Session


def counted(subjects: list[Subject], overrides: Mapping[str, str] | None = None) -> list[CountsRow]:
    """The subjects' counts and the verdicts on them."""
    from cspbench.evaluation.counts import count_rows, with_bases
    from cspbench.network.counter import Counter
    from cspbench.report.judged_counts import judged

    # keeps the collector from walking the objects of torch's import again and again, a fifth of the time
    gc.freeze()
    with Progress("counting", len(subjects)) as progress:
        counts = count_rows(with_bases(subjects), Counter(), overrides or {}, progress.step)
    return judged(counts, _session())[: len(subjects)]


def save(rows: Sequence[CountsRow], out: Path, name: str, of_tables: tuple[Table, ...]) -> None:
    """Write NAME.json and NAME.md."""
    from cspbench.report import saved_counts

    saved_counts.save(rows, out, name, of_tables, _session())
    terminal().note(f"wrote {out / name}.json and .md")


def save_sample(out: Path) -> list[CountsRow]:
    """Count the rows of the sample and save the counts to the folder `out`."""
    from cspbench.claims import tables
    from cspbench.evaluation.counts import published

    chosen = tables.load_all(kind="sample")
    rows = counted(published(chosen))
    save(rows, out, "sample-params", chosen)
    return rows


def count_all(out: Path) -> tuple[str, bool]:
    """Count every row of the published tables and of the sample's, and save the counts to the folder `out`.

    Returns a summary, a line for each kind of table, and whether a cell is off without an explanation.
    """
    from cspbench.claims import tables
    from cspbench.evaluation.counts import published
    from cspbench.report.counts_table import summary

    chosen = tables.load_all()
    rows = counted(published(chosen))
    save(rows, out, "params", chosen)
    sample = save_sample(out)
    return f"published: {summary(rows)}\nsample: {summary(sample)}", any(row.failed for row in rows + sample)


def _session() -> Session:
    from cspbench.results import sessions

    return sessions.session(command())
