"""How batches get to a device and results come back: at once, or on a GPU while it computes the batch before.

On a GPU a batch is copied to pinned memory, from there to the GPU in a stream of its own, and its results are fetched
when the next batch has been started: nothing waits for the batch that is being computed. Two batches are in memory.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


class Direct:
    """A device whose results are there as soon as they are asked for: the CPU, and any but a CUDA GPU."""

    in_flight = 1
    """Batches that are started before the results of the first of them are fetched."""
    takes_levels = False
    """Whether pixels are sent in 8 bits, where the preset allows it, and converted on the device."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def copy(self, batch: Tensor) -> Tensor:
        """A batch from the CPU on the device; what the device does from now on waits for it."""
        return batch.to(self.device)

    def fetch(self, output: Tensor) -> Tensor:
        """An output in float32 on the CPU; it is complete after a `wait` for a later mark."""
        return output.float().cpu()

    def mark(self) -> Any:
        """A mark behind everything that the device was asked to do so far."""
        return time.perf_counter()

    def wait(self, mark: Any) -> None:
        """Return when the device has reached the mark."""

    def seconds(self, begin: Any, end: Any) -> float:
        """The device's time between two marks that it has reached."""
        return float(end - begin)


class Cuda(Direct):
    """A CUDA GPU."""

    in_flight = 2
    takes_levels = True

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self.copying: torch.cuda.Stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def copy(self, batch: Tensor) -> Tensor:
        with torch.cuda.stream(self.copying):  # on its GPU: pinned memory belongs to the current one
            there = batch.pin_memory().to(self.device, non_blocking=True)
        computing = torch.cuda.current_stream(self.device)
        computing.wait_stream(self.copying)
        there.record_stream(computing)  # else its memory could be used for the next copy before it has been read
        return there

    def fetch(self, output: Tensor) -> Tensor:
        return output.float().to("cpu", non_blocking=True)  # torch pins the target

    def mark(self) -> torch.cuda.Event:
        event: torch.cuda.Event = torch.cuda.Event(enable_timing=True, blocking=True)  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self.device))
        return event

    def wait(self, mark: torch.cuda.Event) -> None:
        mark.synchronize()

    def seconds(self, begin: torch.cuda.Event, end: torch.cuda.Event) -> float:
        return float(begin.elapsed_time(end)) / 1000


def interface(device: torch.device) -> Direct:
    """The interface to a device."""
    return Cuda(device) if device.type == "cuda" else Direct(device)


@dataclass(frozen=True)
class Part:
    """Outputs of a forward pass, on their way to the CPU, between two marks."""

    begin: Any
    outputs: tuple[Tensor, ...]
    end: Any


@dataclass(frozen=True)
class Running:
    """A batch that a device works on, in one or more parts."""

    device: Direct
    parts: tuple[Part, ...]

    @torch.inference_mode()
    def wait(self) -> tuple[Tensor, ...]:
        """The outputs, float32 on the CPU."""
        self.device.wait(self.parts[-1].end)
        return tuple(torch.cat(outputs) for outputs in zip(*(part.outputs for part in self.parts), strict=True))

    @property
    def seconds(self) -> float:
        """How long the device computed, after `wait`."""
        return sum(self.device.seconds(part.begin, part.end) for part in self.parts)


def held_back(items: Iterable[T], count: int) -> Iterator[T]:
    """The items in order, each after so many later ones have been taken."""
    held: deque[T] = deque()
    for item in items:
        held.append(item)
        del item  # so that it is freed when its receiver has done with it
        if len(held) > count:
            yield held.popleft()
    while held:
        yield held.popleft()


def look_up(pixels: Tensor, values: Tensor) -> Tensor:
    """uint8 (N, H, W, C) to float32 (N, C, H, W), channels last, by a table on the same device."""
    channels = len(values)
    first = 256 * torch.arange(channels, dtype=torch.int32, device=pixels.device)
    places = (pixels.int() + first).flatten()
    return values.flatten().index_select(0, places).view(pixels.shape).permute(0, 3, 1, 2)
