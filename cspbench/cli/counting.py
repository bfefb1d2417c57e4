"""Counting with a progress line, and the counts of every table saved: for `params` and `demo`."""

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

    # the collector would walk all that torch made when it was imported again and again, a fifth of the time
    gc.freeze()
    with Progress("counting", len(subjects)) as progress:
        counts = count_rows(with_bases(subjects), Counter(), overrides or {}, progress.step)
    return judged(counts, _session())[: len(subjects)]


def save(rows: Sequence[CountsRow], out: Path, name: str, of_tables: tuple[Table, ...]) -> None:
    """Write NAME.json and NAME.md, and say so."""
    from cspbench.report import saved_counts

    saved_counts.save(rows, out, name, of_tables, _session())
    terminal().note(f"wrote {out / name}.json and .md")


def save_sample(out: Path) -> list[CountsRow]:
    """Count the rows of the sample and save the counts to `out`, beside those of the published tables."""
    from cspbench.claims import tables
    from cspbench.evaluation.counts import published

    chosen = tables.load_all(kind="sample")
    rows = counted(published(chosen))
    save(rows, out, "sample-params", chosen)
    return rows


def count_all(out: Path) -> tuple[str, bool]:
    """Count every row of the published tables and of the sample's, and save the counts to `out`.

    The counts summed up, a line a kind of table, and whether a cell is off that nothing explains.
    """
    from cspbench.claims import tables
    from cspbench.evaluation.counts import published
    from cspbench.report.counts_table import summary

    chosen = tables.load_all()
    rows = counted(published(chosen))
    save(rows, out, "params", chosen)
    kinds = {"published": rows, "sample": save_sample(out)}
    lines = [f"{kind}: {summary(own)}" for kind, own in kinds.items()]
    return "\n".join(lines), any(row.failed for own in kinds.values() for row in own)


def _session() -> Session:
    from cspbench.results import sessions

    return sessions.session(command())
