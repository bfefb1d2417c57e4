"""Storing times in a results directory."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from msgspec import structs

from cspbench.io import write_bytes, write_errors
from cspbench.lock import exclusive
from cspbench.results.encoding import encode
from cspbench.results.speeds.record import SpeedRun, Speeds
from cspbench.results.store import SPEEDS, read_record, without_folders


def keep(results: Path, run: SpeedRun) -> Path:
    """Add a run, without paths, to the stored ones, in place of that of the same machine, setting and networks.

    Returns the file. Raises `CspbenchError` where it cannot be read or written.
    """
    file = results / SPEEDS
    session = structs.replace(run.session, command=without_folders(run.session.command))
    with exclusive(results / ".speed.lock", wait=60), write_errors(file):
        stored = read_record(file, Speeds).runs if file.exists() else []
        write_bytes(file, encode(Speeds(runs=merged(stored, structs.replace(run, session=session)))))
    return file


def merged(stored: Iterable[SpeedRun], run: SpeedRun) -> list[SpeedRun]:
    """The runs by key, with the new one."""
    by_key = {each.key: each for each in stored} | {run.key: run}
    return [by_key[key] for key in sorted(by_key)]
