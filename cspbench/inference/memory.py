"""Freed memory stays with the process while a shard is made, so that the next forward need not page it in again."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Parameters of glibc's mallopt."""


def keep_freed_memory() -> bool:
    """Have glibc serve large blocks from its heap and never give it back; False where there is no mallopt.

    A large activation is otherwise a fresh mapping in every forward, and the kernel clears its pages one fault at a
    time: up to a third of the time of a network on the CPU.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, 2**31 - 1))


def give_back() -> None:
    """Return what is free to the system, wherever it lies; does nothing where there is no malloc_trim.

    To be called now and then after `keep_freed_memory`: what is kept of each image lies between the large blocks, which
    then fit in no hole, so that the heap would grow with the images.
    """
    if sys.platform.startswith("linux"):
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
