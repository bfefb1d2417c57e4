"""Opening an address for its bytes: http and https with redirections that are not trusted, and local files."""

from __future__ import annotations

import http.client
import io
import os
import re
import ssl
import string
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from functools import cache
from http.cookiejar import CookieJar
from pathlib import Path
from typing import IO, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urljoin

from cspbench import __version__
from cspbench.errors import (
    BeyondError,
    BrokenError,
    DeadError,
    TooSlowError,
    UnreachableError,
    UsageError,
    brief,
)
from cspbench.io import open_file
from cspbench.weights.links import direct, google_host, split
from cspbench.weights.pace import paced
from cspbench.weights.pages import LARGEST, Page, confirmation, is_page, read_page

REDIRECTIONS = 5
CHUNK = 1 << 18
"""Bytes asked for at once."""

_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_REDIRECTED = {301, 302, 303, 307, 308}
_BLANKS = 64  # bytes in front of a page that may be blanks


class _Stream(Protocol):
    def read1(self, size: int, /) -> bytes: ...
    def close(self) -> None: ...


@dataclass
class Answer:
    """The bytes of a file from `start` on; `total` is what the whole file is said to have, None when nothing is said.

    `validator` identifies the version: a strong ETag, else the date of the last change, else None.
    """

    url: str
    stream: _Stream
    start: int = 0
    total: int | None = None
    validator: str | None = None
    head: bytes = b""

    def read(self) -> bytes:
        """The next bytes as they come, none at the end; raises `BrokenError`."""
        if self.head:
            head, self.head = self.head, b""
            return head
        return _receive(self.stream, CHUNK, self.url)

    def close(self) -> None:
        """Let go of the connection."""
        self.stream.close()


def open_address(
    url: str,
    start: int = 0,
    validator: str | None = None,
    timeout: float = 30.0,
    google: Callable[[str], bool] = google_host,
) -> Answer:
    """Ask for the file at `url` from byte `start` on, if it is still the version of `validator`.

    The answer may begin at 0 all the same. An HTML page is none: Google Drive's question is answered once, any other
    page raises `DeadError`, as a missing file does; `BrokenError` is worth another attempt. `timeout`: seconds without
    a byte, or half of those below `pace.SLOWEST`. `google` tells hosts that Google Drive's pages may send on to.
    """
    parts = split(url)
    if parts.scheme == "file":
        return _open_file(url, Path(urllib.request.url2pathname(parts.path)))
    jar = CookieJar()
    opener = _opener(jar)
    answer = _open_http(opener, direct(url), start, validator, timeout)
    page = _page(answer)
    if page is None:
        return answer
    cookies = {cookie.name: cookie.value or "" for cookie in jar}
    confirmed = confirmation(page, answer.url, cookies, google)
    if confirmed is None:
        raise _dead(answer.url, page.meaning())
    answer = _open_http(opener, confirmed, start, validator, timeout)
    if (page := _page(answer)) is not None:
        raise _dead(answer.url, page.meaning())
    return answer


def _open_file(url: str, path: Path) -> Answer:
    try:
        stream = open_file(path)
    except IsADirectoryError as error:
        raise DeadError(
            "download.not-a-file", "not a file", where=url, remedy="Name the folder that holds the file"
        ) from error
    except OSError as error:
        raise _dead(url, error.strerror or str(error)) from error
    answer = Answer(url, io.BufferedReader(stream), total=os.fstat(stream.fileno()).st_size)
    if (page := _page(answer)) is not None:
        raise _dead(url, page.meaning())
    return answer


class _Stays(urllib.request.HTTPRedirectHandler):
    """Follows nothing: an address that a server names is looked at first."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None

    def http_error_302(self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message) -> None:
        return None

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


@cache
def _trusted() -> ssl.SSLContext:
    """The system's certificates, read once."""
    return ssl.create_default_context()


def _opener(jar: CookieJar) -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(
        *paced(_trusted()),
        urllib.request.HTTPCookieProcessor(jar),
        _Stays(),
    )


