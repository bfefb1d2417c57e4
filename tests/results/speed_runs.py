"""Stored times made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cspbench.network.network import digest
from cspbench.results.encoding import encode
from cspbench.results.schema import Session
from cspbench.results.speeds.record import Machine, Setting, SpeedRun, Speeds, Timing
from cspbench.zoo.registry import model

MACHINE = Machine("Example 9", 4, 2, load=0.25)
SESSION = Session(["cspbench", "speed", "--save"], "0.1.0", "0" * 40, "2026-01-02T03:04:05Z", packages={"torch": "2.9"})


def timing(name: str, forward: Sequence[float], size: int | None = None, **more: Any) -> Timing:
    """A catalogue model's times: in each round this forward, 1 ms of loading and 2 ms of interpretation."""
    network = model(name).architecture()
    network = network if size is None else network.resized(size, size)
    fields: dict[str, Any] = {
        **{"model": name, "size": network.input[1:], "network": digest(network), "definition": "cfg"},
        **{"weights": "drawn", "batch": 1, "calls": 1, "memory": 20480, "candidates": 400, "detections": 90},
        **{"load": [0.001] * len(forward), "forward": [*forward], "interpret": [0.002] * len(forward)},
    }
    return Timing(**{**fields, **more})


def speed_run(*timings: Timing, **more: Any) -> SpeedRun:
    fields: dict[str, Any] = {"session": SESSION, "machine": MACHINE, "setting": Setting(), "picture": (480, 640)}
    return SpeedRun(**{**fields, **more}, timings=[*timings])


def tiny_run(**more: Any) -> SpeedRun:
    """YOLOv3-tiny and YOLOv3-tiny-PRN in six rounds, of which the second half was slower for both."""
    first = (0.018, 0.018, 0.018, 0.038, 0.038, 0.038)
    second = (0.010, 0.010, 0.010, 0.018, 0.018, 0.023)
    return speed_run(timing("yolov3-tiny", first), timing("yolov3-tiny-prn", second), **more)


def stored(*runs: SpeedRun) -> bytes:
    """A speed.json."""
    return encode(Speeds(runs=[*runs]))
