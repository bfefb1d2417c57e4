"""What shows a run: how often it is drawn, and that none of its failures is one of the training."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from refusals import refuses

from cspbench.training.folder import Folder
from cspbench.training.learner import Update
from cspbench.training.loop import Standing
from cspbench.training.run import monitor, scalars
from cspbench.training.run.monitor import Monitor
from cspbench.training.run.options import Options
from cspbench.training.run.scalars import Scalars

STANDING = Standing(Update(7, 2.5, 0.125), 3.5, 40.0)


class Clock:
    """A time that tests set; drawing takes `work` seconds."""

    now, work, drawn = 100.0, 1.0, 0

    def __call__(self) -> float:
        return self.now

    def save(self, *_: Any) -> None:
        self.drawn += 1
        self.now += self.work


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    pytest.importorskip("matplotlib")
    result = Clock()
    monkeypatch.setattr(monitor, "save", result.save)
    return result


def watching(folder: Path, clock: Callable[[], float], notes: list[str] | None = None, **more: Any) -> Monitor:
    kept = [] if notes is None else notes
    return Monitor(Folder(folder, "net"), "net", "top-1", 100.0, kept.append, clock=clock, **more)


def test_it_draws_at_a_checkpoint_and_once_a_minute_at_most(clock: Clock, tmp_path: Path) -> None:
    watch = watching(tmp_path, clock)
    for now, saved, drawn in [
        (159.0, True, 0),
        (160.0, False, 0),
        (160.0, True, 1),  # and ends at 161
        (220.5, True, 1),
        (221.0, True, 2),
    ]:
        clock.now = now
        watch.reached(STANDING, saved)
        assert clock.drawn == drawn, now
    with watch:
        pass
    assert clock.drawn == 3


def test_a_slow_drawing_is_rarer(clock: Clock, tmp_path: Path) -> None:
    """Fifty times as long as it took: four seconds are 200."""
    clock.work = 4.0
    watch = watching(tmp_path, clock)
    for now, drawn in [(160.0, 1), (363.0, 1), (364.0, 2)]:
        clock.now = now
        watch.reached(STANDING, True)
        assert clock.drawn == drawn, now


@pytest.mark.parametrize(("error", "drawn"), [(None, 1), (ValueError, 1), (KeyboardInterrupt, 0)])
def test_it_draws_at_the_end_but_of_an_interrupt(
    error: type[BaseException] | None, drawn: int, clock: Clock, tmp_path: Path
) -> None:
    try:
        with watching(tmp_path, clock):
            if error is not None:
                raise error
    except (ValueError, KeyboardInterrupt):
        pass
    assert clock.drawn == drawn


def test_what_it_draws(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    folder = Folder(tmp_path, "net")
    with watching(tmp_path, Clock()):
        for at in range(1, 4):
            folder.add(Update(at, 1 / at, 0.1), 1.0, 8)
        folder.note_evaluation(2, 0.25)
    assert (tmp_path / "loss.png").read_bytes()[:4] == b"\x89PNG"
    assert "top-1 in percent" in (tmp_path / "loss.svg").read_text()
    assert folder.evaluations() == [(2, 0.25)]


def test_a_failure_is_noted_once(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "loss.png").mkdir()
    notes: list[str] = []
    watch = watching(tmp_path, Clock(), notes)
    watch.draw()
    watch.draw()
    assert len(notes) == 1
    assert notes[0].startswith("no more loss.png: ")


def test_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "find_spec", lambda name: None)
    notes: list[str] = []
    with watching(tmp_path, Clock(), notes) as watch:
        watch.draw()
    assert len(notes) == 1
    assert "cspbench[plot]" in notes[0]
    assert list(tmp_path.iterdir()) == []


def test_evaluations_that_are_none(tmp_path: Path) -> None:
    lines = [{"iteration": 1, "figure": 0.5}, {"iteration": "2", "figure": 1}, {"figure": 1}, {"iteration": 3}]
    (tmp_path / "evaluations.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert Folder(tmp_path, "net").evaluations() == [(1, 0.5)]


def test_scalars(tmp_path: Path) -> None:
    """With those of an interrupted session after its last checkpoint replaced."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with watching(tmp_path, Clock(), scalars=Scalars(tmp_path / "events", 1)) as watch:
        watch.reached(STANDING, False)
        watch.reached(Standing(Update(8, 9.0, 0.5), 9.0, 9.0), False)
        watch.evaluated(7, 0.75)
    with watching(tmp_path, Clock(), scalars=Scalars(tmp_path / "events", 8)) as watch:
        parts = Update(8, 2.0, 0.25, parts={"box": 1.5, "l1": 0.5}, positives=2.25)
        watch.reached(Standing(parts, 3.0, 41.0), False)
    events = EventAccumulator(str(tmp_path / "events"))
    events.Reload()
    values = {tag: [(item.step, item.value) for item in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    assert values == {
        "training/loss": [(7, 2.5), (8, 2.0)],
        "training/average": [(7, 3.5), (8, 3.0)],
        "training/rate": [(7, 0.125), (8, 0.25)],
        "training/images per second": [(7, 40.0), (8, 41.0)],
        "training/box": [(8, 1.5)],
        "training/l1": [(8, 0.5)],
        "training/positives per truth": [(8, 2.25)],
        "evaluation/top-1": [(7, 75.0)],
    }


def test_scalars_that_cannot_be_written(tmp_path: Path) -> None:
    class Full:
        def add(self, standing: Standing) -> None:
            raise OSError("no space")

        def close(self) -> None:
            raise AssertionError("closed")

    notes: list[str] = []
    with watching(tmp_path, Clock(), notes, scalars=Full()) as watch:
        watch.reached(STANDING, False)
        watch.reached(STANDING, False)
    assert notes[0] == "no more scalars for TensorBoard: no space"
    assert sum("TensorBoard" in note for note in notes) == 1


def test_without_tensorboard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.setattr(scalars, "find_spec", lambda name: None)
    with refuses("usage.no-tensorboard"):
        scalars.check()


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"iterations": 0}, "usage.out-of-range"),
        ({"epochs": 0.0}, "usage.out-of-range"),
        ({"epochs": float("inf")}, "usage.out-of-range"),
        ({"epochs": float("nan")}, "usage.out-of-range"),
        ({"every": 0}, "usage.out-of-range"),
        ({"eval_every": -1}, "usage.out-of-range"),
        ({"seed": -1}, "usage.out-of-range"),
        ({"allow_bad": -1}, "usage.out-of-range"),
        ({"iterations": 1, "epochs": 1.0}, "usage.not-together"),
    ],
)
def test_options_that_cannot_be(wrong: dict[str, Any], code: str) -> None:
    with refuses(code):
        Options(**wrong)
