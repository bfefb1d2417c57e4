"""`cspbench tables`: tables of one's own, and the option that names their folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cspbench.cli import options
from cspbench.cli.choices import Format
from cspbench.cli.terminal.failing import report
from cspbench.cli.terminal.help import App
from cspbench.cli.terminal.printing import print_table

tables = App(help="Check tables of your own.")


@tables.callback()
def _group() -> None:
    pass


@tables.command()
def check(
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help=f"The folder; by default ${options.TABLES}.")
    ] = None,
    form: options.FormatOption = Format.MD,
) -> None:
    """Check a folder of tables of your own.

    Its tables.toml and CSV files, its models.toml and their networks. Every fault is named by its file and line. Exit
    code 3: there are any.
    """
    from cspbench.claims import own
    from cspbench.claims.check import check as checked
    from cspbench.errors import UsageError
    from cspbench.zoo.own import faults, own_models

    if folder is not None:
        own.use(folder)
    place = own.folder()
    if place is None:
        remedy = f"Name the folder, or set ${options.TABLES}"
        raise UsageError("usage.no-tables", "not a folder of tables", remedy=remedy)
    checking = checked(place)
    networks = own_models() if checking.sound else {}
    wrong = [*checking.faults, *faults(networks.values())]
    if wrong:
        raise typer.Exit([report(fault) for fault in wrong][-1])
    lines = [
        {
            "table": table.name,
            "rows": len(table.rows),
            "claims": sum(cell.published for row in table.rows for cell in row.cells.values()),
            "models": ", ".join(dict.fromkeys(row.model for row in table.rows if row.model)) or None,
        }
        for table in checking.tables
    ]
    print_table(lines, form)
