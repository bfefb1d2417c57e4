"""From images to prediction shards: loading in worker processes, forward pass, interpretation, writing."""

from __future__ import annotations

import time
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from cspbench.data.levels import Table
from cspbench.data.source import Images, Sample
from cspbench.errors import BadImageError, CspbenchError
from cspbench.inference.device import Running, held_back
from cspbench.inference.engine import Engine
from cspbench.inference.memory import TRIM, give_back
from cspbench.inference.npz import Arrays
from cspbench.inference.shards import SHARD, Shards
from cspbench.inference.workers import ahead, died

Columns = dict[str, list[Any]]
"""Values by name, with one entry per image."""


@dataclass(frozen=True)
class Prepared:
    """One image ready for the network, or in 8 bits. If it could not be decoded, `ok` is False and pixels are zero."""

    index: int
    pixels: Tensor
    ok: bool
    about: Mapping[str, Any]
    """Other values to store: the image's key, the checksum of its file, its class or its size."""
    seconds: float = 0.0
    """Of processor time, for reading, decoding and preparing it."""


@dataclass(frozen=True)
class Batch:
    """A batch of prepared images: (N, C, H, W) pixels, or (N, H, W, C) in 8 bits, and `about` as columns."""

    pixels: Tensor
    columns: Columns
    seconds: float = 0.0
    """The sum of its images'."""

    def __len__(self) -> int:
        return len(self.pixels)


PARTS = {
    "waiting": "decoding",
    "forward": "the forward pass",
    "interpreting": "interpreting its output",
    "writing": "writing",
}
"""The activities of a run, and what bounds one that spends most of its time in them."""


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
    preparing: float = 0.0
    """Processor time of reading, decoding and preparing images, in whatever process; not a part of the total."""
    computing: float = 0.0
    """The device's time in the network, beside which this process may do something else; not a part of the total."""
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
        parts = ", ".join(f"{part} {getattr(self, part):.1f} s" for part in PARTS)
        return f"{self.images} images, {parts}{self._rates()}"

    def _rates(self) -> str:
        """How fast images are decoded and computed, and which part of the work the run waited for most."""
        if not self.images or not self.preparing or not self.computing:
            return ""
        longest = max(PARTS, key=lambda part: float(getattr(self, part)))
        share = 100 * getattr(self, longest) / self.seconds
        return (
            f"; decoding {self.images / self.preparing:.1f} images/s per core, forward "
            f"{self.images / self.computing:.1f} images/s: bound by {PARTS[longest]} ({share:.0f} % of the time)"
        )


def batches(run: Shards, shards: Sequence[int], size: int) -> list[list[int]]:
    """Sample indices of every batch; no batch spans two shards, so that batches do not depend on the processes."""
    return [
        list(block[at : at + size])
        for block in (run.block(shard) for shard in shards)
        for at in range(0, len(block), size)
    ]


def load(images: Dataset[Prepared], order: list[list[int]], workers: int) -> Generator[Batch, None, None]:
    """Batches in the given order, prepared ahead by `workers` processes, or in this process if 0; see `ahead`."""
    return ahead(images, workers, batch_sampler=order, collate_fn=_collated)


def _collated(items: list[Prepared | CspbenchError]) -> Batch | CspbenchError:
    images = []
    for item in items:
        if isinstance(item, CspbenchError):
            return item
        images.append(item)
    columns: Columns = {name: [image.about[name] for image in images] for name in images[0].about}
    columns["index"] = [image.index for image in images]
    columns["ok"] = [image.ok for image in images]
    seconds = sum(image.seconds for image in images)
    return Batch(torch.stack([image.pixels for image in images]), columns, seconds)


class Predictor(Dataset[Prepared], ABC):
    """The images of a run, prepared for a network's input of (height, width), and what is stored of its outputs.

    Where the preset has a table of `levels`, they may be prepared `in_levels` instead, for `look_up`.
    """

    def __init__(self, source: Images, size: tuple[int, int], channels: int = 3, levels: Table | None = None) -> None:
        self.source, self.size, self.channels, self.levels = source, size, channels, levels
        self.in_levels = False

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Prepared:
        begin = time.thread_time()
        shape = (*self.size, self.channels) if self.in_levels else (self.channels, *self.size)
        pixels = torch.zeros(shape, dtype=torch.uint8 if self.in_levels else torch.float32)
        about = {"key": self.source.key(index), "checksum": 0, **self.unread(index)}
        try:
            sample = self.source.sample(index)
            about |= {"key": sample.key, "checksum": zlib.crc32(sample.data)}
            (self.prepare_levels if self.in_levels else self.prepare)(sample, pixels.numpy(), about)
        except BadImageError:
            return Prepared(index, pixels.zero_(), False, about, time.thread_time() - begin)
        return Prepared(index, pixels, True, about, time.thread_time() - begin)

    @abstractmethod
    def unread(self, index: int) -> dict[str, Any]:
        """The other values to store for an image that cannot be read."""

    @abstractmethod
    def prepare(self, sample: Sample, out: NDArray[np.float32], about: dict[str, Any]) -> None:
        """Write the network's input, (C, height, width), and update the other values. Raises `BadImageError`."""

    @abstractmethod
    def prepare_levels(self, sample: Sample, out: NDArray[np.uint8], about: dict[str, Any]) -> None:
        """The same in 8 bits, (height, width, C), where there are `levels`."""

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
            order = batches(run, shards, batch)
            with closing(self.computed(engine, order, workers, timing)) as computed:
                for part, outputs in computed:
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
                    del part, outputs  # before another batch is started
        except RuntimeError as error:
            if (death := died(error)) is error:
                raise
            raise death from error
        return timing

    def computed(
        self, engine: Engine, order: list[list[int]], workers: int, timing: Timing
    ) -> Generator[tuple[Batch, tuple[Tensor, ...]], None, None]:
        """Every batch of images with the network's outputs; close it to end the workers.

        Where the device computes by itself, a batch's outputs are fetched after the next batch has been started.
        """
        self.in_levels = engine.interface.takes_levels and self.levels is not None
        with closing(load(self, order, workers)) as prepared:
            for part, running in held_back(self._started(prepared, engine, timing), engine.interface.in_flight - 1):
                outputs = running.wait()
                timing.spend("forward")
                timing.preparing += part.seconds
                timing.computing += running.seconds
                yield part, outputs
                del part, running, outputs  # before another batch is started

    def _started(self, prepared: Iterable[Batch], engine: Engine, timing: Timing) -> Iterator[tuple[Batch, Running]]:
        """Each batch, which the device begins to work on when it is taken."""
        levels = None if self.levels is None or not self.in_levels else torch.from_numpy(self.levels).to(engine.device)
        for part in prepared:
            timing.spend("waiting")
            running = engine.start(part.pixels, levels)
            timing.spend("forward")
            yield part, running
