"""A run begun, resumed and read again: what is made, who is listed for it, and what is said."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from msgspec import structs
from refusals import refuses
from result_files import classifier

from cspbench.data.source import Entry, FileSource, Region
from cspbench.evaluation import runner
from cspbench.evaluation.execution import Execution, Listener
from cspbench.evaluation.runner import run_or_resume
from cspbench.evaluation.subject import Subject
from cspbench.inference.description import Description
from cspbench.inference.engine import Engine
from cspbench.inference.predict_shards import Timing
from cspbench.inference.shards import SHARD, Shards
from cspbench.results import runs
from cspbench.results.runs import RunDirectory

COUNT = SHARD + 2
IDENTITY = classifier(top1=0, images=COUNT).run.identity


@dataclass
class Heard(Listener):
    """Keeps what is said."""

    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def source(tmp_path: Path) -> FileSource:
    names = [f"{at:04d}.png" for at in range(COUNT)]
    (tmp_path / "images").mkdir()
    for name in names:
        (tmp_path / "images" / name).write_bytes(name.encode())
    return FileSource(
        "list", [Entry(name, None) for name in names], [Region(str(tmp_path / "images" / name)) for name in names]
    )


class Program:
    """Somebody who evaluates: makes shards of nothing but keys, and may die before one of them."""

    def __init__(self, path: Path, source: FileSource, commit: str = "a" * 40) -> None:
        self.path, self.source, self.commit = path, source, commit
        self.made: list[int] = []
        self.built = 0
        self.dies_before: int | None = None

    def _build(self, epsilon: str) -> torch.nn.Module:
        self.built += 1
        return torch.nn.Identity()

    def _predict(
        self,
        shards: Shards,
        which: list[int],
        engine: Engine,
        batch: int,
        workers: int,
        progress: Callable[[Timing], None],
    ) -> Timing:
        for shard in which:
            if shard == self.dies_before:
                raise KeyboardInterrupt
            index = np.array(shards.block(shard))
            samples = [self.source.sample(at) for at in index]
            arrays: dict[str, Any] = {
                "index": index,
                "key": np.array([sample.key for sample in samples]),
                "checksum": np.array([zlib.crc32(each.data) for each in samples], np.uint32),
                "ok": np.ones(len(index), np.bool_),
            }
            shards.write(shard, arrays)
            self.made.append(shard)
        return Timing(images=sum(len(shards.block(shard)) for shard in which))

    def __call__(self, monkeypatch: pytest.MonkeyPatch, **more: Any) -> tuple[RunDirectory, list[str]]:
        """Evaluate; the run and what was said."""
        monkeypatch.setattr("cspbench.results.sessions.commit", lambda: self.commit)
        heard, self.made = Heard(), []
        description = Description("net", (3, 8, 8))
        subject = Subject(description, IDENTITY.network, IDENTITY.weights, "f" * 64, self._build, user_file=True)
        execution = Execution(device="cpu", command=("cspbench", "eval", "it's"), **more)
        run = run_or_resume(self.path, subject, "inside-1e-5", IDENTITY, self.source, self._predict, execution, heard)
        assert run is not None
        self.heard = heard
        return run, heard.notes


def commits(run: RunDirectory) -> list[str | None]:
    return [session.commit and session.commit[:1] for session in run.record.sessions]


def test_a_run_is_made_once_and_then_only_read(
    tmp_path: Path, source: FileSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = Program(tmp_path / "run", source)
    run, notes = program(monkeypatch)
    assert (program.made, program.built, commits(run)) == ([0, 1], 1, ["a"])
    assert (run.record.sessions[0].command, run.record.sessions[0].device) == (["cspbench", "eval", "it's"], "cpu")
    assert (run.record.weights.arrays, run.record.weights.file) == (IDENTITY.weights, "f" * 64)
    assert notes == [f"net: {COUNT} images, waiting 0.0 s, forward 0.0 s, interpreting 0.0 s, writing 0.0 s"]
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}
    again, notes = program(monkeypatch)
    assert (program.made, program.built, again) == ([], 1, run)
    assert {path: path.stat().st_mtime_ns for path in run.path.rglob("*")} == before
    (note,) = notes
    assert f"{COUNT} of {COUNT} images" in note
    assert f"by cspbench 0.1.0, commit aaaaaaa, torch {torch.__version__}: {run.path}" in note


def test_whoever_makes_the_rest_is_listed(tmp_path: Path, source: FileSource, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Program(tmp_path / "run", source)
    first.dies_before = 1
    with pytest.raises(KeyboardInterrupt):
        first(monkeypatch)
    second = Program(tmp_path / "run", source, "b" * 40 + "+changes")
    run, notes = second(monkeypatch)
    assert (second.made, commits(run)) == ([1], ["a", "b"])
    assert f"{SHARD} of {COUNT} images" in notes[0]
    assert notes[1].startswith("warning: net: this run mixes programs")
    assert "commit bbbbbbb+changes" in notes[1]
    # one that only reads it is not listed, and hears of both
    third = Program(tmp_path / "run", source, "c" * 40)
    run, notes = third(monkeypatch)
    assert (third.made, commits(run)) == ([], ["a", "b"])
    assert "commit aaaaaaa" in notes[0]
    assert "commit bbbbbbb+changes" in notes[0]
    assert notes[1].startswith("warning: net: ")


def test_the_same_program_resumes_without_a_warning(
    tmp_path: Path, source: FileSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = Program(tmp_path / "run", source)
    program.dies_before = 1
    with pytest.raises(KeyboardInterrupt):
        program(monkeypatch)
    program.dies_before = None
    run, notes = program(monkeypatch)
    assert commits(run) == ["a", "a"]
    assert not any(note.startswith("warning") for note in notes)


@pytest.mark.parametrize(
    ("at", "words"), [(0, f"before the first {SHARD} images"), (1, f"{SHARD} of {COUNT} images are kept")]
)
def test_an_interrupted_run_says_how_to_resume_it(
    tmp_path: Path, source: FileSource, monkeypatch: pytest.MonkeyPatch, at: int, words: str
) -> None:
    program = Program(tmp_path / "run", source)
    program.dies_before = at
    heard = Heard()
    monkeypatch.setattr(f"{__name__}.Heard", lambda: heard)
    with pytest.raises(KeyboardInterrupt):
        program(monkeypatch)
    assert words in heard.notes[-2]
    # quoted, so that it can be pasted
    assert heard.notes[-1].splitlines()[-1] == "cspbench eval 'it'\"'\"'s'"
    assert not (tmp_path / "run" / ".lock").exists()


def test_a_changed_image_is_predicted_again_and_its_server_answer_is_gone(
    tmp_path: Path, source: FileSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = Program(tmp_path / "run", source)
    run, _ = program(monkeypatch)
    (run.path / "server.json").write_text("[]")
    run, _ = program(monkeypatch)
    assert (run.path / "server.json").exists()
    Path(source.regions[SHARD + 1].path).write_bytes(b"another")
    later = Program(tmp_path / "run", source, "b" * 40)
    run, notes = later(monkeypatch)
    assert (later.made, commits(run)) == ([1], ["a", "b"])
    assert "1 image files have changed" in notes[0]
    assert f"{SHARD + 1:04d}.png" in notes[0]
    assert not (run.path / "server.json").exists()


def test_of_what_is_made_all_anew_nobody_else_is_listed(
    tmp_path: Path, source: FileSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = Program(tmp_path / "run", source)
    program(monkeypatch)
    for region in source.regions:
        Path(region.path).write_bytes(b"another")
    later = Program(tmp_path / "run", source, "b" * 40)
    run, notes = later(monkeypatch)
    assert (later.made, commits(run)) == ([0, 1], ["b"])
    assert not any("images predicted" in note for note in notes)
    assert program.made == [0, 1]


def test_fresh_makes_all_of_it_again(tmp_path: Path, source: FileSource, monkeypatch: pytest.MonkeyPatch) -> None:
    program = Program(tmp_path / "run", source)
    program(monkeypatch)
    (tmp_path / "run" / "metrics.json").write_text("{}")
    later = Program(tmp_path / "run", source, "b" * 40)
    run, _ = later(monkeypatch, fresh=True)
    assert (later.made, commits(run)) == ([0, 1], ["b"])
    assert not (run.path / "metrics.json").exists()


def test_another_run_in_the_directory_is_refused(
    tmp_path: Path, source: FileSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = structs.replace(classifier(top1=0, images=COUNT, precision="bf16").run)
    runs.open_run(tmp_path / "run", other)
    program = Program(tmp_path / "run", source)
    with refuses("run.other-run", expected="the same precision"):
        program(monkeypatch)
    assert program.made == []


def test_files_that_lie_elsewhere_now_are_noted_and_not_predicted_again(
    tmp_path: Path, source: FileSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = Program(tmp_path / "run", source)
    run, _ = program(monkeypatch)
    (tmp_path / "images").rename(tmp_path / "moved")
    regions = [Region(str(tmp_path / "moved" / entry.key)) for entry in source.entries]
    program.source = FileSource("list", source.entries, regions)
    again, _ = program(monkeypatch)
    assert program.made == []
    assert again.record.files not in (None, run.record.files)
    assert again.record.sessions == run.record.sessions


def test_half_written_files_are_removed(tmp_path: Path, source: FileSource, monkeypatch: pytest.MonkeyPatch) -> None:
    left = tmp_path / "run" / "predictions" / ".000001.npz.abc"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    Program(tmp_path / "run", source)(monkeypatch)
    assert not left.exists()


def test_programs_are_told_apart_in_words() -> None:
    session = structs.replace(classifier().run.sessions[0], commit=None, packages={"torch": "2.0\n"})
    assert runner.program(session) == "cspbench 0.1.0, torch 2.0\\n"
