"""Freed memory stays with the process, so that the next forward does not have it paged in again."""

from __future__ import annotations

import ctypes
import sys

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
