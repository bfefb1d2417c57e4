"""The option that names a folder of tables of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

TABLES = "CSPBENCH_TABLES"
"""The environment variable with the default of --tables."""


def _use_tables(folder: Path | None) -> None:
    """Let the command read the tables of that folder, from its first line on."""
    if folder is not None:
        from cspbench.zoo.registry import use_tables

        use_tables(folder)


TablesOption = Annotated[
    Path | None,
    typer.Option(
        "--tables",
        metavar="DIR",
        callback=_use_tables,
        help=f"Your own tables in place of the published ones; by default from ${TABLES}.",
    ),
]
