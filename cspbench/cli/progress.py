"""Notes and progress lines on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from cspbench.errors import printable
from cspbench.evaluation.execution import SILENT, Listener, Reach


class Terminal(Listener):
    """A listener that prints to stderr."""

    def note(self, text: str) -> None:
        """Print a line."""
        typer.echo(f"cspbench: {text}", err=True)

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Reach]:
        """Show a progress line with the time left; none if stderr is not a terminal or CI is set."""
        if not sys.stderr.isatty() or os.environ.get("CI"):
            with super().progress(what, total) as reach:
                yield reach
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        name = TextColumn("{task.description}", markup=False)
        columns = (name, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(what, total=total)
            yield lambda done, detail="": bar.update(
                task, completed=done, description=f"{what} {printable(detail)}".strip()
            )


def listener() -> Listener:
    """The terminal; silent in all processes of torchrun but the first."""
    from cspbench.inference.distributed import rank

    return Terminal() if rank()[0] == 0 else SILENT
