"""What a command meets, arranged in its own process; run as a program, it is a command that stops at its first shard.

An evaluation that stands still when something is done to it does not depend on how fast it or the test is.
"""

from __future__ import annotations

import os
import signal
from datetime import datetime, tzinfo

from cspbench.cli.terminal import interrupt
from cspbench.inference.npz import Arrays
from cspbench.inference.shards import Shards
from cspbench.results import sessions


def stop_after(count: int) -> None:
    """Let this process stop itself (SIGCONT resumes it) once it has written so many shards."""
    write, written = Shards.write, [0]

    def stopping(shards: Shards, shard: int, arrays: Arrays) -> None:
        write(shards, shard, arrays)
        written[0] += 1
        if written[0] == count:
            os.kill(os.getpid(), signal.SIGSTOP)

    setattr(Shards, "write", stopping)  # noqa: B010 (mypy has it a method)


def clock(year: int) -> None:
    """Let the clock show that year."""

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Wrong:
            return cls(year, 2, 3, 4, 5, 6, tzinfo=tz)

    sessions.datetime = Wrong  # type: ignore[attr-defined]


def unhurried() -> None:
    """Let an interrupted command say its last words however slow the machine is."""
    interrupt.GRACE = 60.0


if __name__ == "__main__":
    from cspbench.cli.app import main

    stop_after(1)
    unhurried()
    main()
