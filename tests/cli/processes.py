"""`cspbench` as a process, forked from one that has imported torch: what is tested is the command, not Python."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from coverage import Coverage
from faults.commands import PATIENCE, Warm

Done = subprocess.CompletedProcess[str]
HOME = Path(__file__).parents[2]


def run(arguments: list[str], cwd: Path | None = None, command: list[str] | None = None, **environment: str) -> Done:
    """Run `cspbench` to its end, in an environment without any CSPBENCH_ but those given.

    `command` stands for it where it is to be started in another way, as a process that imports everything anew.
    """
    if command is None:
        return _forked(arguments, cwd, environment=environment)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CSPBENCH_")}
    return subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**clean, "CI": "1", "OMP_NUM_THREADS": "1", **environment},
        timeout=2 * PATIENCE,
        check=False,
    )


def run_against(tables: Path, arguments: list[str], cwd: Path) -> Done:
    """Run `cspbench` to its end with another folder of published tables in the place of its own."""
    return _forked(arguments, cwd, tables=str(tables))


def _forked(arguments: list[str], cwd: Path | None, **more: object) -> Done:
    with tempfile.TemporaryDirectory() as place:
        out, errors = Path(place) / "out", Path(place) / "errors"
        if measuring := Coverage.current():
            more["measured"] = str(HOME / str(measuring.config.data_file))  # commands run in other folders
        process = Warm.one().begin(arguments, cwd or Path.cwd(), out, errors=str(errors), **more)
        return subprocess.CompletedProcess(arguments, process.wait(), process.words, errors.read_text())
