"""How an evaluation is run and how it reports progress; only the precision changes predictions."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from cspbench.claims.model import unknown
from cspbench.errors import UsageError

if TYPE_CHECKING:
    import torch

Automatic = int | Literal["auto"]


class Reach(Protocol):
    """Called with the number of finished steps, and a detail for the progress bar."""

    def __call__(self, done: int, detail: str = "") -> None: ...


def steps(reach: Reach) -> Callable[[str], None]:
    """A function to call with the name of each finished step; it passes on their number."""
    done = itertools.count(1)
    return lambda name: reach(next(done), name)


class Listener:
    """Receives notes for the user, and progress. This one ignores both."""

    def note(self, text: str) -> None:
        """A sentence for the user, such as a warning."""

    def advise(self, text: str, command: str) -> None:
        """The same with a command to copy."""
        self.note(text)
        self.note(command)

    def progress(self, what: str, total: int) -> AbstractContextManager[Reach]:
        """Work of `total` steps begins."""
        return nullcontext(lambda done, detail="": None)


SILENT = Listener()


@dataclass(frozen=True)
class Execution:
    """Images per forward and processes that prepare them (or `auto`), device, precision, torch.compile.

    `device` is the first GPU by default, the CPU without one. `command` is the command in the run's record, the
    program's own arguments by default.
    """

    batch: Automatic = "auto"
    workers: Automatic = "auto"
    device: str | None = None
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    compiled: bool = False
    fresh: bool = False
    """Discard an existing run."""
    command: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, value, least in (("batch", self.batch, 1), ("workers", self.workers, 0)):
            if value != "auto" and not (isinstance(value, int) and least <= value <= 65536):
                raise UsageError(
                    "usage.number-or-auto",
                    f"{name} is neither a number in its range nor auto",
                    expected=f"{least} to 65536, or auto",
                    found=str(value),
                    remedy=f"Try {name} auto",
                )
        if self.precision not in ("fp32", "bf16", "fp16"):
            raise unknown("usage.unknown-precision", "unknown precision", self.precision, ["fp32", "bf16", "fp16"])

    def batch_and_workers(self, device: torch.device) -> tuple[int, int]:
        """Images per forward and processes that prepare them, by default as suits the device."""
        accelerated = device.type != "cpu"
        batch = (128 if accelerated else 8) if self.batch == "auto" else self.batch
        # on two cores a process beside the forward pass costs it more than it saves: its threads wait for each other
        cores = os.cpu_count() or 1
        processes = min(16, cores) if accelerated else int(cores > 2)
        return batch, processes if self.workers == "auto" else self.workers

    @property
    def command_line(self) -> list[str]:
        """The command for the record."""
        return list(self.command) or ["python", *(Path(sys.argv[0]).name, *sys.argv[1:])]
