"""A server that sends a byte now and then: its header and its body have to come at some pace."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from weight_server import (  # noqa: F401 (found by their names)
    DATA,
    SIZED,
    Handler,
    Reply,
    Site,
    fixture_site,
    fixture_target,
    sends,
)

from cspbench.errors import TooSlowError
from cspbench.weights import pace
from cspbench.weights.fetch import Patience, fetch
from cspbench.weights.pace import Paced


class Line:
    """A connection without a network: each read takes so many seconds and brings so many bytes."""

    def __init__(self, *reads: tuple[float, int]) -> None:
        self.now, self.closed = 0.0, False
        self.reads = list(reads)

    def clock(self) -> float:
        return self.now

    def readinto(self, buffer: memoryview) -> int:
        seconds, count = self.reads.pop(0)
        self.now += seconds
        return count

    def close(self) -> None:
        self.closed = True


def read(*reads: tuple[float, int]) -> int | None:
    """How many of the reads were done when the pace was too slow, with a time-out of 2 s; None if it never was."""
    line = Line(*reads)
    paced = Paced(line, 2.0, line.clock)
    try:
        for _ in reads:
            paced.readinto(memoryview(bytearray(1 << 18)))
    except TooSlowError:
        return len(reads) - len(line.reads)
    return None


def test_a_byte_a_second_is_too_slow() -> None:
    assert read(*[(1.0, 1)] * 100) == 4
    assert read(*[(1.0, 1023)] * 4) == 4
    # what came fast at the beginning does not count for ever
    assert read((0.1, 1 << 20), *[(1.0, 1)] * 100) == 5 + 4


def test_slow_is_not_too_slow() -> None:
    assert read(*[(1.0, 1024)] * 100) is None
    assert read(*[(0.001, 1)] * 3000) is None
    # a silence just short of the time-out, and what comes after it
    assert read((1.9, 1), (1.0, 2000), (1.0, 2000), (1.0, 2000)) is None
    # the end is no byte, however long it took
    assert read((1.9, 1), (1.9, 10), (1.9, 0)) is None


def test_what_is_done_between_two_reads_does_not_count() -> None:
    line = Line(*[(0.1, 200)] * 100)
    paced = Paced(line, 2.0, line.clock)
    for _ in range(100):
        paced.readinto(memoryview(bytearray(1000)))
        line.now += 60
    paced.close()
    assert line.closed


def dripping(head: bytes, rest: bytes) -> Reply:
    """What comes at once, and what comes byte by byte."""

    def reply(handler: Handler) -> None:
        handler.wfile.write(head)
        for byte in rest:
            handler.wfile.write(bytes((byte,)))
            time.sleep(0.005)

    return reply


def test_a_dripping_body_is_gone_on_with(site: Site, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "WINDOW", 0.003)
    head = f'HTTP/1.1 200 OK\r\nETag: "one"\r\nContent-Length: {len(DATA)}\r\n\r\n'.encode()
    url = site.on("/x", dripping(head + DATA[:1000], DATA[1000:9000]), sends(DATA))
    heard: list[str] = []
    fetch([url], target, SIZED, Patience(60, retries=1, first=0.001), say=heard.append)
    assert target.read_bytes() == DATA
    assert len(heard) == 1
    assert "the transfer stalled (found " in heard[0]
    assert "less than 1024 a second); attempt 2 of 2" in heard[0]
    first, second = site.ranges
    assert first is None
    assert second is not None
    assert 1000 <= int(second.removeprefix("bytes=").rstrip("-")) < 9000


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n"])
def test_a_dripping_header_comes_to_an_end(
    head: bytes, site: Site, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "WINDOW", 0.003)
    url = site.on("/x", dripping(head, b"X-Drip: 1\r\n" * 1000), sends(DATA))
    heard: list[str] = []
    fetch([url], target, SIZED, Patience(60, retries=1, first=0.001), say=heard.append)
    assert [each.split(";")[0].startswith(f"{url}: the transfer stalled (found ") for each in heard] == [True]
    assert target.read_bytes() == DATA
