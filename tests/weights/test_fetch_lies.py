"""Fetching from servers that lie, lead astray or are not there: no file gets its name."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest
from refusals import refuses
from weight_server import (  # noqa: F401 (found by their names)
    DATA,
    PAGE,
    QUICK,
    SHA,
    SIZE,
    SIZED,
    Handler,
    Reply,
    Site,
    beside,
    endless,
    fixture_site,
    fixture_target,
    sends,
    serving,
    status,
)

from cspbench.errors import BrokenError, WeightsError
from cspbench.weights.download import files as fetching
from cspbench.weights.download.files import Expected, download


def found(size: int) -> dict[str, str]:
    """The values of the error for a file of another size."""
    return {"expected": f"{SIZE} bytes", "found": f"{size} bytes"}


MOVED = 'an HTML page, "Sorry, moved"'


@pytest.mark.parametrize(
    ("replies", "code", "fields"),
    [
        ([sends(DATA[:-4])], "download.other-size", found(SIZE - 4)),
        ([sends(DATA + b"1234")], "download.other-size", found(SIZE + 4)),
        ([sends(DATA, length=SIZE - 1)], "download.other-size", found(SIZE - 1)),
        ([sends(DATA, length=10**15)], "download.other-size", found(10**15)),
        ([endless], "download.too-many-bytes", {"expected": f"{SIZE} bytes"}),
        (
            [status(200, DATA, Content_Encoding="gzip")],
            "download.odd-answer",
            {"found": f"200 OK, Content-Encoding gzip, Content-Range missing, Content-Length {SIZE}"},
        ),
        ([status(206, DATA)], "download.odd-answer", {"expected": "200"}),
        ([status(204)], "download.odd-answer", {"expected": "200"}),
        ([status(404)], "download.no-file", {"found": "404 Not Found"}),
        ([status(410, b"gone")], "download.no-file", {"found": "410 Gone"}),
        ([status(403, PAGE)], "download.no-file", {"found": f"403 Forbidden, {MOVED}"}),
        ([status(200, PAGE)], "download.no-file", {"found": MOVED}),
        ([status(200, b"\xef\xbb\xbf \n" + PAGE)], "download.no-file", {"found": MOVED}),
        (
            [status(200, b"<html>" + b"x" * 300_000)],
            "download.no-file",
            {"found": "an HTML page without a title"},
        ),
        ([status(302, Location="/x")], "download.no-file", {"found": "more than 5 redirects"}),
        *(
            (
                [status(302, Location=location)],
                "download.no-file",
                {"found": f"a redirect to {shown}, which is not followed"},
            )
            for location, shown in (
                ("file:///etc/hostname", "file://127.0.0.1/etc/hostname"),
                ("file://localhost/etc/hostname", "file://localhost/etc/hostname"),
                ("ftp://127.0.0.1/x", "ftp://127.0.0.1/x"),
                ("http://[", "http://%5B"),
                ("http://me:secret@127.0.0.1/x", "http://me:secret@127.0.0.1/x"),
            )
        ),
        ([status(302)], "download.no-file", {"found": "302 Found"}),
        *(
            (
                [sends(DATA, stop=9), sends(DATA, content_range=lie)],
                "download.odd-answer",
                {"expected": "206 with the bytes from 9 on, or 200"},
            )
            for lie in (
                f"bytes 8-{SIZE - 1}/{SIZE}",
                f"bytes 9-{SIZE - 2}/{SIZE}",
                f"bytes 9-{SIZE - 1}/{SIZE - 9}",
                f"bytes {SIZE - 1}-9/{SIZE}",
                "bytes=9-",
                "pages 9-10/11",
                "bytes 9-" + "9" * 400 + "/*",
            )
        ),
        ([sends(DATA, stop=9), sends(DATA + b"1234")], "download.other-size", found(SIZE + 4)),
    ],
)
def test_what_is_no_such_file_is_refused(
    site: Site, target: Path, replies: list[Reply], code: str, fields: dict[str, str]
) -> None:
    with refuses(code, **fields) as caught:
        download([site.on("/x", *replies)], target, SIZED, QUICK)
    assert not isinstance(caught.value, BrokenError)
    assert "\n" not in str(caught.value)
    assert not target.exists()
    assert all(path.stat().st_size <= SIZE for path in target.parent.iterdir())


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"\x1b[31m\r\n\r\n", id="an escape sequence"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000, id="headers"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 5_000_000, id="a header"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n12345", id="a negative length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", id="no length of a chunk"),
        pytest.param(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", id="another protocol"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_what_is_not_http_is_refused(site: Site, target: Path, answer: bytes) -> None:
    def reply(handler: Handler) -> None:
        handler.wfile.write(answer)

    with pytest.raises(WeightsError) as caught:
        download([site.on("/x", reply)], target, SIZED, QUICK)
    assert str(caught.value).isprintable()
    assert beside(target) == []


def test_the_body_of_a_redirect_is_not_read(site: Site, target: Path) -> None:
    def reply(handler: Handler) -> None:
        handler.begin(302, Location="/y")
        for _ in range(1_000_000):
            handler.wfile.write(bytes(1 << 16))

    site.on("/y", sends(DATA))
    download([site.on("/x", reply)], target, SIZED, QUICK)
    assert target.read_bytes() == DATA


def test_an_endless_file_of_unknown_size_stops(site: Site, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "LARGEST", 1_000_000)
    with refuses("download.too-many-bytes", expected="at most 1000000 bytes"):
        download([site.on("/x", endless)], target, Expected((), SHA))
    assert beside(target) == []


@pytest.mark.parametrize(("sha256", "expected"), [("0" * 64, "0" * 64), ("01234567", "sha256 begins 01234567")])
def test_a_wrong_digest_gives_no_file(site: Site, target: Path, sha256: str, expected: str) -> None:
    url = site.on("/x", sends(DATA))
    where = f"{url}, {target}.part"
    with refuses("download.other-sha256", where=where, expected=expected, found=SHA):
        download([url], target, Expected((SIZE,), sha256))
    assert beside(target) == []


@pytest.mark.parametrize("place", [8, 63])
def test_a_digest_that_differs_late_is_another(site: Site, target: Path, place: int) -> None:
    """Also where only its beginning is known, which ends with that digit."""
    wrong = SHA[:place] + format(int(SHA[place], 16) ^ 1, "x")
    for sha256 in (wrong + SHA[place + 1 :], wrong):
        with refuses("download.other-sha256", found=SHA) as caught:
            download([site.on("/x", sends(DATA))], target, Expected((SIZE,), sha256))
        assert str(caught.value.expected).split()[-1] == sha256
        assert beside(target) == []


@pytest.mark.parametrize("first", [0, 8, 10])
def test_a_206_that_begins_elsewhere_is_refused_as_such(site: Site, target: Path, first: int) -> None:
    """Nothing but its header could tell: the sum of the bytes is right, and no digest is known."""
    rest = status(206, DATA[first:], ETag='"one"', Content_Range=f"bytes {first}-{SIZE - 1}/{SIZE}")
    with refuses("download.odd-answer", expected="206 with the bytes from 9 on, or 200") as caught:
        download([site.on("/x", sends(DATA, stop=9), rest)], target, Expected(tuple(range(SIZE - 9, SIZE + 9))), QUICK)
    assert f"Content-Range bytes {first}-{SIZE - 1}/{SIZE}" in str(caught.value.found)
    assert site.ranges == [None, "bytes=9-"]
    assert not target.exists()


def test_what_the_reader_refuses_gives_no_file(site: Site, target: Path) -> None:
    def refuse(path: Path) -> str:
        raise WeightsError("weights.not-finite", "not a finite number", where=str(path), found="nan")

    url = site.on("/x", sends(DATA))
    with refuses("weights.not-finite", where=f"{url}, {target}.part", found="nan"):
        download([url], target, Expected((SIZE,), None, refuse))
    assert beside(target) == []


def test_zeros_are_no_file(site: Site, target: Path) -> None:
    with refuses("download.other-sha256"):
        download([site.on("/x", sends(bytes(999)))], target, Expected((998, 999), "0" * 8))


@pytest.mark.parametrize("body", [b"", b"\0"])
def test_an_empty_file_is_none(site: Site, target: Path, body: bytes) -> None:
    with pytest.raises(WeightsError):
        download([site.on("/x", status(200, body))], target, Expected((), SHA), QUICK)
    assert beside(target) == []


# --- nobody there


def test_nobody_answers(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    heard: list[str] = []
    with refuses("download.unreachable") as caught:
        download([f"http://127.0.0.1:{port}/x"], target, SIZED, QUICK, say=heard.append)
    assert "Connection refused" in str(caught.value.found)
    assert heard == []  # no second attempt
    assert beside(target) == []


def test_no_such_host(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*arguments: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setenv("no_proxy", "*")
    with refuses("download.unreachable") as caught:
        download(["https://weights.invalid/x"], target, SIZED, QUICK)
    assert "Name or service not known" in str(caught.value.found)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "ftp://127.0.0.1:1"])
def test_a_proxy_of_another_kind(target: Path, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with refuses("download.proxy") as caught:
        download(["http://127.0.0.1:1/x"], target, SIZED, QUICK)
    assert "ALL_PROXY" in str(caught.value.remedy)
    assert beside(target) == []


def test_the_proxy_of_the_environment_is_asked(site: Site, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for the whole address."""
    monkeypatch.setenv("http_proxy", site.url(""))
    monkeypatch.delenv("no_proxy")
    monkeypatch.delenv("NO_PROXY")
    site.replies["http://weights.invalid/x"] = [sends(DATA)]
    download(["http://weights.invalid/x"], target, SIZED, QUICK)
    assert [each.path for each in site.asked] == ["http://weights.invalid/x"]
    assert target.read_bytes() == DATA


