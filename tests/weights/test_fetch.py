"""Fetching from a server that breaks off, lies and stalls: the file that gets its name is whole, or there is none."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from fuzzing import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from refusals import refuses
from weight_server import (  # noqa: F401 (found by their names)
    DATA,
    PAGE,
    QUICK,
    SHA,
    SIZE,
    SIZED,
    Site,
    at_some_pace,
    beside,
    drips,
    fixture_site,
    fixture_target,
    sends,
    serving,
    status,
)

from cspbench.weights.download import files as fetching
from cspbench.weights.download.files import Expected, Fetched, Patience, download


def started(target: Path, url: str, data: bytes, validator: str | None = '"one"', size: int | None = SIZE) -> None:
    """What a killed process leaves."""
    target.with_name("net.weights.part").write_bytes(data)
    record = {"url": url, "validator": validator, "size": size}
    target.with_name("net.weights.part.json").write_text(json.dumps(record))


# --- whole files


def test_a_whole_file_gets_its_name(site: Site, target: Path) -> None:
    done = download([site.on("/x", sends(DATA))], target, Expected((SIZE,), SHA))
    assert done == Fetched(target, site.url("/x"), SIZE, SHA, "exact size, sha256")
    assert target.read_bytes() == DATA
    assert beside(target) == ["net.weights"]


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        (Expected((), SHA[:8]), f"sha256 begins {SHA[:8]}"),
        (Expected((SIZE + 4, SIZE)), "exact size, no digest is known"),
        (Expected((), None, lambda path: "every number read"), "every number read, no digest is known"),
    ],
)
def test_it_is_said_what_was_checked(site: Site, target: Path, expected: Expected, words: str) -> None:
    assert download([site.on("/x", sends(DATA, etag=None))], target, expected).checked == words


def test_progress_ends_at_the_size(site: Site, target: Path) -> None:
    heard: list[tuple[int, int | None]] = []
    download([site.on("/x", sends(DATA))], target, SIZED, progress=lambda done, total: heard.append((done, total)))
    assert heard[-1] == (SIZE, SIZE)
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)


def test_a_file_without_a_length_ends_with_the_connection(site: Site, target: Path) -> None:
    def reply(handler: object) -> None:
        handler.begin(200)  # type: ignore[attr-defined]
        handler.wfile.write(DATA)  # type: ignore[attr-defined]

    download([site.on("/x", reply)], target, SIZED)
    assert target.read_bytes() == DATA


def test_redirections_are_followed(site: Site, target: Path) -> None:
    site.on("/x", status(302, Location="/a b"))
    site.on("/a%20b", status(308, Location="/é ü".encode().decode("latin-1")))  # the bytes of UTF-8, as they are
    site.on("/%C3%A9%20%C3%BC", status(308, Location="/%C3%A9"))
    site.on("/%C3%A9", status(307, Location=site.url("/z")))
    site.on("/z", sends(DATA))
    download([site.url("/x")], target, SIZED)
    assert target.read_bytes() == DATA


# --- resumed


def test_two_breaks_are_resumed_where_they_were(site: Site, target: Path) -> None:
    url = site.on("/x", sends(DATA, stop=100_000), sends(DATA, stop=50_000), sends(DATA))
    download([url], target, SIZED, QUICK)
    assert site.ranges == [None, "bytes=100000-", "bytes=150000-"]
    assert [each.if_range for each in site.asked] == [None, '"one"', '"one"']
    assert target.read_bytes() == DATA
    assert beside(target) == ["net.weights"]


@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stops=st.lists(st.integers(0, 60_000), max_size=6), ranges=st.booleans(), identified=st.booleans())
def test_any_breaks_give_the_same_bytes(
    site: Site, target: Path, stops: list[int], ranges: bool, identified: bool
) -> None:
    target.unlink(missing_ok=True)
    replies = [sends(DATA, stop=stop, ranges=ranges, etag='"one"' if identified else None) for stop in stops]
    download([site.on("/x", *replies, sends(DATA))], target, SIZED, Patience(60.0, 6, 0.0))
    assert target.read_bytes() == DATA
    assert beside(target) == ["net.weights"]


def test_a_server_without_ranges_starts_over(site: Site, target: Path) -> None:
    url = site.on("/x", sends(DATA, stop=200_000), sends(DATA, ranges=False))
    download([url], target, SIZED, QUICK)
    assert site.ranges == [None, "bytes=200000-"]
    assert target.read_bytes() == DATA


def test_another_version_starts_over(site: Site, target: Path) -> None:
    old = bytes([DATA[0] ^ 1]) + DATA[1:]
    url = site.on("/x", sends(old, stop=200_000, etag='"old"'), sends(DATA, etag='"new"'))
    download([url], target, SIZED, QUICK)
    assert site.ranges == [None, "bytes=200000-"]
    assert target.read_bytes() == DATA


def test_another_version_from_a_server_that_overlooks_if_range(site: Site, target: Path) -> None:
    rest = status(206, DATA[9:], ETag='"new"', Content_Range=f"bytes 9-{SIZE - 1}/{SIZE}")
    url = site.on("/x", sends(b"x" * SIZE, stop=9, etag='"old"'), rest, sends(DATA, etag='"new"'))
    download([url], target, SIZED, QUICK)
    assert site.ranges == [None, "bytes=9-", None]
    assert target.read_bytes() == DATA


def test_another_total_is_another_version(site: Site, target: Path) -> None:
    """No ETag says so; sizes and the digest's beginning allow both, and to resume."""
    longer = DATA + b"1234"
    rest = status(206, longer[9:], Content_Range=f"bytes 9-{SIZE + 3}/{SIZE + 4}")
    url = site.on("/x", sends(DATA, stop=9, etag=None), rest, sends(DATA, etag=None))
    heard: list[str] = []
    download([url], target, Expected((SIZE, SIZE + 4), SHA[:8]), QUICK, say=heard.append)
    assert site.ranges == [None, "bytes=9-", None]
    assert ["changed" in each for each in heard] == [False, True]
    assert target.read_bytes() == DATA


