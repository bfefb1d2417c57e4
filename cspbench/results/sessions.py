"""The present process as records describe it: session, scoring."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from cspbench import __version__
from cspbench.provenance import commit, installed
from cspbench.results.schema import Scored, Scoring, Session


def now() -> str:
    """The time in UTC, to the second; the clock may be wrong, so it serves only to sort runs."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def session(command: Sequence[str], *, device: str | None = None, when: str = "") -> Session:
    """The present process, with what is needed to reproduce its numbers. `when` is empty for counts."""
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


def program(record: Session | Scoring | Scored) -> str:
    """The program in words: "cspbench 0.1.0, commit 89eef16"."""
    sha, mark = (record.commit or "")[:7], (record.commit or "")[40:]  # the mark of a changed tree
    return f"cspbench {record.cspbench}" + (f", commit {sha}{mark}" if sha else "")
