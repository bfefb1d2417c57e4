"""A device that computes by itself: the same predictions in the same order, two batches in memory, nothing left."""

from __future__ import annotations

import gc
import multiprocessing
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pictures import jpeg
from torch import Tensor, nn

from cspbench.classification.predict import PreparedImages
from cspbench.data.presets import PRESETS, preset
from cspbench.data.source import Entry, FileSource, Region, Sample
from cspbench.errors import OutputError
from cspbench.inference import device
from cspbench.inference.device import Cuda, Direct, held_back, look_up
from cspbench.inference.engine import Engine, prepare
from cspbench.inference.predict_shards import Timing
from cspbench.inference.shards import SHARD, Shards

COUNT, BATCH, SIDE = 11, 4, 24
CPU = torch.device("cpu")


class Late(Direct):
    """Does what it is asked when a mark is waited for, as a GPU may: before, its outputs are not numbers."""

    in_flight = 2
    takes_levels = True

    def __init__(self) -> None:
        super().__init__(CPU)
        self.work: deque[Callable[[], object]] = deque()
        self.asked = self.most = self.alive = 0

    def copy(self, batch: Tensor) -> Tensor:
        there = batch.clone()
        self.alive += 1
        self.most = max(self.most, self.alive)
        weakref.finalize(there, self._freed)
        self._later(lambda: there)  # it cannot be freed before it has been read
        return there

    def _later(self, work: Callable[[], object]) -> None:
        self.work.append(work)
        self.asked += 1

    def _freed(self) -> None:
        self.alive -= 1

    def fetch(self, output: Tensor) -> Tensor:
        here = torch.full_like(output, torch.nan)
        self._later(lambda: here.copy_(output))
        return here

    def mark(self) -> int:
        return self.asked

    def wait(self, mark: int) -> None:
        while self.asked - len(self.work) < mark:
            self.work.popleft()()

    def seconds(self, begin: int, end: int) -> float:
        assert self.asked - len(self.work) >= end
        return float(end - begin)


class Images(PreparedImages):
    """Pictures in memory, of which `broken` raises an error that ends the run."""

    broken: int | None = None

    def __init__(self, name: str) -> None:
        entries = [Entry(f"{at:02}.jpg", "n01440764") for at in range(COUNT)]
        super().__init__(FileSource("list", entries, [Region("none")] * COUNT), preset(name), (SIDE, SIDE), True)
        self.source.sample = self.sample  # type: ignore[method-assign]

    def sample(self, index: int) -> Sample:
        if index == self.broken:
            raise OutputError("network.not-finite", "broken")
        return Sample(f"{index:02}.jpg", jpeg(index, size=(40, 30 + index)), "n01440764", None)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 5, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Softmax(1))


def engine(of: Direct | None = None) -> Engine:
    ready = prepare(network(), CPU)
    if of is not None:
        ready.interface = of
    return ready


def shard(images: Images, ready: Engine, folder: Path, workers: int = 0) -> bytes:
    run = Shards(folder, COUNT)
    timing = images.predict(run, [0], ready, BATCH, workers, lambda timing: None)
    assert timing.images == COUNT
    return run.shard_path(0).read_bytes()


@pytest.mark.parametrize(("name", "workers"), [*((name, 0) for name in PRESETS), ("readme", 1), ("timm", 1)])
def test_predictions_are_those_of_the_cpu_byte_by_byte(tmp_path: Path, name: str, workers: int) -> None:
    """In order, with a last batch of three, from bytes where the preset has a table and from floats where not."""
    late, images = Late(), Images(name)
    expected = shard(Images(name), engine(), tmp_path / "cpu")
    assert shard(images, engine(late), tmp_path / "late", workers) == expected
    assert images.in_levels is (name in ("timm", "mmpretrain", "mmcls"))
    gc.collect()
    assert (late.most, late.alive) == (2, 0)


def test_a_batch_that_memory_halves_stays_in_order(tmp_path: Path) -> None:
    late, ready = Late(), engine()
    whole = ready.module

    def greedy(x: Tensor) -> Any:
        if len(x) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(x)

    ready.interface, ready.module = late, greedy
    assert shard(Images("timm"), ready, tmp_path / "late") == shard(Images("timm"), engine(), tmp_path / "cpu")
    assert ready.limit == 2


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("place", ["loader", "forward"])
def test_an_error_leaves_nothing_running(tmp_path: Path, place: str, workers: int) -> None:
    late, images, calls = Late(), Images("timm"), []
    ready = engine(late)
    whole = ready.module

    def fails(x: Tensor) -> Any:
        calls.append(len(x))
        if len(calls) == 2:
            raise RuntimeError("shapes do not fit")
        return whole(x)

    if place == "loader":
        images.broken = 6
    else:
        ready.module = fails
    with pytest.raises(OutputError if place == "loader" else RuntimeError, match=r"broken|shapes do not fit") as caught:
        shard(images, ready, tmp_path)
    del caught
    late.work.clear()
    gc.collect()
    assert (late.alive, multiprocessing.active_children()) == (0, [])
    assert not (tmp_path / "predictions").exists()


def test_a_receiver_that_stops_ends_the_workers() -> None:
    late = Late()
    computed = Images("timm").computed(engine(late), [[0], [1], [2], [3]], 2, Timing())
    assert next(computed)[0].columns["index"] == [0]
    assert (late.asked, len(late.work)) == (4, 2)  # the second batch is started, its outputs are not waited for
    computed.close()
    assert multiprocessing.active_children() == []