def test_the_second_address_is_tried_and_every_reason_told(site: Site, target: Path) -> None:
    with refuses("download.nowhere", where="net.weights") as caught:
        download([site.url("/a"), site.on("/b", status(200, PAGE))], target, SIZED)
    first, second = str(caught.value.found).split("; ")
    assert first.startswith(site.url("/a"))
    assert "404" in first
    assert first.endswith("[download.no-file]")
    assert second.startswith(site.url("/b"))
    assert MOVED in second
    done = download([site.url("/a"), site.on("/c", sends(DATA))], target, SIZED)
    assert done.source == site.url("/c")


def test_https_is_not_left(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def send(transport: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        """An https server that sends on to http."""
        asked.append(str(request.url))
        return httpx.Response(302, headers={"Location": "http://127.0.0.1:1/x"})

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", send)
    with refuses("download.no-file", found="a redirect to http://127.0.0.1:1/x, which is not followed"):
        download(["https://127.0.0.1/x"], target, SIZED)
    assert asked == ["https://127.0.0.1/x"]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_a_certificate_of_its_own_is_not_trusted(target: Path, tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(key)]
    subprocess.run(
        ["openssl", "req", "-x509", *made, "-out", str(certificate), *subject],
        check=True,
        capture_output=True,
        timeout=900,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serving() as site:
        site.socket = context.wrap_socket(site.socket, server_side=True)
        with refuses("download.unreachable") as caught:
            download([site.url("/x").replace("http:", "https:")], target, SIZED)
    assert "certificate" in str(caught.value.found)
    assert site.asked == []
