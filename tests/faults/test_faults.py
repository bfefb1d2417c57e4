"""Full disks, sealed places, broken shards, rivals, dead workers, clocks, data that change: one line, nothing lost."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from faults.commands import PATIENCE, Evaluation, Process, Warm, classifier, contents, kept, until_gone
from faults.conftest import Undisturbed

SLOW = ("-b", "1")


def halfway(evaluation: Evaluation, warm: Warm, folder: Path, count: int = 2) -> dict[Path, int]:
    """A run that was killed after so many shards: when each was written."""
    process = begun(evaluation.arguments(), warm, folder, count)
    assert process.kill()
    result = {path: path.stat().st_mtime_ns for path in kept(folder)}
    assert len(result) == count < evaluation.shards
    return result


def begun(arguments: list[str], warm: Warm, folder: Path, count: int = 1, **more: int) -> Process:
    """A command that stands still since it wrote so many shards."""
    process = warm.begin(arguments, folder, stop=count, **more)
    process.until_stopped()
    return process


def untouched(before: dict[Path, int]) -> bool:
    return {path: path.stat().st_mtime_ns for path in before} == before


def refused(process: Process, exit_code: int, code: str, *values: str) -> None:
    """The command ended with that exit code and, on its last line, the error of that code with those values."""
    assert process.wait() == exit_code, process.words
    lines = process.words.splitlines()
    assert all(line.startswith("cspbench: ") for line in lines), process.words
    assert [line for line in lines if line.endswith("]")] == [lines[-1]], process.words
    assert lines[-1].endswith(f" [{code}]"), process.words
    for value in values:
        assert value in lines[-1]


def records(folder: Path) -> list[Path]:
    """The records of the runs below runs/."""
    return sorted((folder / "runs").glob("*/run.json"))


def sessions(folder: Path) -> list[list[str]]:
    """The commands that the one run below runs/ says it was made by, the first one first."""
    (record,) = records(folder)
    return [session["command"] for session in json.loads(record.read_text())["sessions"]]


def test_a_full_disk(classified: Undisturbed, warm: Warm, tmp_path: Path) -> None:
    """No file may become as long as a shard: what a full disk and a quota do."""
    arguments = classified.evaluation.arguments()
    before = halfway(classified.evaluation, warm, tmp_path)
    limit = min(path.stat().st_size for path in before) // 2
    full = warm.begin(arguments, tmp_path, limit=limit)
    refused(full, 4, "incomplete.write-failed", ".npz: ", os.strerror(errno.EFBIG))
    assert untouched(before)
    assert not list(tmp_path.rglob(".0*.npz.*"))
    warm.done(arguments, tmp_path)
    assert contents(tmp_path) == classified.files
    assert untouched(before)


def test_a_place_that_cannot_be_written(classified: Undisturbed, warm: Warm, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    arguments = classified.evaluation.arguments()
    arguments[arguments.index("runs")] = "file/runs"
    refused(warm.begin(arguments, tmp_path), 3, "disk.write-failed", "file/runs", "--run")
    (tmp_path / "sealed").mkdir(0o500)
    arguments[arguments.index("file/runs")] = "sealed/runs"
    sealed = warm.begin(arguments, tmp_path, unprivileged=True)
    refused(sealed, 3, "disk.write-failed", "sealed/runs", os.strerror(errno.EACCES), "--run")


def test_a_network_with_the_longest_name(classified: Undisturbed, warm: Warm, tmp_path: Path) -> None:
    """A cfg file's name of 240 characters is the model's, and the run and its record have a shorter one."""
    arguments = classified.evaluation.arguments("--format", "json")
    cfg = tmp_path / f"{'x' * 240}.cfg"
    cfg.write_bytes(Path(arguments[arguments.index("--cfg") + 1]).read_bytes())
    arguments[arguments.index("--cfg") + 1] = str(cfg)
    assert printed(warm.done(arguments, tmp_path))["identity"]["model"] == "x" * 240
    warm.done(["report", "runs", "--results", "results", "--save"], tmp_path)
    (record,) = (tmp_path / "results" / "evaluations").glob("*.json")
    assert [record.stem] == [path.name for path in (tmp_path / "runs").iterdir()]


def test_a_run_that_becomes_read_only(classified: Undisturbed, warm: Warm, tmp_path: Path) -> None:
    """The folder of the shards is gone and in its place lies a file."""
    before = halfway(classified.evaluation, warm, tmp_path)
    folder = next(iter(before)).parent
    aside = folder.rename(tmp_path / "aside")
    folder.write_bytes(b"")
    refused(warm.begin(classified.evaluation.arguments(), tmp_path), 4, "incomplete.write-failed", ".npz: ")
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
    refused(score, 3, "run.shard-unreadable", broken.name)
    warm.done(undisturbed.evaluation.arguments(), tmp_path)
    assert contents(tmp_path) == undisturbed.files
    assert untouched(before)


def test_two_commands_in_one_run(classified: Undisturbed, warm: Warm, tmp_path: Path) -> None:
    """The second is told who is at work, touches nothing and may come again."""
    first = begun(classified.evaluation.arguments(), warm, tmp_path)
    for more in ((), ("--fresh",)):
        second = warm.begin(classified.evaluation.arguments(*more), tmp_path)
        refused(second, 4, "incomplete.run-locked", f"process {first.number} on", "--run")
    first.resume()
    assert first.wait() == 0, first.words
    assert contents(tmp_path) == classified.files
    warm.done(classified.evaluation.arguments(), tmp_path)
    assert len(sessions(tmp_path)) == 1


def test_many_commands_at_the_same_moment(detected: Undisturbed, warm: Warm, tmp_path: Path) -> None:
    started = [warm.begin(detected.evaluation.arguments(), tmp_path) for _ in range(5)]
    codes = [each.wait() for each in started]
    assert set(codes) <= {0, 4}
    assert 0 in codes
    assert contents(tmp_path) == detected.files


def printed(process: Process) -> Any:
    """The JSON that a command of one evaluation printed, among what it said, without who made it."""
    text = process.words
    ((evaluation,), _) = json.JSONDecoder().raw_decode(text, text.index("[\n"))
    assert evaluation.pop("provenance")["sessions"]
    return evaluation


@pytest.mark.parametrize("name", ["classified", "detected"])
def test_a_complete_run_that_may_only_be_read(
    name: str, warm: Warm, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The numbers are the same, and nothing is written."""
    undisturbed: Undisturbed = request.getfixturevalue(name)
    arguments = undisturbed.evaluation.arguments("--format", "json")
    shown = printed(warm.done(arguments, tmp_path))
    (record,) = records(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in record.parent.rglob("*")}
    for path in (folders := [record.parent.parent, record.parent, record.parent / "predictions"]):
        path.chmod(0o500)
    commands = [["score", "runs"], ["compare", "runs", "runs"], ["report", "runs"]]
    commands += [["score", "runs", "--nms", "0.3", "--bootstrap"]] if name == "detected" else []
    again = warm.begin(arguments, tmp_path, unprivileged=True)
    assert again.wait() == 0, again.words
    assert printed(again) == shown
    for command in commands:
        reading = warm.begin(command, tmp_path, unprivileged=True)
        assert reading.wait() == 0, reading.words
    assert reading.words.count("the metrics are shown but not stored") == (name == "detected")
    warm.done(arguments, tmp_path)  # by who may write, and has no reason to
    for path in folders:
        path.chmod(0o700)
    assert {path: path.stat().st_mtime_ns for path in record.parent.rglob("*")} == before
    assert len(sessions(tmp_path)) == 1


