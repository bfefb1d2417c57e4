"""The machine that times are measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

from cspbench.results.speeds.record import Machine


def machine_of(device: torch.device) -> Machine:
    """The machine with this device, and how busy it is now."""
    return Machine(processor(), cores(), torch.get_num_threads(), _accelerator(device), _load())


def processor() -> str:
    """The processor's name, as the system knows it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine() or "unknown processor"


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _accelerator(device: torch.device) -> str | None:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return None if device.type == "cpu" else f"{platform.machine()} {device.type}"


def _load() -> float | None:
    try:
        return round(os.getloadavg()[0], 2)
    except (OSError, AttributeError):
        return None
