"""Writing counts to result files, without losing rows that a file already holds."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from pathlib import Path

from cspbench.errors import CspbenchError, UsageError
from cspbench.io import write_bytes, write_text
from cspbench.report import counts_table
from cspbench.report.judged_counts import CountsRow
from cspbench.results.counts import Counts
from cspbench.results.encoding import encode
from cspbench.results.schema import Session
from cspbench.results.store import read_record

Key = tuple[str | None, str | None]
"""Table and row id; None and the model where it has no row."""


def save(rows: Sequence[CountsRow], out: Path, name: str, session: Session) -> None:
    """Write NAME.json and NAME.md."""
    write_bytes(out / f"{name}.json", encode(Counts(session=session, rows=[row.counted for row in rows])))
    by = f"cspbench {session.cspbench}, torch {session.packages['torch']}, fvcore {session.packages['fvcore']}"
    heading = f"# Parameters and BFLOPs\n\nMeasured by `{shlex.join(session.command)}` ({by}).\n\n"
    write_text(out / f"{name}.md", heading + counts_table.markdown(rows))


def refuse_to_lose(path: Path, counted: Collection[Key]) -> None:
    """Raise `UsageError` if the file holds rows that are not to be counted again.

    A report would show them as unmeasured, and `ci` as vanished. An earlier schema must be migrated first.
    """
    try:
        rows = read_record(path, Counts).rows
    except CspbenchError as error:
        if error.code == "results.old-schema":
            raise
        return  # there is no such file, or it holds no counts
    saved = {(row.table, row.id if row.table else row.model): str(row.row or row.model) for row in rows}
    lost = [name for key, name in saved.items() if key not in counted]
    if lost:
        raise UsageError(
            "usage.save-would-drop",
            f"--save would drop {len(lost)} of the {len(saved)} rows in the file",
            where=str(path),
            expected="a run that counts each of them",
            found=f"none of {', '.join(lost[:3])}{', ...' if len(lost) > 3 else ''}",
            remedy="Count them all with --all, or write elsewhere with --out",
        )
