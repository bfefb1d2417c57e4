"""Kill -9 at any moment, resume with any number of processes: the same bytes as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fuzzing import FUZZ

from faults import staged
from faults.commands import PATIENCE, Warm, contents, kept, until_stopped
from faults.conftest import Undisturbed

KILLS = 11 if FUZZ else 5
"""Of each command; more where CSPBENCH_FUZZ is set."""


@pytest.mark.parametrize("name", ["classified", "detected"])
def test_killed_again_and_again(name: str, warm: Warm, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Every run is killed several times, at moments drawn from the whole duration, and then left alone."""
    undisturbed: Undisturbed = request.getfixturevalue(name)
    drawn, arguments = random.Random(name), undisturbed.evaluation.arguments()
    begun = time.monotonic()
    warm.done(arguments, _folder(tmp_path, "timed"))
    duration = time.monotonic() - begun
    kills, resumed = 0, set()
    for attempt in range(4 * KILLS):
        folder = _folder(tmp_path, str(attempt))
        for processes in drawn.sample((1, 1, 2, 3), 3):
            started = warm.together(arguments, folder, processes)
            time.sleep(drawn.uniform(0, duration))
            kills += sum([each.kill() for each in started])
        processes = attempt % 3 + 1
        resumed.add(processes)
        warm.done(arguments, folder, processes)
        assert contents(folder) == undisturbed.files, f"attempt {attempt}, resumed by {processes}"
        if kills >= KILLS and len(resumed) == 3:
            break
    assert kills >= KILLS
    assert resumed == {1, 2, 3}


@pytest.mark.parametrize("name", ["classified", "detected"])
def test_a_process_of_its_own(name: str, warm: Warm, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """The command in a process that users might start, with one that prepares images; killed with a shard on disk."""
    undisturbed: Undisturbed = request.getfixturevalue(name)
    evaluation = undisturbed.evaluation
    process = subprocess.Popen(
        [sys.executable, staged.__file__, *evaluation.arguments("-j", "1", "-b", "2")],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CI": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until_stopped(process.pid)
    process.kill()
    process.wait(timeout=PATIENCE)
    before = {path: path.stat().st_mtime_ns for path in kept(tmp_path)}
    assert 0 < len(before) < evaluation.shards
    # at once: the dead command's workers, which live a little longer, must not stand in the way
    warm.done(evaluation.arguments(), tmp_path, 2)
    assert contents(tmp_path) == undisturbed.files
    assert {path: path.stat().st_mtime_ns for path in before} == before
    (record,) = (tmp_path / "runs").glob("*/run.json")
    first, second = json.loads(record.read_text())["sessions"]
    assert first["command"][-4:] == ["-j", "1", "-b", "2"]
    assert second["command"][1:] == evaluation.arguments()


def _folder(place: Path, name: str) -> Path:
    folder = place / name
    folder.mkdir()
    return folder
