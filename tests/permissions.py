"""Folders that nobody may write to, the superuser neither, who may write everywhere as long as a capability says so."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_VERSION = 0x20080522  # Linux's _LINUX_CAPABILITY_VERSION_3
_OVERRIDES = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def give_up_overrides() -> Callable[[], None]:
    """Let the permissions of files hold for this thread, whoever runs it; what it returns ends that."""
    if os.geteuid() != 0 or sys.platform != "linux":
        return lambda: None
    header, sets = _Header(_VERSION, 0), (_Sets * 2)()
    _call("capget", header, sets)
    before = sets[0].effective

    def become(effective: int) -> None:
        sets[0].effective = effective
        _call("capset", header, sets)

    become(before & ~_OVERRIDES)
    return lambda: become(before)


@contextmanager
def permissions_hold() -> Iterator[None]:
    """The same for a while."""
    end = give_up_overrides()
    try:
        yield
    finally:
        end()


def _call(name: str, header: _Header, sets: ctypes.Array[_Sets]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(ctypes.byref(header), sets):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)
