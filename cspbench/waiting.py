"""A wait for others says what it is for, once it has lasted a few seconds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cspbench.errors import printable

SOON, LATE = 3.0, 60.0
"""Seconds until a wait is announced; later by those that wait for something usual."""

_log = logging.getLogger("cspbench")
"""Prints to stderr, unless the program that uses the library decides otherwise."""


def announce(what: str) -> None:
    """Say "waiting for WHAT" on stderr."""
    _log.warning("cspbench: waiting for %s", printable(what))


@contextmanager
def announced(what: str, seconds: float | None = None) -> Iterator[None]:
    """The same if the block takes longer than `seconds` (by default `SOON`), also while compiled code blocks."""
    timer = threading.Timer(SOON if seconds is None else seconds, announce, (what,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
