"""From images to prediction shards: loading in worker processes, forward pass, interpretation, writing."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from cspbench.data.source import Images, Sample
from cspbench.errors import BadImageError, CspbenchError, IncompleteRunError
from cspbench.inference.engine import Engine
from cspbench.inference.footprint import enough_memory
from cspbench.inference.memory import give_back
from cspbench.inference.npz import Arrays
from cspbench.inference.shards import SHARD, Shards

Columns = dict[str, list[Any]]
"""Values by name, with one entry per image."""

TRIM = 64
"""Images after which free memory is returned to the system."""

_PARENT_DEATH_SIGNAL = 1
"""Linux's PR_SET_PDEATHSIG."""


@dataclass(frozen=True)
class Prepared:
    """One image ready for the network. If it could not be decoded, `ok` is False and the pixels are zero."""

    index: int
    pixels: Tensor
    ok: bool
    about: Mapping[str, Any]
    """Other values to store: the image's key, the checksum of its file, its class or its size."""


@dataclass(frozen=True)
class Batch:
    """A batch of prepared images: (N, C, H, W) pixels, and `about` as columns."""

    pixels: Tensor
    columns: Columns

    def __len__(self) -> int:
        return len(self.pixels)


@dataclass
class Timing:
    """Seconds by activity, and the number of images."""

    images: int = 0
    waiting: float = 0.0
    """For decoded and prepared images."""
    forward: float = 0.0
    """In the network."""
    interpreting: float = 0.0
    """From the network's outputs to the stored values."""
    writing: float = 0.0
    clock: float = field(default_factory=time.perf_counter)

    def spend(self, part: str) -> None:
        """Add the time since the last call to `part`."""
        now = time.perf_counter()
        setattr(self, part, getattr(self, part) + now - self.clock)
        self.clock = now

    @property
    def seconds(self) -> float:
        """The total."""
        return self.waiting + self.forward + self.interpreting + self.writing

    def __str__(self) -> str:
        parts = ("waiting", "forward", "interpreting", "writing")
        return f"{self.images} images, " + ", ".join(f"{part} {getattr(self, part):.1f} s" for part in parts)


def batches(run: Shards, shards: Sequence[int], size: int) -> list[list[int]]:
    """Sample indices of every batch; no batch spans two shards, so that batches do not depend on the processes."""
    return [
        list(block[at : at + size])
        for block in (run.block(shard) for shard in shards)
        for at in range(0, len(block), size)
    ]


def load(
    images: Dataset[Prepared], order: list[list[int]], workers: int, *, pinned: bool = False
) -> Generator[Batch, None, None]:
    """Batches in the given order, prepared ahead by `workers` processes, or in this process if 0.

    `pinned` memory can be copied to a GPU while the GPU computes; it creates a context on a GPU.

    Exhaust or close the generator to end the workers. Raises the `CspbenchError` of an image, and `IncompleteRunError`
    if a worker dies or runs out of memory; but torch may notice a dead worker first and raise, at any place in this
    process, a RuntimeError that mentions a DataLoader worker.
    """
    loader: DataLoader[Prepared | CspbenchError] = DataLoader(
        _ImagesOrErrors(images),
        batch_sampler=order,
        num_workers=workers,
        collate_fn=_collated,
        prefetch_factor=2 if workers else None,
        # not Python's default, which changes in 3.14: only a forked worker is a child of this process
        multiprocessing_context="fork" if workers and sys.platform == "linux" else None,
        worker_init_fn=partial(_begin_worker, os.getpid()),
        pin_memory=pinned,
    )
    with _postponed({signal.SIGINT, signal.SIGTERM}):
        batches = iter(loader)
    try:
        for batch in batches:
            if isinstance(batch, CspbenchError):
                raise batch
            yield batch
    except (OSError, EOFError) as error:  # a worker died while this process was reading from it
        if not workers:
            raise
        raise _died(error) from error
    finally:
        _end(getattr(batches, "_workers", ()))


class _ImagesOrErrors(Dataset[Prepared | CspbenchError]):
    """Images, or their errors as values: an exception in a worker would arrive as its traceback."""

    def __init__(self, images: Dataset[Prepared]) -> None:
        self.images = images

    def __getitem__(self, index: int) -> Prepared | CspbenchError:
        try:
            with enough_memory("preparation of an image"):
                return self.images[index]
        except CspbenchError as error:
            return error


def _died(error: Exception) -> IncompleteRunError:
    return IncompleteRunError(
        "incomplete.worker-died",
        "a data-loading worker died",
        found=(str(error) or type(error).__name__).splitlines()[0],
        remedy="Run the command again to resume; if memory is short, with fewer workers (-j)",
    )


