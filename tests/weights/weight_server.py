"""A server on this machine that sends files and breaks off, lies or stalls as a test tells it to."""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from cspbench.errors import WeightsError
from cspbench.weights.download.files import Expected, Patience

DATA = b"\0\0\0\0\2" + np.random.default_rng(0).bytes(299_995)
SIZE = len(DATA)
SHA = hashlib.sha256(DATA).hexdigest()
PAGE = b"<!DOCTYPE html><html><head><title>Sorry,\n  moved</title></head><body>Nothing here</body></html>"
SIZED = Expected((SIZE,))
QUICK = Patience(timeout=60.0, retries=3, first=0.001)

Reply = Callable[["Handler"], None]


@dataclass(frozen=True)
class Asked:
    """A request: its path with the query, and the headers that say from which byte on."""

    path: str
    range: str | None
    if_range: str | None


class Handler(BaseHTTPRequestHandler):
    """Answers a path with the next of its replies, the last one for ever."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Site

    def do_GET(self) -> None:
        self.server.asked.append(Asked(self.path, self.headers.get("Range"), self.headers.get("If-Range")))
        replies = self.server.replies.get(self.path.partition("?")[0], [status(404)])
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        self.close_connection = True
        with suppress(BrokenPipeError, ConnectionResetError):  # the other side has heard enough
            reply(self)

    def begin(self, code: int, **headers: object) -> None:
        """Send the status and headers; an underscore stands for a hyphen."""
        self.send_response(code)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing."""


class Site(ThreadingHTTPServer):
    """The server: what it answers and what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies: dict[str, list[Reply]] = {}
        self.asked: list[Asked] = []
        self.released = threading.Event()

    def on(self, path: str, *replies: Reply) -> str:
        """Answer a path so; returns its address."""
        self.replies[path] = list(replies)
        return self.url(path)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    @property
    def ranges(self) -> list[str | None]:
        """The `Range` of every request."""
        return [each.range for each in self.asked]


def beside(path: Path) -> list[str]:
    """The names in a file's folder."""
    return sorted(each.name for each in path.parent.iterdir())


@contextmanager
def serving() -> Iterator[Site]:
    """A running server, which no proxy is asked for."""
    with Site() as site, patch.dict(os.environ, {"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}):
        thread = threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield site
        finally:
            site.released.set()
            site.shutdown()
            thread.join()


def sends(
    data: bytes,
    *,
    stop: int | None = None,
    etag: str | None = '"one"',
    ranges: bool = True,
    hold: bool = False,
    length: int | None = None,
    content_range: str | None = None,
) -> Reply:
    """A file, from the byte asked for unless not `ranges`; it breaks off, or with `hold` falls silent, after `stop`
    bytes. `length` and `content_range` are lies.
    """

    def reply(handler: Handler) -> None:
        match = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        condition = handler.headers.get("If-Range")
        if_range_fits = condition is None or condition == etag
        start = int(match[1]) if match and ranges and if_range_fits else 0
        if start >= len(data):
            handler.begin(416, Content_Range=f"bytes */{len(data)}", Content_Length=0)
            return
        body = data[start:]
        given = (content_range or f"bytes {start}-{len(data) - 1}/{len(data)}") if start else None
        size = len(body) if length is None else length
        handler.begin(206 if start else 200, Content_Length=size, ETag=etag, Content_Range=given)
        handler.wfile.write(body if stop is None else body[:stop])
        handler.wfile.flush()
        if hold:
            handler.server.released.wait(300)

    return reply


def status(code: int, body: bytes = b"", cut: int | None = None, **headers: object) -> Reply:
    """A status with a body, of which only `cut` bytes come."""

    def reply(handler: Handler) -> None:
        handler.begin(code, Content_Length=len(body), **headers)
        handler.wfile.write(body[:cut])

    return reply


def endless(handler: Handler) -> None:
    """Zeros behind a 1, for ever and without a length."""
    handler.begin(200)
    handler.wfile.write(b"\1")
    for _ in range(1_000_000):
        handler.wfile.write(bytes(1 << 16))


def drips(data: bytes, pieces: int, seconds: float) -> Reply:
    """A file in pieces with pauses between them."""

    def reply(handler: Handler) -> None:
        handler.begin(200, Content_Length=len(data), ETag='"one"')
        step = -(-len(data) // pieces)
        for at in range(0, len(data), step):
            time.sleep(seconds)
            handler.wfile.write(data[at : at + step])

    return reply


def at_some_pace(site: Site, target: Path, check: Callable[[float], None]) -> None:
    """What must hold for a time-out of any length, and does for a short one unless the machine pauses for longer."""
    for timeout in (0.5, 5.0, 30.0):
        site.asked.clear()
        for left in target.parent.iterdir():
            left.unlink()
        try:
            check(timeout)
        except (AssertionError, WeightsError):
            if timeout == 30.0:
                raise
        else:
            return


@pytest.fixture(name="site")
def fixture_site() -> Iterator[Site]:
    """A running server."""
    with serving() as site:
        yield site


@pytest.fixture(name="target")
def fixture_target(tmp_path: Path) -> Path:
    """Where a file is to go."""
    return tmp_path / "net.weights"
