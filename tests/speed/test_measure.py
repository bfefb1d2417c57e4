"""The measurement: turns, rounds, batches, settings, and what this machine lacks. No test bounds a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from refusals import refuses

from cspbench.data.decode import DECODERS
from cspbench.inference import footprint
from cspbench.results.speeds.record import Setting, Stage
from cspbench.speed import measure, memory, ready
from cspbench.speed.failures import explained
from cspbench.speed.hardware import cores, machine_of, processor
from cspbench.speed.measure import FEWEST, in_turns
from cspbench.speed.picture import jpeg
from cspbench.speed.ready import Ready
from cspbench.speed.subjects import Group, Subject, of_models
from cspbench.zoo import registry

CPU = torch.device("cpu")
TINY = 1e-9
"""Seconds: the fewest rounds."""


@pytest.fixture(scope="module")
def group() -> Group:
    names = ("sample-csp-classifier", "sample-csp-detector")
    return of_models([registry.model(name) for name in names], None)


@pytest.fixture
def subject(group: Group) -> Subject:
    return group.subjects[0]


def test_a_run_has_every_network_and_stage(group: Group) -> None:
    first, second = measure.measure([group], [Setting(), Setting("bf16", batch=2)], device="cpu", seconds=TINY)
    assert [run.setting for run in (first, second)] == [Setting(), Setting("bf16", batch=2)]
    assert (first.picture, first.session.device, first.machine.accelerator) == ((480, 640), "cpu", None)
    assert {name: len(times) for name, times in first.decoding.items()} == dict.fromkeys(DECODERS, 15)
    assert first.decoding == second.decoding  # once a command
    assert first.machine.threads == torch.get_num_threads()
    classifier, detector = first.timings
    assert [each.model for each in first.timings] == ["sample-csp-classifier", "sample-csp-detector"]
    assert (classifier.candidates, classifier.detections) == (None, None)
    assert detector.candidates is not None
    assert detector.detections is not None
    assert 0 < detector.detections <= detector.candidates
    for timing in first.timings:
        assert (timing.rounds, timing.batch) == (FEWEST, 1)
        seconds = [timing.seconds(stage) for stage in Stage]
        assert all(one < two < three for one, two, three in zip(*seconds, strict=True))
        assert timing.weights.startswith("arrays:")
    assert [timing.batch for timing in second.timings] == [2, 2]


def test_the_networks_take_turns(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[str] = []
    monkeypatch.setattr(Ready, "round", lambda self: turns.append(self.subject.name))
    subjects = [ready.ready(each, Setting(), CPU, jpeg(), 1.0) for each in group.subjects]
    in_turns(subjects, TINY, "timing")
    assert turns == ["sample-csp-classifier", "sample-csp-detector"] * FEWEST


def test_the_budget_ends_the_rounds(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that a round moves by a second: 7.5 seconds for each of two subjects are eight rounds."""
    now = [0.0]
    one = ready.ready(subject, Setting(), CPU, jpeg(), 1.0)
    rounds = [0, 0]

    def turn(which: int) -> Callable[[], float]:
        def take() -> float:
            now[0] += 1.0
            rounds[which] += 1
            return 1.0

        return take

    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    subjects = [replace(one), replace(one)]
    for number, each in enumerate(subjects):
        monkeypatch.setattr(each, "round", turn(number))
    in_turns(subjects, 7.5, "timing")
    assert rounds == [8, 8]
    monkeypatch.setattr(measure, "MOST", 5)
    rounds[:] = [0, 0]
    in_turns(subjects, 1e6, "timing")
    assert rounds == [5, 5]


def rates(monkeypatch: pytest.MonkeyPatch, subject: Subject, seconds: Callable[[int], float]) -> Ready:
    """The subject ready, where a forward pass of a batch takes so many seconds."""
    one = ready.ready(subject, Setting(), CPU, jpeg(), 1.0)
    monkeypatch.setattr(one, "reading", lambda pixels: seconds(len(pixels)))
    return one


@pytest.mark.parametrize(
    ("seconds", "best"),
    [
        (lambda batch: float(batch), 1),  # no gain
        (lambda batch: 1.0 + batch / 1000, 256),  # gains to the end
        (lambda batch: max(8.0, batch), 8),  # gains until 8
        (lambda batch: {1: 1.0, 2: 2.0, 4: 2.0}.get(batch, float(batch)), 4),  # one doubling without a gain is passed
        (lambda batch: batch / 1.01 if batch > 1 else 1.0, 1),  # a gain of 1 % is none
    ],
)
def test_the_best_batch(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, seconds: Callable[[int], float], best: int
) -> None:
    one = rates(monkeypatch, subject, seconds)
    one.use_best(1e9)
    assert (one.batch, len(one.pixels)) == (best, best)


