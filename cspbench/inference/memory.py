"""The host's memory: how much there is, and that freed memory stays in the process for the next forward pass."""

from __future__ import annotations

import ctypes
import os
import re
import sys
from contextlib import suppress
from pathlib import Path

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Parameters of glibc's mallopt."""
TRIM = 64
"""Images after which free memory is returned to the system."""
GROUPS = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
)
"""Limit, use and the part of it that the kernel frees when needed, of a container: control groups version 2 and 1."""


def available(system: Path = Path("/")) -> int:
    """Bytes of memory that a process can have without swapping, in the machine and in its container.

    Half the memory of a machine that does not say what is free.
    """
    with suppress(OSError):
        lines = (system / "proc/meminfo").read_text("ascii")
        if free := re.search(r"^MemAvailable:\s+(\d+) kB$", lines, re.MULTILINE):
            return min([int(free[1]) * 1024, *_left(system / "sys/fs/cgroup")])
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def _left(groups: Path) -> list[int]:
    """What containers leave of their limits; none without a limit."""
    left = []
    for limit, use, freed in GROUPS:
        with suppress(OSError, ValueError):
            most, now = (int((groups / name).read_text("ascii")) for name in (limit, use))
            text = (groups / limit).with_name("memory.stat").read_text("ascii")
            cache = re.search(rf"^{freed} (\d+)$", text, re.MULTILINE)
            left.append(max(0, most - now + (int(cache[1]) if cache else 0)))
    return left


def keep_freed_memory() -> bool:
    """Make glibc allocate large blocks on its heap and never shrink it; False without mallopt.

    Otherwise each large activation is a new mapping in every forward pass, and the kernel clears its pages one fault at
    a time: up to a third of a network's time on the CPU.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, 2**31 - 1))


def give_back() -> None:
    """Return free memory to the system, with malloc_trim; does nothing without it.

    Call it now and then after `keep_freed_memory`: the results of each image lie between the large blocks and fragment
    the heap, which would otherwise grow with the number of images.
    """
    if sys.platform.startswith("linux"):
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
