"""From images to kept shards: prepared ahead by other processes, through the network, interpreted, written."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from cspbench.errors import CspbenchError, IncompleteRunError
from cspbench.inference.engine import Engine
from cspbench.inference.footprint import enough_memory
from cspbench.inference.memory import give_back
from cspbench.inference.npz import Arrays
from cspbench.inference.shards import Shards

Columns = dict[str, list[Any]]
"""One entry per image under each name."""

TRIM = 64
"""Images after which free memory is given back."""

_PARENT_DEATH_SIGNAL = 1
"""Linux's PR_SET_PDEATHSIG."""


@dataclass(frozen=True)
class Prepared:
    """One image ready for the network. `ok` is False, and the pixels zero, when it could not be decoded."""

    index: int
    pixels: Tensor
    ok: bool
    about: Mapping[str, Any]
    """What else is kept of the image: its key, the checksum of its file, its class or its size."""


@dataclass(frozen=True)
class Batch:
    """Prepared images together: (N, 3, H, W) pixels, and `about` as columns."""

    pixels: Tensor
    columns: Columns

    def __len__(self) -> int:
        return len(self.pixels)


@dataclass
class Timing:
    """Seconds by where they went, and images done."""

    images: int = 0
    waiting: float = 0.0
    """For images to be decoded and prepared."""
    forward: float = 0.0
    """In the network."""
    interpreting: float = 0.0
    """From its outputs to what is kept."""
    writing: float = 0.0
    clock: float = field(default_factory=time.perf_counter)

    def spend(self, part: str) -> None:
        """What has passed since the last call was spent on `part`."""
        now = time.perf_counter()
        setattr(self, part, getattr(self, part) + now - self.clock)
        self.clock = now

    @property
    def seconds(self) -> float:
        """All together."""
        return self.waiting + self.forward + self.interpreting + self.writing

    def __str__(self) -> str:
        parts = ("waiting", "forward", "interpreting", "writing")
        return f"{self.images} images, " + ", ".join(f"{part} {getattr(self, part):.1f} s" for part in parts)


def batches(run: Shards, shards: Sequence[int], size: int) -> list[list[int]]:
    """Sample indices of every batch; none spans two shards, so that batches do not depend on who makes them."""
    return [
        list(block[at : at + size])
        for block in (run.block(shard) for shard in shards)
        for at in range(0, len(block), size)
    ]


def load(
    images: Dataset[Prepared], order: list[list[int]], workers: int, *, pinned: bool = False
) -> Generator[Batch, None, None]:
    """Batches in that order, prepared by `workers` processes ahead of time, or in this one for 0.

    `pinned` memory can be copied to a GPU while that computes; it needs one, and begins a context there.

    Close it to end the processes, or exhaust it. Raises the `CspbenchError` that an image raised in one of them, and
    `IncompleteRunError` when memory runs out in one or it dies, unless torch does so first, wherever this process is: a
    RuntimeError that names a DataLoader worker.
    """
    loader: DataLoader[Prepared | CspbenchError] = DataLoader(
        _Told(images),
        batch_sampler=order,
        num_workers=workers,
        collate_fn=_together,
        prefetch_factor=2 if workers else None,
        # not Python's default, which is another from 3.14 on: only a forked worker is this process's own child
        multiprocessing_context="fork" if workers and sys.platform == "linux" else None,
        worker_init_fn=partial(_begin_worker, os.getpid()),
        pin_memory=pinned,
    )
    with _unheard(signal.SIGINT):
        batches = iter(loader)
    try:
        for ready in batches:
            if isinstance(ready, CspbenchError):
                raise ready
            yield ready
    except (OSError, EOFError) as error:  # a process died while this one was fetching from it
        if not workers:
            raise
        raise _died(error) from error
    finally:
        _end(getattr(batches, "_workers", ()))


class _Told(Dataset[Prepared | CspbenchError]):
    """Images, or the error that stands for one: what is raised in another process arrives as its traceback."""

    def __init__(self, images: Dataset[Prepared]) -> None:
        self.images = images

    def __getitem__(self, index: int) -> Prepared | CspbenchError:
        try:
            with enough_memory("the preparation of an image"):
                return self.images[index]
        except CspbenchError as error:
            return error


