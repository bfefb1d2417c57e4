"""Notes and progress lines on stderr."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from cspbench.errors import printable
from cspbench.evaluation.execution import SILENT, Listener, Reach


class Terminal(Listener):
    """A listener that prints to stderr."""

    def note(self, text: str) -> None:
        """Print a line; names of files in it may be hostile."""
        typer.echo(f"cspbench: {printable(text)}", err=True)

    def advise(self, text: str, command: str) -> None:
        """Print a line, and a command as it can be pasted."""
        self.note(text)
        typer.echo(command, err=True)

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Reach]:
        """Show a progress line with the time left; if stderr is not a terminal or CI is set, see `Lines`."""
        if not sys.stderr.isatty() or os.environ.get("CI"):
            yield Lines(what, total, self.note).reach
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


class Lines:
    """Progress in lines of text: the first after `FIRST` seconds, each next one after twice as long."""

    FIRST = 30.0

    def __init__(
        self, what: str, total: int, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.what, self.total, self.say, self.clock = what, total, say, clock
        self.begun, self.next = clock(), self.FIRST

    def reach(self, done: int, detail: str = "") -> None:
        """Say how much is done and how long the rest will take, if it is time."""
        seconds = self.clock() - self.begun
        if seconds < self.next or not 0 < done < self.total:
            return
        self.next = 2 * seconds
        left = duration(seconds / done * (self.total - done))
        self.say(f"{self.what}: {done:,} of {self.total:,}, about {left} left")


def duration(seconds: float) -> str:
    """Seconds as "40 s", "12 min" or "3.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def listener() -> Listener:
    """The terminal; silent in all processes of torchrun but the first."""
    from cspbench.inference.distributed import rank

    return Terminal() if rank()[0] == 0 else SILENT
