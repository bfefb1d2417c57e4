"""Full disks, sealed places, broken shards, rivals, dead workers, clocks, data that change: told, and nothing lost."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from faults.commands import PATIENCE, Evaluation, Process, Warm, classifier, contents, kept, state
from faults.conftest import Undisturbed

SLOW = ("-b", "1")


def halfway(evaluation: Evaluation, warm: Warm, folder: Path, count: int = 2) -> dict[Path, int]:
    """A run that was killed after so many shards: when each was written."""
    process = begun(evaluation.arguments(), warm, folder, count)
    assert process.kill()
    found = {path: path.stat().st_mtime_ns for path in kept(folder)}
    assert len(found) == count < evaluation.shards
    return found


def begun(arguments: list[str], warm: Warm, folder: Path, count: int = 1, **more: int) -> Process:
    """A command that stands still since it wrote so many shards."""
    process = warm.begin(arguments, folder, stop=count, **more)
    process.until_stopped()
    return process


def untouched(before: dict[Path, int]) -> bool:
    return {path: path.stat().st_mtime_ns for path in before} == before


def told(process: Process, code: int, *words: str) -> None:
    """The command ended with that code and said that, on one line beside the one of what a resumed run keeps."""
    assert process.wait() == code, process.words
    for each in words:
        assert each in process.words
    assert "Traceback" not in process.words
    lines = [line for line in process.words.splitlines() if " images kept from " not in line]
    assert len(lines) == 1, process.words


def test_a_full_disk(classified: Undisturbed, warm: Warm, tmp_path: Path) -> None:
    """No file may become as long as a shard: what a full disk and a quota do."""
    arguments = classified.evaluation.arguments()
    before = halfway(classified.evaluation, warm, tmp_path)
    limit = min(path.stat().st_size for path in before) // 2
    full = warm.begin(arguments, tmp_path, limit=limit)
    told(full, 4, "a shard cannot be written", "File too large", "Finished shards are kept", "run the command again")
    assert untouched(before)
    assert not list(tmp_path.rglob(".0*.npz.*"))
    warm.done(arguments, tmp_path)
    assert contents(tmp_path) == classified.files
    assert untouched(before)


def test_a_place_that_cannot_be_written(classified: Undisturbed, warm: Warm, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    arguments = classified.evaluation.arguments()
    arguments[arguments.index("runs")] = "file/runs"
    told(warm.begin(arguments, tmp_path), 3, "cannot be written", "file/runs", "--run")
    (tmp_path / "sealed").mkdir(0o500)
    arguments[arguments.index("file/runs")] = "sealed/runs"
    told(warm.begin(arguments, tmp_path, unprivileged=True), 3, "cannot be written", "Permission denied", "--run")


def test_a_run_that_becomes_read_only(classified: Undisturbed, warm: Warm, tmp_path: Path) -> None:
    """The folder of the shards is gone and in its place lies a file."""
    before = halfway(classified.evaluation, warm, tmp_path)
    folder = next(iter(before)).parent
    aside = folder.rename(tmp_path / "aside")
    folder.write_bytes(b"")
    told(warm.begin(classified.evaluation.arguments(), tmp_path), 4, "a shard cannot be written", "run the command")
    folder.unlink()
    aside.rename(folder)
    warm.done(classified.evaluation.arguments(), tmp_path)
    assert contents(tmp_path) == classified.files
    assert untouched(before)


@pytest.mark.parametrize("name", ["classified", "detected"])
def test_a_truncated_shard(name: str, warm: Warm, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    undisturbed: Undisturbed = request.getfixturevalue(name)
    warm.done(undisturbed.evaluation.arguments(), tmp_path)
    broken, *others = kept(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in others}
    broken.write_bytes(broken.read_bytes()[:-100])
    score = warm.begin(["score", "runs"], tmp_path)
    told(score, 3, "a shard cannot be read", broken.name, "only that shard is made anew")
    warm.done(undisturbed.evaluation.arguments(), tmp_path)
    assert contents(tmp_path) == undisturbed.files
    assert untouched(before)


def test_two_commands_in_one_run(classified: Undisturbed, warm: Warm, tmp_path: Path) -> None:
    """The second is told who is at work, touches nothing and may come again."""
    first = begun(classified.evaluation.arguments(), warm, tmp_path)
    for more in ((), ("--fresh",)):
        second = warm.begin(classified.evaluation.arguments(*more), tmp_path)
        told(second, 4, "[incomplete.run-locked]", f"process {first.number} on", "another --run")
    first.resume()
    assert first.wait() == 0, first.words
    assert contents(tmp_path) == classified.files
    warm.done(classified.evaluation.arguments(), tmp_path)


def test_many_commands_at_the_same_moment(detected: Undisturbed, warm: Warm, tmp_path: Path) -> None:
    started = [warm.begin(detected.evaluation.arguments(), tmp_path) for _ in range(5)]
    codes = [each.wait() for each in started]
    assert set(codes) <= {0, 4}
    assert 0 in codes
    assert contents(tmp_path) == detected.files


def test_another_run_in_the_directory(classified: Undisturbed, warm: Warm, tmp_path: Path) -> None:
    before = halfway(classified.evaluation, warm, tmp_path)
    (record,) = (tmp_path / "runs").glob("*/run.json")
    found = json.loads(record.read_text())
    found["identity"]["weights"] = "0" * 64
    record.write_text(json.dumps(found))
    told(warm.begin(classified.evaluation.arguments(), tmp_path), 3, "another run", "the same weights", "--fresh")
    assert untouched(before)
    warm.done(classified.evaluation.arguments("--fresh"), tmp_path)
    assert contents(tmp_path) == classified.files


def test_a_killed_command_leaves_nothing_behind(classified: Undisturbed, warm: Warm, tmp_path: Path) -> None:
    """Nor workers, which would keep memory and the run to themselves."""
    process = begun(classified.evaluation.arguments("-j", "2"), warm, tmp_path)
    workers = process.children
    assert len(workers) == 2
    assert process.kill()
    deadline = time.monotonic() + PATIENCE
    while any(state(each) not in ("Z", "") for each in workers):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    warm.done(classified.evaluation.arguments(), tmp_path)
    assert contents(tmp_path) == classified.files


def test_a_worker_that_dies(classified: Undisturbed, warm: Warm, tmp_path: Path) -> None:
    process = begun(classified.evaluation.arguments("-j", "2", *SLOW), warm, tmp_path)
    os.kill(process.children[-1], signal.SIGKILL)
    process.resume()
    told(process, 4, "a process that prepares images died", "run the command again to resume")
    before = {path: path.stat().st_mtime_ns for path in kept(tmp_path)}
    warm.done(classified.evaluation.arguments("-j", "1"), tmp_path)
    assert contents(tmp_path) == classified.files
    assert untouched(before)


@pytest.mark.parametrize("dead", [0, 1])
def test_one_of_several_processes_dies(classified: Undisturbed, warm: Warm, tmp_path: Path, dead: int) -> None:
    started = warm.together(classified.evaluation.arguments("-b", "4"), tmp_path, 2, stop=1)
    for each in started:
        each.until_stopped()
    assert started[dead].kill()
    started[1 - dead].resume()
    code = started[1 - dead].wait()
    assert code in (4, 0) if dead == 0 else code == 4, started[1 - dead].words
    assert "Traceback" not in started[1 - dead].words
    warm.done(classified.evaluation.arguments(), tmp_path, 3)
    assert contents(tmp_path) == classified.files


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("workers", ["0", "2"])
def test_an_interrupt(classified: Undisturbed, warm: Warm, tmp_path: Path, workers: str, whole: bool) -> None:
    """To the command alone, or, as a terminal does it, to its workers, too."""
    process = begun(classified.evaluation.arguments("-j", workers, *SLOW), warm, tmp_path, unhurried=True)
    process.signal(signal.SIGINT, whole)
    process.resume()
    assert process.wait() == 130, process.words
    words = process.words.strip().splitlines()
    assert words[0].startswith("cspbench: interrupted; finished shards are kept in runs")
    assert words[1].startswith("cspbench eval-imagenet")
    assert words[2:] == ["cspbench: interrupted [interrupted]"]


def test_an_interrupt_at_any_moment(detected: Undisturbed, warm: Warm, tmp_path: Path) -> None:
    codes = set()
    for place in range(12):
        folder = tmp_path / str(place)
        folder.mkdir()
        process = warm.begin(detected.evaluation.arguments("-j", str(place % 3)), folder)
        time.sleep(0.06 * place)
        process.signal(signal.SIGINT, whole=place % 2 == 1)
        code = process.wait()
        # by the signal itself only before the command's first line or after its last
        assert code in (130, 0, -signal.SIGINT), process.words
        assert "Traceback" not in process.words
        codes.add(code)
    assert 130 in codes


def test_an_interrupt_of_a_process_that_waits(detected: Undisturbed, warm: Warm, tmp_path: Path) -> None:
    """For others that never come, inside a library."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    alone = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    process = warm.begin(detected.evaluation.arguments(), tmp_path, environment=alone)
    deadline = time.monotonic() + PATIENCE
    while not list(tmp_path.glob("runs/*/.lock")) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.5)
    process.signal(signal.SIGINT)
    assert process.wait() == 130, process.words
    assert "cspbench: interrupted" in process.words
    assert "Traceback" not in process.words