def test_a_run_says_what_bounds_it() -> None:
    timing = Timing(10, waiting=1.0, forward=3.0, interpreting=0.5, writing=0.5, preparing=0.5, computing=2.5)
    assert timing.seconds == 5
    words = (
        "10 images, waiting 1.0 s, forward 3.0 s, interpreting 0.5 s, writing 0.5 s; decoding 20.0 images/s per core, "
    )
    assert str(timing) == f"{words}forward 4.0 images/s: bound by the forward pass (60 % of the time)"
    timing.waiting = 6.0
    assert str(timing).endswith("bound by decoding (60 % of the time)")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_run_measures_decoding_where_it_is_done(tmp_path: Path, workers: int) -> None:
    timing = Images("timm").predict(Shards(tmp_path, COUNT), [0], engine(), BATCH, workers, lambda timing: None)
    assert timing.preparing > 0
    assert 0 < timing.computing <= timing.forward
    if not workers:
        assert timing.preparing <= timing.waiting
    assert "images/s per core" in str(timing)


def test_items_are_held_back() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(4):
            taken.append(item)
            yield item

    held = held_back(items(), 2)
    assert (next(held), taken) == (0, [0, 1, 2])
    assert (list(held), taken) == ([1, 2, 3], [0, 1, 2, 3])
    assert list(held_back([5], 2)) == [5]
    assert list(held_back(iter("ab"), 0)) == ["a", "b"]


def test_levels_are_looked_up_per_channel() -> None:
    values = torch.arange(512.0).view(2, 256)
    pixels = torch.tensor([[[[0, 0], [255, 1]]]], dtype=torch.uint8)  # 1 image of 1 x 2 pixels in 2 channels
    found = look_up(pixels, values)
    assert found.tolist() == [[[[0.0, 255.0]], [[256.0, 257.0]]]]
    assert found.dtype == torch.float32
    assert look_up(torch.zeros(2, 3, 4, 2, dtype=torch.uint8), values).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", ["timm", "mmpretrain", "mmcls"])
def test_a_table_has_every_level_as_the_preset_computes_it(name: str) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)
    rules = preset(name)
    assert rules.levels is not None
    planes = np.empty((3, 20, 24), np.float32)
    np.divide(pictures.transpose(2, 0, 1), np.float32(255), out=planes)
    for plane, mean, deviation in zip(planes, rules.mean, rules.std, strict=True):
        plane -= np.float32(mean)
        plane /= np.float32(deviation)
    found = look_up(torch.from_numpy(pictures)[None], torch.from_numpy(rules.levels))[0].numpy()
    assert found.tobytes() == planes.tobytes()


class Recorded:
    """torch.cuda's streams and events, which write down what they are asked."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.log: list[str] = []
        self.now = "computing"
        log, outer = self.log, self

        class Stream:
            def __init__(self, name: object) -> None:
                self.name = name if name == "computing" else "copying"

            def wait_stream(self, other: Stream) -> None:
                log.append(f"{self.name} waits for {other.name}")

        class Event:
            def __init__(self, **options: bool) -> None:
                assert options == {"enable_timing": True, "blocking": True}

            def record(self, stream: Stream) -> None:
                log.append(f"mark in {stream.name}")

            def synchronize(self) -> None:
                log.append("wait")

            def elapsed_time(self, other: Event) -> float:
                return 1500.0

        @contextmanager
        def stream(of: Stream) -> Iterator[None]:
            outer.now, before = str(of.name), outer.now
            yield
            outer.now = before

        def pinned(tensor: Tensor) -> Tensor:
            log.append(f"pin in {outer.now}")
            return tensor

        def to(tensor: Tensor, *where: Any, **how: Any) -> Tensor:
            if "non_blocking" in how:
                log.append(f"copy in {outer.now}, blocking {not how['non_blocking']}")
            return copy(tensor, *where, **how)

        copy = Tensor.to
        computing = Stream("computing")
        patch.setattr(torch.cuda, "Stream", Stream)
        patch.setattr(torch.cuda, "Event", Event)
        patch.setattr(torch.cuda, "stream", stream)
        patch.setattr(torch.cuda, "current_stream", lambda device: computing)
        patch.setattr(Tensor, "pin_memory", pinned)
        patch.setattr(Tensor, "to", to)
        patch.setattr(Tensor, "record_stream", lambda tensor, of: log.append(f"kept for {of.name}"))


def test_a_gpu_copies_in_a_stream_of_its_own_and_waits_for_the_batch_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What torch.cuda is asked, not what a GPU does of it."""
    recorded, log = Recorded(monkeypatch), []
    ready, log = engine(Cuda(CPU)), recorded.log
    images = Images("timm")
    written = shard(images, ready, tmp_path / "gpu")
    started = [
        *("pin in copying", "copy in copying, blocking False", "computing waits for copying", "kept for computing"),
        *("mark in computing", "copy in computing, blocking False", "mark in computing"),
    ]
    assert log == [*started, *started, "wait", *started, "wait", "wait"]
    monkeypatch.undo()
    assert written == shard(Images("timm"), engine(), tmp_path / "cpu")


def test_only_a_cuda_device_is_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "Stream", lambda of: None)
    assert type(device.interface(torch.device("cuda", 1))) is Cuda
    assert type(device.interface(torch.device("mps"))) is Direct
    assert type(device.interface(CPU)) is Direct
    assert SHARD > COUNT