def test_a_weak_version_is_none_and_a_date_is_one(site: Site, target: Path) -> None:
    date = "Wed, 01 Jan 2020 00:00:00 GMT"
    cut = status(200, DATA, ETag='W/"one"', Last_Modified=date, cut=1000)
    download([site.on("/x", cut, sends(DATA, etag=date))], target, SIZED, QUICK)
    assert [(each.range, each.if_range) for each in site.asked] == [(None, None), ("bytes=1000-", date)]
    assert target.read_bytes() == DATA


@pytest.mark.parametrize(("sha256", "asked"), [(None, [None]), (SHA[:8], ["bytes=1000-"])])
def test_without_a_version_only_a_digest_allows_to_go_on(
    site: Site, target: Path, sha256: str | None, asked: list[str | None]
) -> None:
    url = site.on("/x", sends(DATA, etag=None))
    started(target, url, DATA[:1000], None)
    download([url], target, Expected((SIZE,), sha256), QUICK)
    assert site.ranges == asked
    assert target.read_bytes() == DATA


@pytest.mark.parametrize(
    "record",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"url": 3}',
        '{"url": "x", "other": 1}',
        '{"url": "URL", "validator": "a\\r\\nb"}',
        "[" * 9999,
    ],
)
def test_a_record_that_says_nothing_starts_over(site: Site, target: Path, record: str) -> None:
    url = site.on("/x", sends(DATA))
    started(target, url, b"x" * 1000)
    target.with_name("net.weights.part.json").write_text(record.replace("URL", url))
    download([url], target, SIZED)
    assert site.ranges == [None]
    assert target.read_bytes() == DATA


def test_another_address_starts_over(site: Site, target: Path) -> None:
    started(target, site.url("/other"), b"x" * 1000)
    download([site.on("/x", sends(DATA))], target, SIZED)
    assert site.ranges == [None]


def test_a_part_that_was_complete_is_only_checked(site: Site, target: Path) -> None:
    started(target, site.url("/x"), DATA)
    assert download([], target, SIZED).source == site.url("/x")
    assert beside(target) == ["net.weights"]


@pytest.mark.parametrize("there", [b"x" * SIZE, b"x" * (SIZE + 9)])
def test_a_part_that_is_complete_and_wrong_is_fetched_again(site: Site, target: Path, there: bytes) -> None:
    url = site.on("/x", sends(DATA))
    started(target, url, there)
    download([url], target, Expected((SIZE,), SHA))
    assert target.read_bytes() == DATA


