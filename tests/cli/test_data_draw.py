"""`cspbench data draw` as a process: whole sets, refusals, and what a stopped one leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faults.commands import PATIENCE, until_gone
from processes import run
from refusals import error_of

from cspbench.sample.training import HELD


def test_a_set_to_train_a_classifier_on(tmp_path: Path) -> None:
    done = run(["data", "draw", "imagenet", "drawn", "--images", "16", "-j", "1"], tmp_path)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"drawn"}
    assert {path.name for path in (tmp_path / "drawn").iterdir()} == {"train", "val"}
    assert len(list(tmp_path.glob("drawn/val/*/*.JPEG"))) == HELD["classification"]
    assert len(list(tmp_path.glob("drawn/train/*/*.JPEG"))) == 16
    again = run(["data", "draw", "imagenet", "drawn", "--images", "16"], tmp_path)
    assert (again.returncode, error_of(again)) == (2, "usage.folder-exists")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["coco", "drawn", "--images", "0"], "usage.option"),
        (["coco", "drawn", "--images", "10000001"], "usage.out-of-range"),
        (["voc", "drawn"], "usage.option"),
        (["coco"], "usage.option"),
        (["coco", "drawn", "-j", "many"], "usage.number-or-auto"),
    ],
)
def test_refusals(arguments: list[str], code: str, tmp_path: Path) -> None:
    done = run(["data", "draw", *arguments], tmp_path)
    assert (done.returncode, error_of(done)) == (2, code), done.stderr
    assert list(tmp_path.iterdir()) == []


PATIENT = """
from cspbench.__main__ import main
from cspbench.cli.terminal import interrupt
interrupt.GRACE = 600  # a slow machine does not remove the files in two seconds
main()
"""


def begun(folder: Path) -> tuple[subprocess.Popen[bytes], list[int]]:
    """A command that draws with two workers, and their processes."""
    command = [sys.executable, "-c", PATIENT, "data", "draw", "coco", "drawn", "--images", "100000", "-j", "2"]
    package = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": package},
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # which a shell in the background ignores
    )
    deadline = time.monotonic() + PATIENCE
    while not list(folder.glob(".drawn.part/*/*.jpg")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return process, [int(number) for number in children.split()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_one_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    process, children = begun(tmp_path)
    process.send_signal(number)
    assert process.wait(PATIENCE) in (128 + number, -number)
    until_gone(children)
    assert list(tmp_path.iterdir()) == []


def test_the_workers_of_a_killed_one_end(tmp_path: Path) -> None:
    process, children = begun(tmp_path)
    assert len(children) >= 2
    process.kill()
    process.wait(PATIENCE)
    until_gone(children)
    assert not (tmp_path / "drawn").exists()
