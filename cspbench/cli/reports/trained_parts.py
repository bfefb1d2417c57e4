"""The parts of `cspbench report` beside the tables: retrained networks and studies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cspbench.cli.terminal.progress import listener as terminal

if TYPE_CHECKING:
    from cspbench.claims.model import Table
    from cspbench.report.retrained.lines import Part
    from cspbench.retrained.studies import Study


def retrained(every: Sequence[Table], results: Path, runs: list[Path], names: list[str] | None) -> list[Part]:
    """The part on retrained networks, of the named tables; what is left out of it is said."""
    from cspbench.report.retrained.lines import build

    parts, notes = build(every, results if results.exists() else None, runs)
    for note in notes:
        terminal().note(note)
    return [part for part in parts if not names or part.name in names]


def studies(results: Path, names: list[str] | None) -> list[Study]:
    """The stored studies, of the named tables; what cannot be read is said."""
    from cspbench.retrained.studies import stored

    found, notes = stored(results)
    for note in notes:
        terminal().note(note)
    return [study for study in found if not names or study.table in names]
