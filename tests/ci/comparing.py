"""A comparison as tests look at it: of a baseline by its name, and what was told of it."""

from __future__ import annotations

from pathlib import Path

from cspbench.ci.baseline import changes_since, load, present
from cspbench.ci.diff import Changes
from cspbench.ci.tolerances import DEFAULT, parse


def against(baseline: str | Path, results: Path) -> Changes:
    """What changed, by the tolerances that hold where nobody asks for others."""
    return changes_since(load(str(baseline), results), present(results), parse(DEFAULT))


def told(found: Changes) -> list[tuple[str, str, str]]:
    """Row, metric and kind of each change."""
    return [(pair.row, pair.metric, str(pair.kind)) for pair in found.changed]
