"""Writing counts to result files, without losing rows that a file already holds."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from pathlib import Path

from cspbench.errors import CspbenchError, UsageError
from cspbench.io import write_bytes, write_text
from cspbench.report import counts_table
from cspbench.report.judged_counts import CountsRow
from cspbench.results.schema import Counts, Session, encode
from cspbench.results.store import read_record

Key = tuple[str | None, str | None]
"""Table and row id; None and the model where it has no row."""


def save(rows: Sequence[CountsRow], out: Path, name: str, session: Session) -> list[Path]:
    """Write NAME.json and NAME.md; returns both paths."""
    written = [out / f"{name}.json", out / f"{name}.md"]
    write_bytes(written[0], encode(Counts(session=session, rows=[row.counted for row in rows])))
    by = f"cspbench {session.cspbench}, torch {session.packages['torch']}, fvcore {session.packages['fvcore']}"
    heading = f"# Parameters and BFLOPs\n\nMeasured by `{shlex.join(session.command)}` ({by}).\n\n"
    write_text(written[1], heading + counts_table.markdown(rows))
    return written


def refuse_to_lose(path: Path, counted: Collection[Key]) -> None:
    """Raise `UsageError` if the file holds rows that are not to be counted again.

    A report would show them as unmeasured, and `ci` as vanished.
    """
    saved = _rows(path)
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


def _rows(path: Path) -> dict[Key, str]:
    """Names of the rows in a file of counts, by key; empty for any other file.

    Raises `CspbenchError` for an earlier schema, which must be migrated first.
    """
    try:
        rows = read_record(path, Counts).rows
    except CspbenchError as error:
        if error.code == "results.old-schema":
            raise
        return {}
    return {(row.table, row.id if row.table else row.model): str(row.row or row.model) for row in rows}
