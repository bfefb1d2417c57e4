"""`--save`: counts written to result files, and none that is there already lost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cspbench.errors import CspbenchError, UsageError
from cspbench.io import write_bytes, write_text

if TYPE_CHECKING:
    from cspbench.claims.model import Table
    from cspbench.evaluation.counts import Subject
    from cspbench.report.judged_counts import CountsRow
    from cspbench.results.schema import Session


def session() -> Session:
    """The present command, as a record has it."""
    from cspbench.results import sessions

    return sessions.session(["cspbench", *sys.argv[1:]])


def save(rows: list[CountsRow], out: Path, name: str, of_tables: tuple[Table, ...]) -> None:
    """Write NAME.json, and NAME.md with the tables' rows."""
    import shlex

    from cspbench.report import counts_table
    from cspbench.results.schema import Counts, encode

    own = session()
    write_bytes(out / f"{name}.json", encode(Counts(session=own, rows=[row.counted for row in rows])))
    by = f"cspbench {own.cspbench}, torch {own.packages['torch']}, fvcore {own.packages['fvcore']}"
    heading = f"# Parameters and BFLOPs\n\nMeasured by `{shlex.join(own.command)}` ({by}).\n\n"
    write_text(out / f"{name}.md", heading + counts_table.markdown(rows, of_tables))
    typer.echo(f"cspbench: wrote {out / name}.json and .md", err=True)


def refuse_to_lose(path: Path, subjects: list[Subject]) -> None:
    """Raise `UsageError` where the file of counts holds rows that are not among those to be counted.

    Reports take what it lacks for unmeasured, and `ci` for vanished.
    """
    known = _rows(path)
    kept = {(each.row.table, each.row.id) if each.row else (None, each.model) for each in subjects}
    lost = [name for key, name in known.items() if key not in kept]
    if lost:
        raise UsageError(
            "usage.save-would-drop",
            f"--save would drop {len(lost)} of the {len(known)} rows that are there",
            where=str(path),
            expected="a run that counts each of them",
            found=f"none of {', '.join(lost[:3])}{', ...' if len(lost) > 3 else ''}",
            remedy="Count them all with --all, or write elsewhere with --out",
        )


def _rows(path: Path) -> dict[tuple[str | None, str | None], str]:
    """Names of the rows in a file of counts, by what tells them apart; none where it is not one."""
    from cspbench.results.schema import Counts
    from cspbench.results.store import read_record

    try:
        rows = read_record(path, Counts).rows
    except CspbenchError:
        return {}
    return {(row.table, row.id if row.table else row.model): str(row.row or row.model) for row in rows}