def test_an_incomplete_run_that_may_only_be_read(classified: Undisturbed, warm: Warm, tmp_path: Path) -> None:
    before = halfway(classified.evaluation, warm, tmp_path)
    (record,) = records(tmp_path)
    record.parent.chmod(0o500)
    arguments = classified.evaluation.arguments()
    sealed = warm.begin(arguments, tmp_path, unprivileged=True)  # the killed one's lock is there, and can be held
    refused(sealed, 4, "incomplete.write-failed", record.parent.name)
    record.parent.chmod(0o700)
    (record.parent / ".lock").unlink(missing_ok=True)
    record.parent.chmod(0o500)
    refused(warm.begin(arguments, tmp_path, unprivileged=True), 3, "disk.write-failed", record.parent.name, "--run")
    record.parent.chmod(0o700)
    assert untouched(before)
    warm.done(arguments, tmp_path)
    assert contents(tmp_path) == classified.files
    assert len(sessions(tmp_path)) == 2


def test_links_in_place_of_files_are_not_followed(classified: Undisturbed, warm: Warm, tmp_path: Path) -> None:
    """What the links lead to stays as it is, and in the run lie files of its own."""
    halfway(classified.evaluation, warm, tmp_path)
    (record,) = records(tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("metrics.json", ".lock", ".metrics.lock", "predictions/000002.npz"):
        aim = outside / name.replace("/", "-")
        aim.write_bytes(b"mine")
        (record.parent / name).unlink(missing_ok=True)
        (record.parent / name).symlink_to(aim)
    arguments = classified.evaluation.arguments()
    for lock in (".lock", ".metrics.lock"):
        stopped = warm.begin(arguments, tmp_path)
        assert stopped.wait() in (3, 4), stopped.words
        assert lock in stopped.words.splitlines()[-1]
        (record.parent / lock).unlink()
    warm.done(arguments, tmp_path)
    assert contents(tmp_path) == classified.files
    assert not [path for path in record.parent.rglob("*") if path.is_symlink()]
    assert {path.read_bytes() for path in outside.iterdir()} == {b"mine"}


def test_another_run_in_the_directory(classified: Undisturbed, warm: Warm, tmp_path: Path) -> None:
    before = halfway(classified.evaluation, warm, tmp_path)
    (record,) = records(tmp_path)
    result = json.loads(record.read_text())
    result["identity"]["weights"] = "0" * 64
    record.write_text(json.dumps(result))
    refused(warm.begin(classified.evaluation.arguments(), tmp_path), 3, "run.other-run", "the same weights", "--fresh")
    assert untouched(before)
    warm.done(classified.evaluation.arguments("--fresh"), tmp_path)
    assert contents(tmp_path) == classified.files


def test_a_killed_command_leaves_nothing_behind(classified: Undisturbed, warm: Warm, tmp_path: Path) -> None:
    """Nor workers, which would keep memory and the run to themselves."""
    process = begun(classified.evaluation.arguments("-j", "2"), warm, tmp_path)
    workers = process.children
    assert len(workers) == 2
    assert process.kill()
    until_gone(workers)
    warm.done(classified.evaluation.arguments(), tmp_path)
    assert contents(tmp_path) == classified.files


def test_a_worker_that_dies(classified: Undisturbed, warm: Warm, tmp_path: Path) -> None:
    process = begun(classified.evaluation.arguments("-j", "2", *SLOW), warm, tmp_path)
    os.kill(process.children[-1], signal.SIGKILL)
    process.resume()
    refused(process, 4, "incomplete.worker-died")
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
    first, again, last = process.words.strip().splitlines()
    assert f" {kept(tmp_path)[0].parents[1].relative_to(tmp_path)}." in first
    assert again.startswith("cspbench eval-imagenet")
    assert last.startswith("cspbench: ")
    assert last.endswith("[interrupted]")


@pytest.mark.parametrize("whole", [False, True])
def test_a_request_to_terminate(classified: Undisturbed, warm: Warm, tmp_path: Path, whole: bool) -> None:
    """To the command alone, or, as a scheduler does it, to its workers, too."""
    process = begun(classified.evaluation.arguments("-j", "2", *SLOW), warm, tmp_path, unhurried=True)
    workers = process.children
    assert len(workers) == 2
    process.signal(signal.SIGTERM, whole)
    process.resume()
    assert process.wait() == 143, process.words
    assert process.words.rstrip().endswith("[terminated]")
    assert "Traceback" not in process.words
    until_gone(workers)
    warm.done(classified.evaluation.arguments(), tmp_path)
    assert contents(tmp_path) == classified.files


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
    assert process.words.rstrip().endswith("[interrupted]")
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
    assert years(tmp_path) == ["2086", "1971"]
    times = re.findall(r"(?:waiting|forward|interpreting|writing) (\S+) s\b", process.words)
    assert len(times) == 4
    assert all(0 <= float(each) < PATIENCE for each in times)
    (tmp_path / "again").mkdir()
    again = warm.begin(arguments, tmp_path / "again", clock=1971)
    assert again.wait() == 0, again.words
    assert contents(tmp_path / "again") == undisturbed.files
    assert years(tmp_path / "again") == ["1971"]


def years(folder: Path) -> list[str]:
    """When the sessions of the one run below runs/ say that they began."""
    (record,) = records(folder)
    return [session["when"][:4] for session in json.loads(record.read_text())["sessions"]]


def test_a_run_from_the_future(classified: Undisturbed, warm: Warm, tmp_path: Path) -> None:
    halfway(classified.evaluation, warm, tmp_path)
    (record,) = records(tmp_path)
    result = json.loads(record.read_text())
    result["sessions"][0]["when"] = "9999-12-31T23:59:59Z"
    record.write_text(json.dumps(result))
    warm.done(classified.evaluation.arguments(), tmp_path)
    assert contents(tmp_path) == classified.files
    warm.done(["score", "runs"], tmp_path)
    del result["sessions"][0]["when"]
    record.write_text(json.dumps(result))
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
    assert f" {path.parent.name}/{path.name}" in process.words
    assert "Traceback" not in process.words
    before = {each: each.stat().st_mtime_ns for each in kept(tmp_path)[:-1]}
    if path.is_dir():
        path.rmdir()
    path.write_bytes(data)
    warm.done(evaluation.arguments(), tmp_path)
    assert contents(tmp_path) == changing.files
    assert untouched(before)