@pytest.mark.parametrize("name", ["classified", "detected"])
def test_a_clock_that_jumps(name: str, warm: Warm, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Forth by decades when a run begins, and back for the command that finishes it and for another run."""
    undisturbed: Undisturbed = request.getfixturevalue(name)
    arguments = undisturbed.evaluation.arguments("-j", "1")
    assert begun(arguments, warm, tmp_path, clock=2086).kill()
    process = warm.begin(arguments, tmp_path, clock=1971)
    assert process.wait() == 0, process.words
    assert contents(tmp_path) == undisturbed.files
    assert years(tmp_path) == ["2086"]
    (timing,) = [line for line in process.words.splitlines() if "images, waiting" in line]
    times = [part.split()[1] for part in timing.split(", ")[1:]]
    assert all(0 <= float(each) < PATIENCE for each in times)
    (tmp_path / "again").mkdir()
    again = warm.begin(arguments, tmp_path / "again", clock=1971)
    assert again.wait() == 0, again.words
    assert contents(tmp_path / "again") == undisturbed.files
    assert years(tmp_path / "again") == ["1971"]


def years(folder: Path) -> list[str]:
    """When the runs below runs/ say that they began."""
    return [json.loads(path.read_text())["when"][:4] for path in (folder / "runs").glob("*/run.json")]


def test_a_run_from_the_future(classified: Undisturbed, warm: Warm, tmp_path: Path) -> None:
    halfway(classified.evaluation, warm, tmp_path)
    (record,) = (tmp_path / "runs").glob("*/run.json")
    found = json.loads(record.read_text())
    found["when"] = "9999-12-31T23:59:59Z"
    record.write_text(json.dumps(found))
    warm.done(classified.evaluation.arguments(), tmp_path)
    assert contents(tmp_path) == classified.files
    warm.done(["score", "runs"], tmp_path)
    del found["when"]
    record.write_text(json.dumps(found))
    warm.done(["score", "runs"], tmp_path)


@pytest.fixture(scope="module")
def changing(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """One whose images may be changed for a while."""
    folder = tmp_path_factory.mktemp("changing")
    evaluation = classifier(folder, 600)
    warm.done(evaluation.arguments(), folder)
    return Undisturbed(evaluation, contents(folder))


@pytest.mark.parametrize("change", ["removed", "truncated", "a folder"])
def test_data_that_change_during_the_run(changing: Undisturbed, warm: Warm, tmp_path: Path, change: str) -> None:
    evaluation = changing.evaluation
    process = begun(evaluation.arguments(*SLOW), warm, tmp_path)
    path = sorted(evaluation.data.glob("*/*"))[-1]
    data = path.read_bytes()
    path.unlink()
    if change == "truncated":
        path.write_bytes(data[:40])
    elif change == "a folder":
        path.mkdir()
    process.resume()
    assert process.wait() == 4, process.words
    assert f"could not be read and counts as wrong: {path.parent.name}/{path.name}" in process.words
    assert "Traceback" not in process.words
    before = {each: each.stat().st_mtime_ns for each in kept(tmp_path)[:-1]}
    if path.is_dir():
        path.rmdir()
    path.write_bytes(data)
    warm.done(evaluation.arguments(), tmp_path)
    assert contents(tmp_path) == changing.files
    assert untouched(before)
