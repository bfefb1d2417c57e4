"""`--save`: counts written to result files, and none that is there already lost."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cspbench.errors import UsageError
from cspbench.io import read_file

if TYPE_CHECKING:
    from cspbench.claims.model import Table
    from cspbench.evaluation.counts import RowCount, Subject

LARGEST_FILE = 16 * 2**20
"""Bytes; every published row takes 140 kB."""


def save(results: list[RowCount], out: Path, name: str, of_tables: tuple[Table, ...]) -> None:
    """Write NAME.json, and NAME.md with the tables' rows."""
    from cspbench.evaluation.counts_json import as_json
    from cspbench.io import write_json, write_text
    from cspbench.provenance import provenance
    from cspbench.report import counts_table

    rows = [as_json(result) for result in results]
    made = provenance(["cspbench", *sys.argv[1:]])
    write_json(out / f"{name}.json", {**made, "rows": rows})
    by = f"cspbench {made['cspbench']}, torch {made['packages']['torch']}, fvcore {made['packages']['fvcore']}"
    heading = f"# Parameters and BFLOPs\n\nMeasured by `{' '.join(made['command'])}` ({by}).\n\n"
    write_text(out / f"{name}.md", heading + counts_table.markdown(rows, of_tables))
    typer.echo(f"cspbench: wrote {out / name}.json and .md", err=True)


def refuse_to_lose(path: Path, subjects: list[Subject]) -> None:
    """Raise `UsageError` where the file of counts holds rows that are not among those to be counted.

    Reports take what it lacks for unmeasured, and `ci` for vanished.
    """
    known = _rows(path)
    kept = {_key(each.row.table, each.row.id, None) if each.row else _key(None, None, each.model) for each in subjects}
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


def _key(table: Any, row: Any, model: Any) -> tuple[str, ...]:
    return (str(model),) if table is None else (str(table), str(row))


def _rows(path: Path) -> dict[tuple[str, ...], str]:
    """Names of the rows in a file of counts, by what tells them apart; none where it is not one."""
    with suppress(OSError, ValueError, RecursionError, LookupError, TypeError):
        rows = json.loads(read_file(path, LARGEST_FILE))["rows"]
        return {_key(row["table"], row["id"], row["model"]): str(row["row"] or row["model"]) for row in rows}
    return {}