def test_no_batch_is_tried_that_would_take_too_long(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    one = rates(monkeypatch, subject, lambda batch: 1.0 + batch / 1000)
    one.use_best(1.5)
    assert one.batch == 1


def test_memory_bounds_the_best_batch(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    one = rates(monkeypatch, subject, lambda batch: 1.0 + batch / 1000)
    monkeypatch.setattr(memory, "free", lambda device: 5 * footprint.least_bytes(subject.network))
    one.use_best(1e9)
    assert one.batch == 4


def test_short_passes_are_timed_together(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    for seconds, calls in ((0.001, 10), (0.004, 2), (0.02, 1), (1e-6, 100), (0.0, 100)):
        one = rates(monkeypatch, subject, lambda batch, seconds=seconds: seconds)  # type: ignore[misc]
        one.use(1)
        assert one.calls == calls


def test_a_readings_parts(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a batch of 4 and 3 passes of 12 s together an image takes 1 s; loading and interpretation are of one."""
    one = ready.ready(subject, Setting(batch=4), CPU, jpeg(), 1.0)
    one.calls = 3
    clock = iter([100.0, 105.0, 117.0, 119.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    assert one.round() == 19.0
    assert one.times == ([5.0], [1.0], [2.0])


# --- what the machine lacks


def test_a_batch_that_does_not_fit(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free", lambda device: footprint.least_bytes(subject.network))
    ready.ready(subject, Setting(batch=1), CPU, jpeg(), 1.0)
    ready.ready(subject, Setting("bf16", batch=2), CPU, jpeg(), 1.0)  # half as much
    with refuses("memory.batch-too-large", where="sample-csp-classifier", expected="memory for a batch of 2"):
        ready.ready(subject, Setting(batch=2), CPU, jpeg(), 1.0)
    monkeypatch.setattr(memory, "free", lambda device: None)
    ready.ready(subject, Setting(batch=2), CPU, jpeg(), 1.0)


@pytest.mark.parametrize(
    ("error", "setting", "code"),
    [
        (RuntimeError("\"slow_conv2d_cpu\" not implemented for 'Half'"), Setting("fp16"), "usage.no-such-arithmetic"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), Setting(), "memory.batch-too-large"),
        (MemoryError(), Setting("fp16"), "memory.batch-too-large"),
        (torch._dynamo.exc.InternalTorchDynamoError("no compiler"), Setting(compiled=True), "usage.not-compiled"),
    ],
)
def test_failures_of_torch_are_explained(subject: Subject, error: Exception, setting: Setting, code: str) -> None:
    with refuses(code, where="sample-csp-classifier"), explained(subject, 8, setting, CPU):
        raise error


@pytest.mark.parametrize(
    ("error", "setting"),
    [
        (RuntimeError("\"slow_conv2d_cpu\" not implemented for 'Half'"), Setting()),
        (RuntimeError("shapes differ"), Setting("bf16")),
        (ValueError("out of memory"), Setting()),
        (torch._dynamo.exc.InternalTorchDynamoError("no compiler"), Setting()),
    ],
)
def test_other_failures_are_not(subject: Subject, error: Exception, setting: Setting) -> None:
    with pytest.raises(type(error)), explained(subject, 8, setting, CPU):
        raise error


def test_emulated_arithmetic_is_not_timed(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    with (
        refuses("usage.no-such-arithmetic"),
        explained(subject, 1, Setting("bf16"), torch.device("cuda")),
    ):
        raise AssertionError("not reached")


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf"), 1e6])
def test_seconds_to_measure_in(group: Group, seconds: float) -> None:
    with refuses("usage.seconds"):
        next(measure.measure([group], [Setting()], seconds=seconds))


# --- the machine


def test_the_machine_has_a_name_and_cores() -> None:
    assert processor()
    assert cores() >= 1
    assert machine_of(CPU).accelerator is None


def test_the_peak_of_some_work() -> None:
    held: list[Any] = []
    peak = memory.peak(CPU, lambda: held.append(torch.ones(32 * 2**20, dtype=torch.uint8)))
    assert peak is None or 30 * 1024 < peak < 64 * 1024
    assert memory.peak(torch.device("meta"), lambda: None) is None


def test_free_memory_of_a_container(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "GROUP", tmp_path)
    free = memory.free(CPU)
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("2000\n")
    assert memory.free(CPU) == 3000
    (tmp_path / "memory.max").write_text("max\n")
    assert (memory.free(CPU) is None) == (free is None)
    assert memory.free(torch.device("meta")) is None
