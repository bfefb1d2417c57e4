"""Who makes a result, as records have it: this session, this scoring."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from cspbench import __version__
from cspbench.provenance import commit, installed
from cspbench.results.schema import Scored, Scoring, Session


def now() -> str:
    """The time as a record has it: UTC, to the second, by a clock that may be wrong; only to put runs in order."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def session(command: Sequence[str], *, device: str | None = None, when: str = "") -> Session:
    """The present process: what must be known to make its numbers again. `when` is empty for counts."""
    return Session(
        command=list(command),
        cspbench=__version__,
        commit=commit(),
        when=when,
        python=platform.python_version(),
        platform=f"{sys.platform} {platform.machine()}",
        packages=installed(),
        device=device,
    )


def scoring() -> Scoring:
    """The present program, for numbers that it computes from predictions."""
    return Scoring(__version__, commit())


def scored(command: Sequence[str], numbers: Sequence[str]) -> Scored:
    """The present command, for the list of those that scored a run."""
    return Scored(list(command), __version__, commit(), now(), list(numbers))


def program(made: Session | Scoring | Scored) -> str:
    """The program in words: "cspbench 0.1.0, commit 89eef16"."""
    commit = f", commit {made.commit[:7]}{made.commit[40:]}" if made.commit else ""  # with the mark of a changed tree
    return f"cspbench {made.cspbench}{commit}"