def test_416_starts_over(site: Site, target: Path) -> None:
    url = site.on("/x", status(416), sends(DATA))
    started(target, url, b"x" * 1000)
    download([url], target, SIZED)
    assert site.ranges == ["bytes=1000-", None]
    assert target.read_bytes() == DATA


def test_a_stall_is_resumed(site: Site, target: Path) -> None:
    def check(timeout: float) -> None:
        heard: list[str] = []
        url = site.on("/x", sends(DATA, stop=1000, hold=True), sends(DATA))
        download([url], target, SIZED, Patience(timeout, first=0.001), say=heard.append)
        assert site.ranges == [None, "bytes=1000-"]
        assert [line.split(" (")[0] for line in heard] == [f"{url}: the transfer stalled"]
        assert heard[0].endswith("; attempt 2 of 6 in 0.001 s")
        assert target.read_bytes() == DATA

    at_some_pace(site, target, check)


def test_slow_is_no_stall(site: Site, target: Path) -> None:
    """All pieces together take longer than the time-out, which is for each byte."""

    def check(timeout: float) -> None:
        download([site.on("/x", drips(DATA, 12, timeout / 10))], target, SIZED, Patience(timeout, retries=0))
        assert target.read_bytes() == DATA

    at_some_pace(site, target, check)


def test_retries_come_to_an_end_and_keep_what_came(site: Site, target: Path) -> None:
    heard: list[str] = []
    url = site.on("/x", sends(DATA, stop=1000))
    with refuses("download.broken-off", where=url) as caught:
        download([url], target, SIZED, QUICK, say=heard.append)
    assert [line.split("; ")[1] for line in heard] == [
        f"attempt {attempt} of 4 in {seconds} s" for attempt, seconds in ((2, "0.001"), (3, "0.002"), (4, "0.004"))
    ]
    assert "attempt 4 of 4" in caught.value.what
    assert str(caught.value.remedy).startswith("4000 bytes are kept")
    assert target.with_name("net.weights.part").read_bytes() == DATA[:4000]
    download([site.on("/x", sends(DATA))], target, SIZED, QUICK)
    assert site.ranges[-1] == "bytes=4000-"
    assert target.read_bytes() == DATA


def test_attempts_that_bring_much_do_not_count(site: Site, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "ENOUGH", 20_000)
    once = Patience(60.0, 1, 0.0)
    download([site.on("/x", sends(DATA, stop=20_000))], target, SIZED, once)
    assert len(site.asked) == 15
    site.asked.clear()
    target.unlink()
    with refuses("download.broken-off"):  # and never more than that for the same bytes
        download([site.on("/x", sends(DATA, stop=25_000, ranges=False))], target, SIZED, once)
    assert len(site.asked) == 2


def test_a_busy_server_is_asked_again(site: Site, target: Path) -> None:
    download([site.on("/x", status(503), status(429), sends(DATA))], target, SIZED, QUICK)
    assert len(site.asked) == 3


# --- local files


def test_a_local_file(target: Path, tmp_path: Path) -> None:
    (tmp_path / "some where.weights").write_bytes(DATA)
    download([(tmp_path / "some where.weights").as_uri()], target, SIZED)
    assert target.read_bytes() == DATA


def test_local_paths_without_a_file(target: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "page").write_bytes(PAGE)
    for name, words in (("none", "No such file"), ("pipe", "not a file"), (".", "directory"), ("page", "HTML page")):
        with refuses("download.no-file", where=(tmp_path / name).as_uri()) as caught:
            download([(tmp_path / name).as_uri()], target, SIZED)
        assert words in str(caught.value.found)


# --- the place


def test_a_good_file_is_only_checked(site: Site, target: Path) -> None:
    target.write_bytes(DATA)
    target.parent.chmod(0o555)
    try:
        done = download([site.on("/x", sends(DATA))], target, Expected((SIZE,), SHA))
    finally:
        target.parent.chmod(0o755)
    assert done == Fetched(target, None, SIZE, SHA, "exact size, sha256")
    assert site.asked == []
