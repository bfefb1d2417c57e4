"""The pace of an answer: a server that sends a byte now and then is not silent, and would never come to an end."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Self

SLOWEST = 1024
"""Bytes of the file a second, below which a transfer has stalled: at this pace 100 MB take a day."""
WINDOW = 2
"""Time-outs over which the pace is taken, so that a silence of nearly one of them leaves time to make up for it."""


class Pace:
    """Ends an answer unless every `WINDOW` time-outs bring a kilobyte a second of its body.

    So the header has to come within the first of them. The time that the reader spends between two parts of the body
    does not count.

    httpx limits the wait for each byte only: it would wait for ever for a server that drips, or that goes on saying
    `100 Continue`. So a thread watches the pace and shuts down the connection, which it knows from httpx's trace.
    """

    def __init__(self, timeout: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.slow = ""
        self._window, self._clock = WINDOW * timeout, clock
        self._begun, self._bytes, self._reading = clock(), 0, True
        self._socket: socket.socket | None = None
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def trace(self, event: str, about: Mapping[str, Any]) -> None:
        """Take the connection from an event of httpx's `trace` extension."""
        extra = getattr(about.get("return_value"), "get_extra_info", None)
        if extra is not None:
            self._socket = extra("socket")

    def body(self, parts: Iterable[bytes]) -> Iterator[bytes]:
        """The parts of a body, counted; raises `TimeoutError` where it ended because it was too slow."""
        for part in parts:
            paused = self._clock()
            with self._lock:
                self._bytes, self._reading = self._bytes + len(part), False
            yield part
            with self._lock:
                self._begun, self._reading = self._begun + self._clock() - paused, True
        if self.slow:
            raise TimeoutError(self.slow)

    def check(self) -> bool:
        """Whether the pace is kept; where it is not, `slow` says what came."""
        with self._lock:
            seconds = self._clock() - self._begun
            if self._reading and seconds >= self._window:
                if self._bytes < SLOWEST * seconds:
                    self.slow = f"{self._bytes} bytes in {seconds:.3g} s, less than {SLOWEST} a second"
                self._begun, self._bytes = self._clock(), 0
        return not self.slow

    def _watch(self) -> None:
        while not self._ended.wait(self._window / 4):
            if not self.check() and self._socket is not None:
                with suppress(OSError):  # closed meanwhile
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # not ssl's, which would forget the cipher