def _died(error: Exception) -> IncompleteRunError:
    return IncompleteRunError(
        "incomplete.worker-died",
        "a process that prepares images died",
        found=(str(error) or type(error).__name__).splitlines()[0],
        remedy="Finished shards are kept: run the command again to resume, if memory is short with fewer of them (-j)",
    )


@contextmanager
def _unheard(number: signal.Signals) -> Iterator[None]:
    """Put a signal off; processes started meanwhile never hear it.

    A terminal interrupts all processes at once, and workers would answer with tracebacks. And an interrupt between the
    start of a worker and its being known would leave it behind.
    """
    if not hasattr(signal, "pthread_sigmask") or threading.current_thread() is not threading.main_thread():
        yield
        return
    heard: list[int] = []
    handler = signal.getsignal(number)
    if callable(handler):
        # blocking alone puts nothing off where there is another thread to take the signal
        signal.signal(number, lambda number, frame: heard.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if callable(handler):
            signal.signal(number, handler)
        if heard:
            signal.raise_signal(number)


def _end(workers: Sequence[Any]) -> None:
    """Kill processes that are still at work: asked to stop, they complain about what they can no longer send."""
    living = [worker for worker in workers if worker.is_alive()]
    if not living:
        return
    # torch raises an error, wherever this process is, when a worker dies
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL) if hasattr(signal, "SIGCHLD") else None
    try:
        for worker in living:
            worker.kill()
        for worker in living:
            worker.join()
    finally:
        if before is not None:
            signal.signal(signal.SIGCHLD, before)


def _together(found: list[Prepared | CspbenchError]) -> Batch | CspbenchError:
    images = []
    for each in found:
        if isinstance(each, CspbenchError):
            return each
        images.append(each)
    columns: Columns = {name: [each.about[name] for each in images] for name in images[0].about}
    columns["index"] = [each.index for each in images]
    columns["ok"] = [each.ok for each in images]
    return Batch(torch.stack([each.pixels for each in images]), columns)


def _begin_worker(parent: int, worker: int) -> None:
    torch.set_num_threads(1)
    # what is thrown in a worker's own threads is that nobody fetches its tensors any more
    sys.excepthook = lambda kind, error, trace: None
    _end_with(parent)


def _end_with(parent: int) -> None:
    """End with the parent process, however that ends; torch's own watch misses one that is dead already."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def predict(
    run: Shards,
    shards: Sequence[int],
    images: Dataset[Prepared],
    engine: Engine,
    batch: int,
    workers: int,
    interpret: Callable[[Batch, tuple[Tensor, ...]], Columns],
    arrays: Callable[[Columns], Arrays],
    progress: Callable[[Timing], None],
) -> Timing:
    """Make the shards. `interpret` turns a batch's outputs into columns, `arrays` a shard's columns into what is kept.

    `progress` hears every batch. Raises `IncompleteRunError` when a process that prepares images dies.
    """
    timing = Timing()
    try:
        order, pinned = batches(run, shards, batch), engine.device.type == "cuda"
        with closing(load(images, order, workers, pinned=pinned)) as ready:
            _keep(run, shards, ready, engine, interpret, arrays, progress, timing)
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise _died(error) from error
    return timing


def _keep(
    run: Shards,
    shards: Sequence[int],
    prepared: Iterator[Batch],
    engine: Engine,
    interpret: Callable[[Batch, tuple[Tensor, ...]], Columns],
    arrays: Callable[[Columns], Arrays],
    progress: Callable[[Timing], None],
    timing: Timing,
) -> None:
    pending: Columns = {}
    waiting = iter(shards)
    shard = next(waiting, None)
    for ready in prepared:
        timing.spend("waiting")
        outputs = engine(ready.pixels)
        timing.spend("forward")
        for name, values in {**ready.columns, **interpret(ready, outputs)}.items():
            pending.setdefault(name, []).extend(values)
        timing.images += len(ready)
        timing.spend("interpreting")
        assert shard is not None
        if len(pending["index"]) == len(run.block(shard)):
            run.write(shard, arrays(pending))
            pending, shard = {}, next(waiting, None)
            timing.spend("writing")
        if timing.images // TRIM > (timing.images - len(ready)) // TRIM:
            give_back()
        progress(timing)
