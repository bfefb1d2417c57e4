"""Opens http, https and file addresses; redirects are checked before they are followed."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from http import HTTPStatus
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import url2pathname

from cspbench import __version__
from cspbench.errors import BrokenError, UnreachableError, UsageError, WeightsError, brief
from cspbench.io import open_file
from cspbench.weights.download.drive import LARGEST, Page, confirmation, is_page, read_page
from cspbench.weights.download.links import direct, split
from cspbench.weights.download.pace import Pace

if TYPE_CHECKING:
    import httpx

REDIRECTS = 5
_CHUNK = 1 << 18
_AGAIN = {408, 425, 429, 500, 502, 503, 504}


@dataclass
class Answer:
    """The data of a file from byte `start` on; `total` is the size of the whole file, None if unknown.

    `validator` identifies the version: a strong ETag, else the date of the last change, else None.
    """

    url: str
    parts: Iterator[bytes]
    start: int = 0
    total: int | None = None
    validator: str | None = None

    def page(self) -> Page | None:
        """The HTML page that was sent in place of a file, None for a file, whose data stays complete."""
        head = b"" if self.start else next(self.parts, b"")
        while len(head) < 64 and not head.strip(b"\xef\xbb\xbf \t\r\n") and (part := next(self.parts, b"")):
            head += part
        self.parts = chain([head] if head else [], self.parts)
        return read_page(_beginning(self.parts)) if is_page(head) else None


@contextmanager
def opened(url: str, start: int = 0, validator: str | None = None, timeout: float = 30.0) -> Iterator[Answer]:
    """Request the file at `url` from byte `start` on, if it is still the version of `validator`.

    The answer may begin at 0 nevertheless. Google Drive's warning is confirmed once; any other HTML page raises
    `WeightsError`, like a missing file. `BrokenError`, also while the answer is read, means that another attempt may
    succeed. `timeout`: seconds without data, or twice as many below `pace.SLOWEST`.
    """
    parts = split(url)
    if parts.scheme == "file":
        with _file(url, Path(url2pathname(parts.path))) as answer:
            if page := answer.page():
                raise _no_file(answer.url, page.meaning())
            yield answer
        return
    with _client(url, timeout) as client:
        headers = {"Range": f"bytes={start}-"} if start else {}
        if start and validator:
            headers["If-Range"] = validator
        address: str | None = direct(url)
        for confirmed in (False, True):
            assert address is not None
            with _requested(client, address, headers, start) as answer:
                page = answer.page()
                if page is None:
                    yield answer
                    return
                cookies = {cookie.name: cookie.value or "" for cookie in client.cookies.jar}
                address = None if confirmed else confirmation(page, answer.url, cookies)
                if address is None:
                    raise _no_file(answer.url, page.meaning())


@contextmanager
def _file(url: str, path: Path) -> Iterator[Answer]:
    try:
        with open_file(path) as stream:
            yield Answer(url, iter(partial(stream.read, _CHUNK), b""), total=os.fstat(stream.fileno()).st_size)
    except OSError as error:
        raise _no_file(url, _text(error)) from error


@cache
def _certificates() -> ssl.SSLContext:
    """The system's certificates, read once."""
    return ssl.create_default_context()


def _client(url: str, timeout: float) -> httpx.Client:
    import httpx

    headers = {"User-Agent": f"cspbench/{__version__}", "Accept-Encoding": "identity"}
    try:
        return httpx.Client(headers=headers, timeout=timeout, verify=_certificates())
    except (ImportError, ValueError) as error:
        what, remedy = "the proxy cannot be used", "Correct or unset ALL_PROXY, HTTP_PROXY and HTTPS_PROXY"
        raise WeightsError("download.proxy", what, where=url, found=_text(error), remedy=remedy) from error


@contextmanager
def _requested(client: httpx.Client, url: str, headers: dict[str, str], start: int) -> Iterator[Answer]:
    """The answer at an address, after redirects, whose bodies may be endless and stay unread."""
    with Pace(client.timeout.read or 0) as pace, _failures(url, pace):
        request = client.build_request("GET", url, headers=headers, extensions={"trace": pace.trace})
        for _ in range(REDIRECTS + 1):
            response = client.send(request, stream=True)
            try:
                beyond = start and response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
                if response.next_request is None and not beyond:
                    yield _answer(response, pace.body(response.iter_raw()), start)
                    return
            finally:
                response.close()
            if response.next_request is not None:
                _may_redirect(str(request.url), str(response.next_request.url))
                request = response.next_request
            else:  # the file has fewer bytes than `start`
                start = 0
                request = client.build_request("GET", request.url, extensions=request.extensions)
    raise _no_file(url, f"more than {REDIRECTS} redirects")


