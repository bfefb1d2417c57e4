"""RESULTS/speed.json: what `cspbench speed --save` measured, every round of it.

Medians, intervals and ratios follow from the rounds whenever somebody asks, so that the same file gives the same bytes.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta, Struct

from cspbench.results.encoding import SCHEMA
from cspbench.results.schema import Count, Positive, Precision, Session, Size

MOST_ROUNDS = 1000
LONGEST = 1e6
"""Seconds of an image."""


class Stage(StrEnum):
    """What a frame rate includes; each stage contains those before it."""

    NETWORK = "network"
    BOXES = "with boxes"
    IMAGES = "with images"


class Machine(Struct, frozen=True, omit_defaults=True):
    """What the times were measured on."""

    processor: str
    cores: Positive
    """Those that the process may use."""
    threads: Positive
    """Of torch, in one operation."""
    accelerator: str | None = None
    """Its name, where the network ran on one."""
    load: Annotated[float, Meta(ge=0, le=1e6)] | None = None
    """Processes that were busy before the start, on the average of a minute; None where the system does not say."""

    @property
    def name(self) -> str:
        """In words: "AMD EPYC 7763, 2 threads"."""
        threads = f"{self.threads} thread{'s' * (self.threads != 1)}"
        if self.accelerator is None:
            return f"{self.processor}, {threads}"
        return f"{self.accelerator} with {self.processor}, {threads}"


class Setting(Struct, frozen=True, omit_defaults=True):
    """How all networks of a run were executed; `best` is each network's own batch with the highest throughput."""

    precision: Precision = "fp32"
    compiled: bool = False
    batch: Positive | Literal["best"] = 1

    @property
    def name(self) -> str:
        """In words: "batch 1, fp32, eager"."""
        batch = "best batch" if self.batch == "best" else f"batch {self.batch}"
        return f"{batch}, {self.precision}, {'compiled' if self.compiled else 'eager'}"


class Timing(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One network's times in seconds an image, one number a round; round i of all networks of a run is one turn.

    `load`: a JPEG file in memory decoded, resized and copied to the device. `forward`: the network, a batch at a time,
    on pixels that are on the device. `interpret`: a detector's boxes decoded and suppressed, or a classifier's top-5.
    """

    model: str
    size: Size
    network: str
    """The definition's digest."""
    definition: str
    """The kind of the definition: `cfg`, ..., or `file` for a user's."""
    weights: str
    """`drawn`, or the digest of the arrays."""
    batch: Positive
    calls: Positive
    """Forward passes that are timed together, because one alone is too short for the clock."""
    load: list[float]
    forward: list[float]
    interpret: list[float]
    candidates: Count | None = None
    """A detector's boxes before suppression."""
    detections: Count | None = None
    """Those after it."""
    memory: Count | None = None
    """Peak of what weights and maps take, in KiB; None where it cannot be measured."""

    def __post_init__(self) -> None:
        lengths = {len(self.load), len(self.forward), len(self.interpret)}
        if len(lengths) != 1 or not 1 <= self.rounds <= MOST_ROUNDS:
            raise ValueError("rounds of different numbers, or none")
        if not all(math.isfinite(value) and 0 < value < LONGEST for value in [*self.load, *self.forward]):
            raise ValueError("a time that cannot be")
        if not all(math.isfinite(value) and 0 <= value < LONGEST for value in self.interpret):
            raise ValueError("a time that cannot be")

    @property
    def rounds(self) -> int:
        return len(self.forward)

    @property
    def key(self) -> tuple[str, tuple[int, int]]:
        """The model and its input size; a user's file is none of the catalogue, whatever its name."""
        return ("" if self.definition == "file" else self.model), self.size

    def seconds(self, stage: Stage) -> list[float]:
        """Seconds an image by round, with everything that the stage includes."""
        if stage is Stage.NETWORK:
            return self.forward
        boxes = [forward + interpret for forward, interpret in zip(self.forward, self.interpret, strict=True)]
        if stage is Stage.BOXES:
            return boxes
        return [load + rest for load, rest in zip(self.load, boxes, strict=True)]


class SpeedRun(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Networks that were timed in turns, under one setting."""

    session: Session
    machine: Machine
    setting: Setting
    picture: Size
    """Height and width of the JPEG file."""
    timings: list[Timing]
    decoding: dict[str, list[float]] = {}
    """Seconds to decode the picture to pixels of 8 bits, in one thread, by decoder and round."""

    def __post_init__(self) -> None:
        if not self.timings or len({timing.rounds for timing in self.timings}) != 1:
            raise ValueError("networks that were not timed in turns")
        times = [value for rounds in self.decoding.values() for value in rounds or [0.0]]
        if not all(math.isfinite(value) and 0 < value < LONGEST for value in times):
            raise ValueError("a time that cannot be")

    @property
    def key(self) -> str:
        """What a later run of the same is known by: machine, setting and networks."""
        machine, setting = self.machine, self.setting
        networks = [f"{timing.model} {timing.size[0]}x{timing.size[1]} {timing.definition}" for timing in self.timings]
        return "; ".join([machine.name, str(machine.cores), setting.name, *networks])


class Speeds(Struct, frozen=True, kw_only=True):
    """speed.json, its runs in the order of their keys."""

    schema: int = SCHEMA
    runs: list[SpeedRun]