def _open_http(
    opener: urllib.request.OpenerDirector, url: str, start: int, validator: str | None, timeout: float
) -> Answer:
    headers = {"User-Agent": f"cspbench/{__version__}", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if validator is not None:
            headers["If-Range"] = validator
    for _ in range(REDIRECTIONS + 1):
        try:
            response = opener.open(urllib.request.Request(url, headers=headers), timeout=timeout)
        except HTTPError as error:
            with error:
                url = _next(url, error, start)
            continue
        except URLError as error:
            raise _unreachable(url, error.reason) from error
        except TooSlowError as error:
            raise _stalled(url, error) from error
        except TimeoutError as error:
            raise BrokenError(
                "download.no-answer", "no answer", where=url, found=f"silence for {timeout:g} s"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise BrokenError(
                "download.broken-off", "the connection broke off", where=url, found=_words(error)
            ) from error
        except ValueError as error:  # an address or header that http.client will not send
            raise _dead(url, _words(error)) from error
        try:
            return _answer(url, response, start)
        except BaseException:
            response.close()
            raise
    raise _dead(url, f"more than {REDIRECTIONS} redirections")


def _next(url: str, error: HTTPError, start: int) -> str:
    """Where an answer that is no success sends on to; raises what any other one means."""
    if error.code in _REDIRECTED and error.headers.get("Location"):
        # headers come as ISO 8859-1, which gives back whatever bytes the server sent
        location = quote(error.headers["Location"], safe=string.punctuation, encoding="iso-8859-1", errors="replace")
        try:
            target = urljoin(url, location)
            parts = split(target)
        except (ValueError, UsageError) as wrong:
            raise _dead(url, f"a redirection to what is no web address: {brief(location, 80)}") from wrong
        if parts.scheme == "file" or (url.startswith("https:") and parts.scheme != "https"):
            raise _dead(
                url, f"a redirection from {url.partition(':')[0]} to {brief(target, 80)}, which is not followed"
            )
        return target
    words = f"{error.code} {brief(str(error.reason))}".strip()
    if error.code == 416 and start:
        raise BeyondError("download.shorter", "the file is shorter there", where=url, found=words)
    if error.code in _AGAIN:
        raise BrokenError("download.server-busy", "the server cannot answer now", where=url, found=words)
    try:
        body = error.read(LARGEST)
    except (OSError, http.client.HTTPException):
        body = b""
    raise _dead(url, f"{words}, {read_page(body).meaning()}" if is_page(body) else words)


def _answer(url: str, response: http.client.HTTPResponse, start: int) -> Answer:
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise DeadError(
            "download.coding",
            "the server sends the file in another coding",
            where=url,
            expected="its bytes as they are",
            found=f"Content-Encoding {brief(coding)}",
        )
    etag = response.headers.get("ETag", "")
    validator = etag if re.fullmatch(r'"[^"]*"', etag) else response.headers.get("Last-Modified")
    if validator is not None and not (validator.isascii() and validator.isprintable() and len(validator) <= 200):
        validator = None
    if response.status == 200:
        return Answer(url, response, 0, response.length, validator)
    given = response.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", given.strip())
    if response.status != 206 or not start or match is None:
        found = f"{response.status} {brief(str(response.reason))}, Content-Range {brief(given) or 'missing'}"
        raise DeadError(
            "download.odd-answer",
            "an answer that does not fit the question",
            where=url,
            expected="200 or 206",
            found=found,
        )
    first, last = int(match[1]), int(match[2])
    total = None if match[3] == "*" else int(match[3])
    length = response.length
    wrong_end = last < first or (total is not None and last >= total) or length not in (None, last - first + 1)
    if first != start or wrong_end:
        said = f"{given}, Content-Length {'missing' if length is None else length}"
        raise DeadError(
            "download.other-bytes",
            "the server sends other bytes than were asked for",
            where=url,
            expected=f"bytes from {start} on",
            found=brief(said, 80),
        )
    return Answer(url, response, start, total, validator)


def _page(answer: Answer) -> Page | None:
    """The page that an answer is instead of a file, its connection closed; None for a file, whose `head` is read."""
    if answer.start:
        return None
    try:
        while len(answer.head) < _BLANKS and not answer.head.lstrip(b"\xef\xbb\xbf \t\r\n"):
            more = _receive(answer.stream, CHUNK, answer.url)
            if not more:
                break
            answer.head += more
        if not is_page(answer.head):
            return None
        while len(answer.head) < LARGEST and (more := _receive(answer.stream, LARGEST, answer.url)):
            answer.head += more
    except BaseException:
        answer.close()
        raise
    answer.close()
    return read_page(answer.head)


def _receive(stream: _Stream, size: int, url: str) -> bytes:
    try:
        return stream.read1(size)
    except TimeoutError as error:
        raise _stalled(url, error) from error
    except (OSError, ValueError, http.client.HTTPException) as error:  # ValueError: a chunk's length is none
        raise BrokenError("download.broken-off", "the connection broke off", where=url, found=_words(error)) from error


def _stalled(url: str, error: TimeoutError) -> BrokenError:
    found = str(error) if isinstance(error, TooSlowError) else "no byte within the time-out"
    return BrokenError("download.stalled", "the transfer stalled", where=url, found=found)


def _unreachable(url: str, reason: object) -> UnreachableError:
    what = "the server's certificate is not trusted" if isinstance(reason, ssl.SSLError) else "nobody answers"
    return UnreachableError(
        "download.certificate" if isinstance(reason, ssl.SSLError) else "download.unreachable",
        what,
        where=url,
        found=_words(reason),
    )


def _dead(url: str, found: str) -> DeadError:
    return DeadError("download.no-file", "no weight file there", where=brief(url, 160), found=found)


def _words(error: object) -> str:
    strerror = error.strerror if isinstance(error, OSError) else None
    return brief(strerror or str(error) or type(error).__name__, 120)
