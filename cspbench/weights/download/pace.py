"""The pace of an answer: a server that sends a byte now and then never times out, and would never end."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Self

SLOWEST = 1024
"""Bytes per second of the body below which a transfer has stalled: at this pace 100 MB take a day."""
WINDOW = 2
"""Time-outs over which the pace is measured, so that a server can recover from a pause of nearly one of them."""


class Pace:
    """Ends an answer whose body arrives at less than `SLOWEST` on average over `WINDOW` time-outs.

    So the header must arrive within the first window.

    httpx only limits the wait for the next byte, so it would wait forever for a server that drips bytes or repeats
    `100 Continue`. A thread therefore measures the pace and shuts down the connection, known from httpx's trace.
    """

    def __init__(self, timeout: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.slow = ""
        self._window, self._clock = WINDOW * timeout, clock
        self._bytes = 0
        self._begun, self._bytes_before = clock(), 0
        self._socket: socket.socket | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def trace(self, event: str, about: Mapping[str, Any]) -> None:
        """Note the socket of an event of httpx's `trace` extension."""
        extra = getattr(about.get("return_value"), "get_extra_info", None)
        if extra is not None:
            self._socket = extra("socket")

    def body(self, parts: Iterable[bytes]) -> Iterator[bytes]:
        """Count the parts of a body; raises `TimeoutError` if it was ended as too slow."""
        for part in parts:
            self._bytes += len(part)
            yield part
        if self.slow:
            raise TimeoutError(self.slow)

    def check(self) -> bool:
        """Whether the pace is sufficient; if not, `slow` describes it."""
        now, total = self._clock(), self._bytes
        if (seconds := now - self._begun) >= self._window:
            if (count := total - self._bytes_before) < SLOWEST * seconds:
                self.slow = f"{count} bytes in {seconds:.3g} s, less than {SLOWEST} a second"
            self._begun, self._bytes_before = now, total
        return not self.slow

    def _watch(self) -> None:
        while not self._ended.wait(self._window / 4):
            if not self.check() and self._socket is not None:
                with suppress(OSError):  # it may be closed by now
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # not ssl's, which would drop the cipher
