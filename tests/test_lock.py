"""The lock: one process at a time, and what is left of it when the holder dies."""

from __future__ import annotations

import fcntl
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from refusals import refuses

from cspbench.lock import exclusive

HOLDER = """
import os, sys, time
from pathlib import Path
from cspbench.lock import exclusive
with exclusive(Path(sys.argv[1])):
    worker = os.fork() if sys.argv[2] == "worker" else 0
    if sys.argv[2] == "worker" and worker == 0:
        time.sleep(600)
        os._exit(0)
    print(os.getpid(), worker, flush=True)
    time.sleep(600)
"""


@contextmanager
def holder(path: Path, kind: str = "alone") -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Another process that holds the lock, and the worker that it has forked."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(path), kind], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    worker = 0
    try:
        worker = int(process.stdout.readline().split()[1])
        yield process, worker
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        if worker:
            os.kill(worker, signal.SIGKILL)


def test_the_file_is_there_while_the_lock_is_held(tmp_path: Path) -> None:
    path = tmp_path / "new" / ".lock"
    with exclusive(path):
        assert path.read_text() == f"process {os.getpid()} on {platform.node() or 'this machine'}\n"
    assert list(path.parent.iterdir()) == []


def test_another_process_is_refused_and_hears_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with holder(path) as (process, _):
        with (
            refuses("incomplete.run-locked", where=str(path), remedy="Come again") as caught,
            exclusive(path, remedy="Come again"),
        ):
            pass
        assert str(caught.value.found).startswith(f"process {process.pid} on ")
        assert caught.value.exit_code == 4
    with exclusive(path):  # the kernel lets go of it with the killed process
        pass


def test_an_orphaned_worker_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with holder(path, "worker") as (process, worker):
        process.kill()
        process.wait()
        os.kill(worker, 0)  # alive
        with exclusive(path):
            assert path.read_text().startswith(f"process {os.getpid()} on ")
        os.kill(worker, 0)


@pytest.mark.parametrize("target", ["precious", "none"])
def test_a_link_is_refused_and_its_target_untouched(tmp_path: Path, target: str) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / ".lock").symlink_to(tmp_path / target)
    path = tmp_path / ".lock"
    with refuses("disk.write-failed", where=str(path), remedy="Elsewhere"), exclusive(path, place="Elsewhere"):
        pass
    assert (tmp_path / "precious").read_text() == "precious"
    assert (tmp_path / ".lock").is_symlink()
    assert not (tmp_path / "none").exists()


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    for name in ("pipe", "folder", "file/.lock"):
        with refuses("disk.write-failed"), exclusive(tmp_path / name):
            pass


def test_a_shorter_name_after_a_longer_one_shows_alone(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    path.write_text(f"process 123456789 on {'a-very-long-name.' * 4}\n")  # of a killed holder
    with holder(path) as (process, _):
        result = f"process {process.pid} on {platform.node() or 'this machine'}"
        with refuses("incomplete.run-locked", found=result), exclusive(path):
            pass


def test_waiting_says_what_it_waits_for_and_ends(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    heard: list[str] = []
    with holder(path) as (process, _):
        begun = time.monotonic()
        with refuses("incomplete.run-locked"), exclusive(path, wait=0.5, waiting=heard.append):
            pass
        assert 0.5 <= time.monotonic() - begun < 60
        assert [each.split(" on ")[0] for each in heard] == [f"process {process.pid}"]
        threading.Timer(0.3, process.kill).start()
        with exclusive(path, wait=300, waiting=heard.append):
            assert path.read_text().startswith(f"process {os.getpid()} on ")
    assert len(heard) == 2


def test_a_wait_that_lasts_is_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("cspbench.lock.SOON", 0.2)
    path = tmp_path / ".lock"
    with holder(path) as (process, _):
        with refuses("incomplete.run-locked"), exclusive(path, wait=0.1):
            pass
        assert caplog.messages == []
        with refuses("incomplete.run-locked"), exclusive(path, wait=0.6):
            pass
        (line,) = caplog.messages
        assert line.startswith(f"cspbench: waiting for process {process.pid} on ")
        assert line.endswith(f", which holds {path}, at most 1 s")


def test_two_threads_are_two(tmp_path: Path) -> None:
    with exclusive(tmp_path / ".lock"):
        thread = "another thread of this process"
        with refuses("incomplete.run-locked", found=thread), exclusive(tmp_path / "." / ".lock"):
            pass
        with exclusive(tmp_path / "other"):
            pass
        arguments = [sys.executable, "-c", HOLDER, str(tmp_path / ".lock"), "alone"]
        other = subprocess.run(arguments, capture_output=True, text=True, timeout=300)
        assert f"process {os.getpid()} on" in other.stderr  # the failed attempt has not given up the first one's lock
        assert other.returncode == 1


def test_a_thread_that_lets_go_meanwhile_is_no_defect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the failed attempt and the look at who holds the lock."""

    class LetGo(dict[str, object]):
        asked = 0

        def setdefault(self, key: str, default: object = None) -> object:
            self.asked += 1
            return "another thread's" if self.asked == 1 else super().setdefault(key, default)

    held = LetGo()
    monkeypatch.setattr("cspbench.lock._held", held)
    with exclusive(tmp_path / ".lock", wait=300):
        assert held.asked == 2
    assert not held


def test_a_file_that_its_last_holder_removes_is_not_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between opening and locking it: whoever comes next would create another file, and both would hold one."""
    path, lockf, calls = tmp_path / ".lock", fcntl.lockf, []

    def late(handle: int, how: int) -> None:
        calls.append(handle)
        if len(calls) == 1:
            path.unlink()
        lockf(handle, how)

    monkeypatch.setattr(fcntl, "lockf", late)
    with exclusive(path):
        assert path.read_text().startswith(f"process {os.getpid()} on ")
    assert len(calls) == 2


def test_many_waiting_processes_hold_it_one_after_the_other(tmp_path: Path) -> None:
    """Each adds one to a number that it reads before a pause and writes after it."""
    number = tmp_path / "number"
    number.write_text("0")
    code = """
import sys, time
from pathlib import Path
from cspbench.lock import exclusive
for _ in range(5):
    with exclusive(Path(sys.argv[1]) / ".lock", wait=300):
        read = int((Path(sys.argv[1]) / "number").read_text())
        time.sleep(0.01)
        (Path(sys.argv[1]) / "number").write_text(str(read + 1))
"""
    processes = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(4)]
    assert [process.wait(timeout=600) for process in processes] == [0] * 4
    assert number.read_text() == "20"
    assert [path.name for path in tmp_path.iterdir()] == ["number"]
