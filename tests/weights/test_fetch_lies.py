"""Fetching from servers that lie, lead astray or are not there: no file gets its name."""

from __future__ import annotations

import io
import re
import shutil
import socket
import ssl
import subprocess
import urllib.request
from email.message import Message
from pathlib import Path
from urllib.response import addinfourl

import pytest
from weight_server import (  # noqa: F401 (found by their names)
    DATA,
    PAGE,
    QUICK,
    SHA,
    SIZE,
    SIZED,
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

from cspbench.errors import DeadError, UnreachableError, WeightsError
from cspbench.weights import fetch as fetching
from cspbench.weights import transport
from cspbench.weights.fetch import Expected, fetch


@pytest.mark.parametrize(
    ("replies", "words"),
    [
        ([sends(DATA[:-4])], f"another file is there \\(expected {SIZE} bytes, found {SIZE - 4} bytes"),
        ([sends(DATA + b"1234")], f"another file is there .*found {SIZE + 4} bytes"),
        ([sends(DATA, length=SIZE - 1)], f"found {SIZE - 1} bytes"),
        ([sends(DATA, length=10**15)], "found 1000000000000000 bytes"),
        ([endless], f"more bytes come than the file has \\(expected {SIZE} bytes"),
        ([status(200, DATA, Content_Encoding="gzip")], "expected its bytes as they are, found Content-Encoding gzip"),
        ([status(206, DATA)], "an answer that does not fit the question"),
        ([status(204)], "expected 200 or 206, found 204"),
        ([status(404)], "no weight file there \\(found 404 Not Found\\)"),
        ([status(410, b"gone")], "410 Gone"),
        ([status(403, PAGE)], 'found 403 Forbidden, an HTML page, "Sorry, moved"'),
        ([status(200, PAGE)], 'found an HTML page, "Sorry, moved"'),
        ([status(200, b"\xef\xbb\xbf \n" + PAGE)], 'found an HTML page, "Sorry, moved"'),
        ([status(200, b"<html>" + b"x" * 300_000)], "an HTML page without a title"),
        ([status(302, Location="/x")], "more than 5 redirections"),
        ([status(302, Location="file:///etc/hostname")], "redirection from http to file:///etc/hostname"),
        ([status(302, Location="ftp://127.0.0.1/x")], "redirection to what is no web address: ftp://127.0.0.1/x"),
        ([status(302, Location="http://[")], r"redirection to what is no web address: http://\["),
        ([status(302)], "found 302 Found"),
        *(
            ([sends(DATA, stop=9), sends(DATA, content_range=lie)], "other bytes than were asked for|does not fit")
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
        ([sends(DATA, stop=9), sends(DATA + b"1234")], f"another file is there .*found {SIZE + 4} bytes"),
    ],
)
def test_what_is_no_such_file_is_refused(site: Site, target: Path, replies: list[Reply], words: str) -> None:
    with pytest.raises(DeadError, match=words) as caught:
        fetch([site.on("/x", *replies)], target, SIZED, QUICK)
    assert "\n" not in str(caught.value)
    assert not target.exists()
    assert all(path.stat().st_size <= SIZE for path in target.parent.iterdir())


def test_an_endless_file_of_unknown_size_stops(site: Site, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "LARGEST", 1_000_000)
    with pytest.raises(DeadError, match="more bytes come than the file has"):
        fetch([site.on("/x", endless)], target, Expected((), SHA))
    assert beside(target) == []


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        (Expected((SIZE,), "0" * 64), f"(expected {'0' * 64}, found {SHA})"),
        (Expected((SIZE,), "01234567"), f"(expected 01234567 in front, found {SHA})"),
    ],
)
def test_a_wrong_digest_gives_no_file(site: Site, target: Path, expected: Expected, words: str) -> None:
    with pytest.raises(WeightsError, match=re.escape(f"what came is not the file: not the file's sha256 {words}")):
        fetch([site.on("/x", sends(DATA))], target, expected)
    assert beside(target) == []


def test_what_the_reader_refuses_gives_no_file(site: Site, target: Path) -> None:
    def refuse(path: Path) -> None:
        raise WeightsError("weights.not-finite", "not a finite number", where=str(path), found="nan")

    with pytest.raises(WeightsError, match=r"what came is not the file: not a finite number \(found nan"):
        fetch([site.on("/x", sends(DATA))], target, Expected((SIZE,), None, refuse))
    assert beside(target) == []


def test_zeros_are_no_file(site: Site, target: Path) -> None:
    with pytest.raises(WeightsError, match="what came is not the file"):
        fetch([site.on("/x", sends(bytes(999)))], target, Expected((998, 999), "0" * 8))


@pytest.mark.parametrize("body", [b"", b"\0"])
def test_an_empty_file_is_none(site: Site, target: Path, body: bytes) -> None:
    with pytest.raises(WeightsError):
        fetch([site.on("/x", status(200, body))], target, Expected((), SHA), QUICK)
    assert beside(target) == []


# --- nobody there


def test_nobody_answers(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(UnreachableError, match=r"nobody answers \(found Connection refused\)"):
        fetch([f"http://127.0.0.1:{port}/x"], target, SIZED, QUICK)
    assert beside(target) == []


def test_no_such_host(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*arguments: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(UnreachableError, match="found Name or service not known"):
        fetch(["https://weights.invalid/x"], target, SIZED, QUICK)


def test_the_second_address_is_tried_and_every_reason_told(site: Site, target: Path) -> None:
    with pytest.raises(DeadError, match=r"net.weights: nobody has the file \(found .*/a: .*404.*; .*/b: .*HTML"):
        fetch([site.url("/a"), site.on("/b", status(200, PAGE))], target, SIZED)
    done = fetch([site.url("/a"), site.on("/c", sends(DATA))], target, SIZED)
    assert done.source == site.url("/c")


def test_https_is_not_left(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Secure(urllib.request.BaseHandler):
        """An https server that sends on to http."""

        handler_order = 100

        def https_open(self, request: urllib.request.Request) -> addinfourl:
            headers = Message()
            headers["Location"] = "http://127.0.0.1:1/x"
            answer = addinfourl(io.BytesIO(), headers, request.full_url, 302)
            answer.msg = "Found"  # type: ignore[attr-defined]
            return answer

    opener = urllib.request.build_opener(Secure(), transport._Stays())
    monkeypatch.setattr(transport, "_opener", lambda jar: opener)
    with pytest.raises(DeadError, match=r"a redirection from https to http://127\.0\.0\.1:1/x, which is not followed"):
        fetch(["https://127.0.0.1/x"], target, SIZED)


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
        with pytest.raises(UnreachableError, match="the server's certificate is not trusted"):
            fetch([site.url("/x").replace("http:", "https:")], target, SIZED)
    assert site.asked == []
