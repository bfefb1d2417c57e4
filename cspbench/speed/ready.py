"""A network on a device that is warm: its first passes are over, its batch is chosen, its memory is measured."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from cspbench.errors import IncompleteRunError
from cspbench.inference import footprint
from cspbench.inference.engine import DTYPES, prepare
from cspbench.network.network import digest
from cspbench.results.speeds.record import Setting, Timing
from cspbench.speed import memory
from cspbench.speed.drawn import module_of
from cspbench.speed.failures import explained, too_large
from cspbench.speed.pipeline import Pipeline, pipeline_of
from cspbench.speed.subjects import Subject

SHORTEST = 0.01
"""Seconds of a reading: so many forward passes are timed together."""
MOST_CALLS = 100
LARGEST_BATCH = 256
"""How far the best batch is looked for."""
GAIN = 1.02
"""A larger batch is better if it is that much faster an image."""


def ready(subject: Subject, setting: Setting, device: torch.device, data: bytes, seconds: float) -> Ready:
    """The subject under a setting, warm; `data` is a JPEG file.

    The best batch is looked for without compilation, which each batch would need anew, among those that take less than
    so many seconds. Raises `IncompleteRunError` for a batch that does not fit into memory, `UsageError` for arithmetic
    that the device lacks, and where torch.compile cannot work.
    """
    pipeline = pipeline_of(subject)
    first = torch.from_numpy(pipeline.load(data))[None]
    # two views of the picture, since one alone has no variance where a map is a single pixel
    module, weights = module_of(subject.network, pipeline.epsilon, torch.cat((first, first.flip(-1))), pipeline.count)
    size = sum(tensor.nbytes for tensor in module.state_dict().values()) * DTYPES[setting.precision].itemsize // 4
    batch = setting.batch
    if batch == "best" and setting.compiled:
        batch = ready(subject, Setting(setting.precision, batch="best"), device, data, seconds).batch
    with explained(subject, 1, setting, device):
        engine = prepare(module, device, setting.precision, setting.compiled)
    one = Ready(subject, pipeline, engine.module, device, setting, data, weights)
    if batch == "best":
        one.use_best(seconds)
    else:
        one.use(batch)
    maps = memory.peak(device, lambda: one.reading(one.pixels))
    one.memory = None if maps is None else maps + size // 1024
    return one


@dataclass
class Ready:
    """A subject that can be timed, and the seconds an image of the rounds so far."""

    subject: Subject
    pipeline: Pipeline
    forward: Callable[[Tensor], Any]
    device: torch.device
    setting: Setting
    data: bytes
    """The JPEG file."""
    weights: str
    """`drawn`, or the digest of the arrays."""
    batch: int = 1
    pixels: Tensor = field(default_factory=lambda: torch.empty(0))
    """(batch, C, H, W) on the device."""
    calls: int = 1
    memory: int | None = None
    """KiB."""
    times: tuple[list[float], list[float], list[float]] = field(default_factory=lambda: ([], [], []))
    boxes: tuple[int, int] | None = None

    @torch.inference_mode()
    def round(self) -> float:
        """One reading of everything; returns the seconds that it took."""
        begin = time.perf_counter()
        pixels = self.load()
        loaded = self._wait()
        for _ in range(self.calls):
            outputs = self.forward(self.pixels)
        passed = self._wait()
        of_one = tuple(output[:1].float().cpu() for output in (outputs if isinstance(outputs, tuple) else (outputs,)))
        self.boxes = self.pipeline.interpret(of_one)
        ended = time.perf_counter()
        del pixels
        seconds = (loaded - begin, (passed - loaded) / (self.calls * self.batch), ended - passed)
        for times, value in zip(self.times, seconds, strict=True):
            times.append(value)
        return ended - begin

    def load(self) -> Tensor:
        """The input of one image, on the device."""
        pixels = torch.from_numpy(self.pipeline.load(self.data))[None]
        return pixels.to(self.device, DTYPES[self.setting.precision], memory_format=torch.channels_last)

    def reading(self, pixels: Tensor) -> float:
        """Seconds of one forward pass of a batch."""
        begin = self._wait()
        with torch.inference_mode():
            self.forward(pixels)
        return self._wait() - begin

    def batch_of(self, count: int) -> Tensor:
        """So many images on the device; raises `IncompleteRunError` if that memory is not there."""
        share = DTYPES[self.setting.precision].itemsize / 4
        needed, free = share * count * footprint.least_bytes(self.subject.network), memory.free(self.device)
        if free is not None and needed > free:
            found = f"at least {needed / footprint.GIB:.1f} GiB for its maps, {free / footprint.GIB:.1f} GiB are free"
            raise too_large(self.subject, count, found)
        return self.load().expand(count, -1, -1, -1).contiguous(memory_format=torch.channels_last)

    def use(self, count: int) -> None:
        """Run at this batch from now on; warms up. Raises `IncompleteRunError` if it does not fit into memory."""
        with explained(self.subject, count, self.setting, self.device):
            pixels = self.batch_of(count)
            self.reading(pixels)
            seconds = self.reading(pixels)
        self.batch, self.pixels = count, pixels
        self.calls = min(MOST_CALLS, max(1, round(SHORTEST / max(seconds, 1e-9))))

    def use_best(self, seconds: float) -> None:
        """Run at the batch with the highest throughput among 1, 2, 4, ...; after one that takes so many seconds, none.

        The search ends where two doublings in a row do not help, or memory does not suffice.
        """
        best, rate, misses, count = 1, 0.0, 0, 1
        while count <= LARGEST_BATCH and misses < 2:
            try:
                self.use(count)
            except IncompleteRunError:
                if count == 1:
                    raise
                break
            took = min(self.reading(self.pixels) for _ in range(2))
            if count / took > GAIN * rate:
                best, rate, misses = count, count / took, 0
            else:
                misses += 1
            if 2 * took > seconds:
                break
            count *= 2
        if self.batch != best:
            self.use(best)

    def timing(self) -> Timing:
        """The record of the rounds."""
        load, forward, interpret = self.times
        network = self.subject.network
        return Timing(
            model=network.name,
            size=network.input[1:],
            network=digest(network),
            definition=self.subject.definition,
            weights=self.weights,
            batch=self.batch,
            calls=self.calls,
            load=load,
            forward=forward,
            interpret=interpret,
            candidates=self.boxes[0] if self.boxes else None,
            detections=self.boxes[1] if self.boxes else None,
            memory=self.memory,
        )

    def _wait(self) -> float:
        """The time, once the device has done what it was asked."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()
        return time.perf_counter()
