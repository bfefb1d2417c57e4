"""Tables of one's own in place of the published ones."""

from __future__ import annotations

import os
from pathlib import Path

from cspbench.errors import UsageError, brief

VARIABLE = "CSPBENCH_TABLES"
"""The environment variable with their folder, which --tables sets."""


def folder() -> Path | None:
    """The folder of one's own tables; None for the published ones. Raises `UsageError` if it is not a folder."""
    name = os.environ.get(VARIABLE)
    if not name:
        return None
    place = Path(name)
    if not place.is_dir():
        raise UsageError(
            "usage.no-tables",
            "not a folder of tables",
            where="--tables",
            expected=f"a folder with tables.toml, or ${VARIABLE} unset",
            found=brief(name, 200),
            remedy="docs/own-claims.md shows one; `cspbench tables check DIR` checks it",
        )
    return place


def use_published() -> None:
    """Use the published tables from now on."""
    os.environ.pop(VARIABLE, None)


def use(place: Path) -> None:
    """Use the tables of this folder from now on, in this process and in those that it starts."""
    os.environ[VARIABLE] = str(place.absolute())
    folder()
