"""Notes and progress lines on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

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
        """Show a progress line."""
        with Progress(what, total) as progress:
            yield progress.reach


def listener() -> Listener:
    """The terminal; silent in all processes of torchrun but the first."""
    from cspbench.inference.distributed import rank

    return Terminal() if rank()[0] == 0 else SILENT


class Progress:
    """Counts steps on stderr with the time left; silent when stderr is not a terminal or CI is set."""

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total = what, total
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Progress:
        if sys.stderr.isatty() and not os.environ.get("CI"):
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
            )
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self.what, total=self.total)
        return self

    def reach(self, done: int, detail: str = "") -> None:
        """Set the number of finished steps; `detail` is shown beside the name."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, description=f"{self.what} {detail}".strip())

    def step(self, name: str) -> None:
        """Advance by one step, on `name`."""
        if self._bar is not None:
            self._bar.update(self._task, advance=1, description=f"{self.what} {printable(name)}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
