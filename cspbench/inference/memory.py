"""Keeps freed memory in the process during inference, so that the next forward pass does not page it in again."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Parameters of glibc's mallopt."""


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