@contextmanager
def _postponed(numbers: set[signal.Signals]) -> Iterator[None]:
    """Postpone signals; processes started inside ignore them, and end when this process does (`_begin_worker`).

    A terminal interrupts all processes at once, and so does a scheduler that terminates a job: workers would print
    tracebacks, or seem to have died. Besides, a signal right after the start of a worker, before it is registered,
    would leave it running.
    """
    if not hasattr(signal, "pthread_sigmask") or threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    handlers = {number: handler for number in numbers if callable(handler := signal.getsignal(number))}
    for number in handlers:
        # blocking alone does not postpone a signal that another thread can receive
        signal.signal(number, lambda number, frame: received.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if received:
            signal.raise_signal(received[0])


def _end(workers: Sequence[Any]) -> None:
    """Kill running workers: if asked to stop, they would print errors about unsent data."""
    living = [worker for worker in workers if worker.is_alive()]
    if not living:
        return
    # torch's handler would raise an error when a worker dies
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL) if hasattr(signal, "SIGCHLD") else None
    try:
        for worker in living:
            worker.kill()
        for worker in living:
            worker.join()
    finally:
        if before is not None:
            signal.signal(signal.SIGCHLD, before)


def _collated(items: list[Prepared | CspbenchError]) -> Batch | CspbenchError:
    images = []
    for item in items:
        if isinstance(item, CspbenchError):
            return item
        images.append(item)
    columns: Columns = {name: [image.about[name] for image in images] for name in images[0].about}
    columns["index"] = [image.index for image in images]
    columns["ok"] = [image.ok for image in images]
    return Batch(torch.stack([image.pixels for image in images]), columns)


def _begin_worker(parent: int, worker: int) -> None:
    torch.set_num_threads(1)
    # a worker's own threads raise only when its tensors are no longer read
    sys.excepthook = lambda kind, error, trace: None
    _end_with(parent)


def _end_with(parent: int) -> None:
    """End this process when its parent ends, for any reason; torch's watchdog misses a parent that is already dead."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


class Predictor(Dataset[Prepared], ABC):
    """The images of a run, prepared for a network's input of (height, width), and what is stored of its outputs."""

    def __init__(self, source: Images, size: tuple[int, int], channels: int = 3) -> None:
        self.source, self.size, self.channels = source, size, channels

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Prepared:
        pixels = torch.zeros(self.channels, *self.size)
        about = {"key": self.source.key(index), "checksum": 0, **self.unread(index)}
        try:
            sample = self.source.sample(index)
            about |= {"key": sample.key, "checksum": zlib.crc32(sample.data)}
            self.prepare(sample, pixels.numpy(), about)
        except BadImageError:
            return Prepared(index, pixels.zero_(), False, about)
        return Prepared(index, pixels, True, about)

    @abstractmethod
    def unread(self, index: int) -> dict[str, Any]:
        """The other values to store for an image that cannot be read."""

    @abstractmethod
    def prepare(self, sample: Sample, out: NDArray[np.float32], about: dict[str, Any]) -> None:
        """Write the network's input, (C, height, width), and update the other values. Raises `BadImageError`."""

    @abstractmethod
    def interpret(self, batch: Batch, outputs: tuple[Tensor, ...]) -> Columns:
        """A batch's outputs as columns. Raises `OutputError`."""

    @abstractmethod
    def arrays(self, columns: Columns) -> Arrays:
        """The arrays of a shard from all its columns."""

    def predict(
        self,
        run: Shards,
        shards: Sequence[int],
        engine: Engine,
        batch: int,
        workers: int,
        progress: Callable[[Timing], None],
    ) -> Timing:
        """Write the shards; `progress` is called after every batch. Raises `IncompleteRunError` if a worker dies."""
        timing, pending = Timing(), Columns()
        workers = workers if self.source.random_access else 0
        try:
            order, pinned = batches(run, shards, batch), engine.device.type == "cuda"
            with closing(load(self, order, workers, pinned=pinned)) as prepared:
                for part in prepared:
                    timing.spend("waiting")
                    outputs = engine(part.pixels)
                    timing.spend("forward")
                    for name, values in {**part.columns, **self.interpret(part, outputs)}.items():
                        pending.setdefault(name, []).extend(values)
                    timing.images += len(part)
                    timing.spend("interpreting")
                    shard = pending["index"][0] // SHARD
                    if len(pending["index"]) == len(run.block(shard)):
                        run.write(shard, self.arrays(pending))
                        pending = {}
                        timing.spend("writing")
                    if timing.images // TRIM > (timing.images - len(part)) // TRIM:
                        give_back()
                    progress(timing)
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            raise _died(error) from error
        return timing