def _may_redirect(url: str, target: str) -> None:
    try:
        if split(target).scheme in (("https",) if url.startswith("https:") else ("http", "https")):
            return
    except UsageError:
        pass
    raise _no_file(url, f"a redirect to {brief(target, 80)}, which is not followed")


@contextmanager
def _failures(url: str, pace: Pace) -> Iterator[None]:
    """Converts exceptions of httpx to errors of cspbench."""
    import httpx

    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, OSError):
            cause = cause.__cause__ or cause.__context__
        found, slow = _text(cause or error), pace.slow
        if not slow and isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout):
            slow = "no data within the time-out"
        if slow:
            raise BrokenError("download.stalled", "the transfer stalled", where=url, found=slow) from error
        if isinstance(cause, ssl.SSLError) and isinstance(error, httpx.ConnectError):
            what = "the server's certificate is not trusted"
            raise UnreachableError("download.certificate", what, where=url, found=found) from error
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
            what = "no response from the server"
            raise UnreachableError("download.unreachable", what, where=url, found=found) from error
        redirect = isinstance(error.__context__, httpx.InvalidURL)
        if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError) and not redirect:
            raise BrokenError("download.broken-off", "the connection broke off", where=url, found=found) from error
        raise _no_file(url, found) from error  # an address that httpx does not accept


def _answer(response: httpx.Response, parts: Iterator[bytes], start: int) -> Answer:
    """The file in a response; raises `WeightsError` or `BrokenError` for any other response."""
    url, status, headers = str(response.url), response.status_code, response.headers
    status_line = f"{status} {brief(response.reason_phrase)}".strip()
    if status in _AGAIN:
        raise BrokenError("download.server-busy", "the server is busy", where=url, found=status_line)
    if status >= HTTPStatus.MULTIPLE_CHOICES:
        body = _beginning(parts)
        raise _no_file(url, f"{status_line}, {read_page(body).meaning()}" if is_page(body) else status_line)
    coding = headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        what = "the server sends the file compressed or encoded"
        raise WeightsError("download.coding", what, where=url, found=f"Content-Encoding {brief(coding)}")
    etag = headers.get("ETag", "")
    validator = etag if re.fullmatch(r'"[^"]*"', etag) else headers.get("Last-Modified")
    if validator is not None and not (validator.isascii() and validator.isprintable() and len(validator) <= 200):
        validator = None
    # the length of a chunked body is unknown, whatever the header says
    length = None if "Transfer-Encoding" in headers else headers.get("Content-Length")
    if status == HTTPStatus.OK:
        return Answer(url, parts, 0, None if length is None else int(length), validator)
    content_range = headers.get("Content-Range", "missing")
    match = re.fullmatch(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", content_range.strip(), re.ASCII)
    if status == HTTPStatus.PARTIAL_CONTENT and start and match is not None:
        first, last = int(match[1]), int(match[2])
        total = None if match[3] == "*" else int(match[3])
        within = first == start <= last and (total is None or last < total)
        if within and (length is None or int(length) == last - first + 1):
            return Answer(url, parts, start, total, validator)
    raise WeightsError(
        "download.odd-answer",
        "the server's response does not match the request",
        where=url,
        expected=f"206 with the bytes from {start} on, or 200" if start else "200",
        found=f"{status_line}, Content-Range {brief(content_range)}, Content-Length {length or 'missing'}",
    )


def _beginning(parts: Iterator[bytes]) -> bytes:
    """The first bytes of a body, up to the size of the largest page."""
    data = b""
    for part in parts:
        data += part
        if len(data) >= LARGEST:
            break
    return data[:LARGEST]


def _no_file(url: str, found: str) -> WeightsError:
    return WeightsError("download.no-file", "no weight file at the address", where=brief(url, 160), found=found)


def _text(error: BaseException) -> str:
    strerror = error.strerror if isinstance(error, OSError) else None
    return brief(strerror or str(error) or type(error).__name__, 120)
