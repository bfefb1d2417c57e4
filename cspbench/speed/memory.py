"""The memory that a network takes, and that which is free."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch

from cspbench.inference.memory import give_back

STATUS, RESET = Path("/proc/self/status"), "/proc/self/clear_refs"
GROUP = Path("/sys/fs/cgroup")
"""Of a container, in the second version of control groups."""


def peak(device: torch.device, work: Callable[[], object]) -> int | None:
    """KiB that the work adds at most to what was there before it; None where the system does not say.

    On a GPU this is torch's memory there, otherwise the resident memory of the process, on Linux.
    """
    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        work()
        torch.cuda.synchronize(device)
        return max(0, torch.cuda.max_memory_allocated(device) - before) // 1024
    give_back()
    resident = _reset()
    work()
    most = _status("VmHWM")
    return None if resident is None or most is None or device.type != "cpu" else max(0, most - resident)


def free(device: torch.device) -> int | None:
    """Bytes that can still be allocated there; None where the system does not say."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type != "cpu":
        return None
    free: list[int] = []
    with suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free += [1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    with suppress(OSError, ValueError):
        limit, used = ((GROUP / f"memory.{name}").read_text(encoding="ascii") for name in ("max", "current"))
        free.append(int(limit) - int(used))
    return min(free, default=None)


def _reset() -> int | None:
    """Begin a new peak of this process; returns its resident KiB."""
    with suppress(OSError):
        handle = os.open(RESET, os.O_WRONLY)
        try:
            os.write(handle, b"5")
        finally:
            os.close(handle)
        return _status("VmRSS")
    return None


def _status(name: str) -> int | None:
    with suppress(OSError, ValueError, IndexError):
        lines = STATUS.read_text(encoding="ascii").splitlines()
        return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), None)
    return None
