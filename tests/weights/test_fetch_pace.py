"""A server that sends a byte now and then: its header and its body have to come at some pace."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from refusals import refuses
from weight_server import (  # noqa: F401 (found by their names)
    DATA,
    SHA,
    SIZED,
    Handler,
    Reply,
    Site,
    fixture_site,
    fixture_target,
    sends,
)

from cspbench.weights.download import pace as pacing
from cspbench.weights.download.files import Expected, Patience, download
from cspbench.weights.download.pace import Pace


def read(*reads: tuple[float, int]) -> int | None:
    """After how many reads the pace was too slow, with a time-out of 2 s; None if it never was.

    Each read takes so many seconds and brings so many bytes.
    """
    now, done = 0.0, 0
    pace = Pace(2.0, lambda: now)

    def parts() -> Iterator[bytes]:
        nonlocal now, done
        for seconds, count in reads:
            if not pace.check():
                return
            now += seconds
            done += 1
            yield bytes(count)

    with suppress(TimeoutError):
        for _ in pace.body(parts()):
            pass
    return done if pace.slow else None


def test_a_byte_a_second_is_too_slow() -> None:
    assert read(*[(1.0, 1)] * 100) == 4
    assert read(*[(1.0, 1023)] * 5) == 4
    # what came fast at the beginning does not count for ever
    assert read((0.1, 1 << 20), *[(1.0, 1)] * 100) == 5 + 4


def test_slow_is_not_too_slow() -> None:
    assert read(*[(1.0, 1024)] * 100) is None
    assert read(*[(0.001, 1)] * 3000) is None
    # a silence just short of the time-out, and what comes after it
    assert read((1.9, 1), (1.0, 2000), (1.0, 2000), (1.0, 2000)) is None


def dripping(head: bytes, rest: bytes) -> Reply:
    """What comes at once, and what comes byte by byte."""

    def reply(handler: Handler) -> None:
        handler.wfile.write(head)
        for byte in rest:
            handler.wfile.write(bytes((byte,)))
            time.sleep(0.005)

    return reply


def test_a_dripping_body_is_gone_on_with(site: Site, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "WINDOW", 0.003)
    head = f'HTTP/1.1 200 OK\r\nETag: "one"\r\nContent-Length: {len(DATA)}\r\n\r\n'.encode()
    url = site.on("/x", dripping(head + DATA[:1000], DATA[1000:9000]), sends(DATA))
    heard: list[str] = []
    download([url], target, SIZED, Patience(60, retries=1, first=0.001), say=heard.append)
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
    monkeypatch.setattr(pacing, "WINDOW", 0.003)
    url = site.on("/x", dripping(head, b"X-Drip: 1\r\n" * 1000), sends(DATA))
    heard: list[str] = []
    download([url], target, SIZED, Patience(60, retries=1, first=0.001), say=heard.append)
    assert [each.split(";")[0].startswith(f"{url}: the transfer stalled (found ") for each in heard] == [True]
    assert target.read_bytes() == DATA


def test_continue_for_ever_comes_to_an_end(site: Site, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faster than any pace, without a silence, and never the file."""
    monkeypatch.setattr(pacing, "WINDOW", 0.003)

    def reply(handler: Handler) -> None:
        while not handler.server.released.is_set():
            handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)

    heard: list[str] = []
    with refuses("download.stalled") as caught:
        download([site.on("/x", reply)], target, SIZED, Patience(60, retries=1, first=0.001), say=heard.append)
    assert len(site.asked) == 2
    assert len(heard) == 1
    assert str(caught.value.found).startswith("0 bytes in ")
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(b"1" + b"0" * 9000, id="the length of a chunk"),
        pytest.param(b"5;" + b"x" * 9000, id="what stands behind the length of a chunk"),
        pytest.param(b"0\r\n" + b"X-Drip: 1\r\n" * 900, id="headers behind the body"),
    ],
)
def test_dripping_that_is_no_part_of_the_file_comes_to_an_end(
    rest: bytes, site: Site, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "WINDOW", 0.003)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    heard: list[str] = []
    url = site.on("/x", dripping(head, rest), sends(DATA))
    download([url], target, SIZED, Patience(60, retries=1, first=0.001), say=heard.append)
    assert len(heard) == 1
    assert target.read_bytes() == DATA


def test_a_body_without_a_length_that_is_too_slow_is_not_whole(
    site: Site, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection ends like that of a whole one when it is given up."""
    monkeypatch.setattr(pacing, "WINDOW", 0.003)
    url = site.on("/x", dripping(b"HTTP/1.1 200 OK\r\n\r\n" + DATA[:9], DATA[9:9000]), sends(DATA))
    heard: list[str] = []
    download([url], target, Expected((), SHA), Patience(60, retries=1, first=0.001), say=heard.append)
    assert [" stalled " in each for each in heard] == [True]
    assert target.read_bytes() == DATA
