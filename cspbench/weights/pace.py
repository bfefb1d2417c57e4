"""The pace of a connection: a server that sends a byte now and then is not silent, and would never come to an end."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
import urllib.request
from collections.abc import Callable
from typing import Any, Protocol

from cspbench.errors import TooSlowError

SLOWEST = 1024
"""Bytes a second, below which a transfer has stalled: at this pace 100 MB take a day."""
WINDOW = 2
"""Time-outs over which the pace is taken, so that a silence of nearly one of them leaves time to make up for it."""


class _Raw(Protocol):
    def readinto(self, buffer: memoryview, /) -> int | None: ...
    def close(self) -> None: ...


class Paced(io.RawIOBase):
    """The bytes of a connection, for as long as they come fast enough; reading raises `TooSlowError` when they do not.

    Only the time spent waiting for the other side counts, not what is done between two reads.
    """

    def __init__(self, raw: _Raw, timeout: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._raw, self._clock = raw, clock
        self._window = WINDOW * timeout
        self._waited, self._came = 0.0, 0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview, /) -> int | None:  # type: ignore[override]
        """The next bytes, as the connection gives them."""
        begin = self._clock()
        count = self._raw.readinto(buffer)
        self._waited += self._clock() - begin
        self._came += count or 0
        if self._waited >= self._window:
            if count and self._came < SLOWEST * self._waited:
                raise TooSlowError(f"{self._came} bytes in {self._waited:.3g} s, less than {SLOWEST} a second")
            self._waited, self._came = 0.0, 0
        return count

    def close(self) -> None:
        """Let go of the connection."""
        super().close()
        self._raw.close()


class _Response(http.client.HTTPResponse):
    """An answer whose header and body, both, have to come at some pace."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        timeout = sock.gettimeout()
        if timeout is not None:
            self.fp = io.BufferedReader(Paced(self.fp.detach(), timeout))


class _Connection(http.client.HTTPConnection):
    response_class = _Response


class _SecureConnection(http.client.HTTPSConnection):
    response_class = _Response


class _Plain(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Connection, req)


class _Secure(urllib.request.HTTPSHandler):
    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(context=context)
        self._trusted = context

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_SecureConnection, req, context=self._trusted)


def paced(context: ssl.SSLContext) -> tuple[urllib.request.BaseHandler, ...]:
    """Handlers for an opener of http and https, with those certificates, whose connections have to keep the pace."""
    return _Plain(), _Secure(context)
