"""Counting with a progress line, and saving counts: for `params` and `demo`."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cspbench.cli.arguments import command
from cspbench.cli.progress import listener as terminal
from cspbench.evaluation.execution import steps

if TYPE_CHECKING:
    from cspbench.evaluation.counts import Countable
    from cspbench.report.judged_counts import CountsRow
    from cspbench.results.schema import Session


def counted(countables: list[Countable], overrides: Mapping[str, str] | None = None) -> list[CountsRow]:
    """The models' counts and the verdicts on them."""
    from cspbench.evaluation.counts import count_rows, with_bases
    from cspbench.report.judged_counts import judged

    # keeps the collector from walking the objects of torch's import again and again, a fifth of the time
    gc.freeze()
    with terminal().progress("counting", len(countables)) as reach:
        counts = count_rows(with_bases(countables), overrides=overrides, progress=steps(reach))
    return judged(counts, _session())[: len(countables)]


def save(rows: Sequence[CountsRow], out: Path, name: str) -> None:
    """Write NAME.json and NAME.md."""
    from cspbench.report import counts_table

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
