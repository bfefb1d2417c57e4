"""The files of a run: killed at any moment, a full disk, links in the place of files, memory over many iterations."""

from __future__ import annotations

import errno
import gc
import os
import random
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from refusals import refuses
from training_runs import KEPT, SMALL, Killed, chosen, files, trained

from cspbench.evaluation.execution import SILENT
from cspbench.inference.memory import give_back
from cspbench.io import append_text
from cspbench.lock import exclusive
from cspbench.training import checkpoint, loop
from cspbench.training.checkpoint import State
from cspbench.training.evaluated import evaluate
from cspbench.training.folder import Folder
from cspbench.training.loop import Loop
from cspbench.training.run import evaluations
from cspbench.training.run.session import train
from cspbench.weights import safetensors_file

SHOWN = {".jsonl", ".png", ".svg"}
"""Files for the eye, which nothing reads to resume."""


class Dying:
    """Ends the process before its `after`-th call of one of the parts of a training, or in the middle of a file."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = -1
        for owner, name in (
            (loop, "iterate"),
            (Folder, "add"),
            (State, "save"),
            (checkpoint, "save_file"),
            (safetensors_file, "save_file"),
            (Folder, "write"),
            (os, "replace"),
        ):
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name)))

    def _counted(self, original: Any) -> Any:
        def call(*arguments: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                raise Killed
            return original(*arguments)

        return call


def test_killed_ten_times_at_random(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before an iteration, a line of the log, a file, or the renaming of one: the same bytes in the end."""
    work = chosen(tmp_path, "classifier", "max_batches=20")
    trained(work, tmp_path / "whole")
    drawn, kills = random.Random(7), 0
    dying = Dying(monkeypatch)
    while kills < 10:
        dying.left = drawn.randint(2, 22)
        with pytest.raises(Killed):
            trained(work, tmp_path / "killed")
        kills += 1
    dying.left = -1
    trained(work, tmp_path / "killed")
    assert files(tmp_path / "killed") == files(tmp_path / "whole")
    assert not [path for path in (tmp_path / "killed").iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("part", [checkpoint, safetensors_file])
def test_a_full_disk_keeps_the_last_good_files(part: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checkpoint of iteration 6 does not fit, or the weights beside it; those of iteration 3 stay whole."""
    work = chosen(tmp_path, "detector", "max_batches=8")
    trained(work, tmp_path / "whole")
    run, original = tmp_path / "run", part.save_file
    good: dict[str, bytes] = {}

    def full(tensors: Any, path: Path, *more: Any) -> None:
        if good:
            Path(path).write_bytes(b"half a file")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        original(tensors, path, *more)

    def saved(self: Loop) -> None:
        save(self)
        good.update({path.name: path.read_bytes() for path in run.iterdir() if path.suffix not in SHOWN})

    save = Loop.save
    with monkeypatch.context() as patch:
        patch.setattr(part, "save_file", full)
        patch.setattr(Loop, "save", saved)
        name = "checkpoint" if part is checkpoint else "net_last"
        with refuses("disk.write-failed", where=str(run / f"{name}.safetensors"), found=os.strerror(errno.ENOSPC)):
            trained(work, run)
    kept = {path.name: path.read_bytes() for path in run.iterdir() if path.suffix not in SHOWN}
    assert kept.keys() - {".lock"} == good.keys() - {".lock"}
    changed = set() if part is checkpoint else {"checkpoint.safetensors", "net_last.weights"}  # those of iteration 6
    assert {name for name in kept if kept[name] != good[name]} == changed
    trained(work, run)
    assert files(run) == files(tmp_path / "whole")


def test_links_in_the_place_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that came from elsewhere: its links lead out, and nothing out there changes."""
    work = chosen(tmp_path, "classifier", "max_batches=3")
    run, outside = tmp_path / "run", tmp_path / "outside"
    run.mkdir()
    outside.write_bytes(b"precious")
    names = (*KEPT, "net_final.safetensors", "net_last.safetensors", "net_best.weights", "net.cfg")
    for name in names:
        (run / name).symlink_to(outside)
    (run / "checkpoint.safetensors").unlink()  # with it there would be a run to resume
    monkeypatch.setattr(evaluations, "figure", lambda *_: 0.5)
    result: Any = object()
    train(*work, run, replace(SMALL, eval_every=1), evaluate=lambda *_: result)
    assert outside.read_bytes() == b"precious"
    assert not [name for name in names if (run / name).is_symlink()]
    (run / "evaluations.jsonl").unlink()
    (run / "evaluations.jsonl").symlink_to(outside)
    with refuses("disk.write-failed", where=str(run / "evaluations.jsonl")):
        append_text(run / "evaluations.jsonl", "more")
    assert outside.read_bytes() == b"precious"
    (run / "evaluations").symlink_to(tmp_path)
    with refuses("disk.folder-is-link"):
        evaluate(work[0], work[1], run / "net_final.weights", SMALL.execution, 0, SILENT)


def test_append_text(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    append_text(path, "one\n")
    append_text(path, "two\n")
    assert path.read_text() == "one\ntwo\n"
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(path)
    append_text(link, "three\n", named=True)
    assert path.read_text() == "one\ntwo\nthree\n"
    os.mkfifo(pipe)
    for other in (link, pipe):
        with refuses("disk.write-failed", where=str(other)):
            append_text(other, "four\n")
    assert path.read_text() == "one\ntwo\nthree\n"


def test_another_run_in_the_folder(tmp_path: Path) -> None:
    work = chosen(tmp_path, "classifier", "max_batches=2")
    with exclusive(tmp_path / "run" / ".lock"), refuses("incomplete.run-locked", where=str(tmp_path / "run" / ".lock")):
        trained(work, tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From iteration 50 to 200, in several sizes and with mosaics, made in this process.

    A mini-batch that stays behind in every iteration would add 150 times two tensors, and 150 times two pictures of 64
    to 128 pixels, 14 MiB at least; fragments of freed ones are returned to the system before they are counted.
    """
    work = chosen(tmp_path, "detector", "max_batches=200", "batch=2", "subdivisions=1")
    counted: dict[int, Memory] = {}
    original = Loop._mini_batches

    def measured(self: Loop, stream: Any, iteration: int) -> Any:
        if iteration == 40:
            tracemalloc.start()
        if iteration in (50, 200):
            counted[iteration] = Memory.now()
        return original(self, stream, iteration)

    monkeypatch.setattr(Loop, "_mini_batches", measured)
    try:
        trained(work, tmp_path / "run", every=1000)
    finally:
        tracemalloc.stop()
    begin, end = counted[50], counted[200]
    assert end.tensors - begin.tensors < 75
    assert end.objects - begin.objects < 150 * 1000  # torch and Pillow keep some 400 bytes an iteration
    assert end.resident - begin.resident < 7 * 2**20


class Memory(NamedTuple):
    """Tensors that Python knows, bytes of objects of iterations since the 40th, and bytes of the process in memory."""

    tensors: int
    objects: int
    resident: int

    @classmethod
    def now(cls) -> Memory:
        gc.collect()
        give_back()
        tensors = sum(issubclass(type(one), torch.Tensor) for one in gc.get_objects())
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return cls(tensors, tracemalloc.get_traced_memory()[0], resident)
