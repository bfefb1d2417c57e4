"""Opens http, https and file addresses; redirects are checked before they are followed."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import url2pathname

from cspbench import __version__
from cspbench.errors import BrokenError, UsageError, WeightsError, brief
from cspbench.io import open_file
from cspbench.weights.download.drive import LARGEST, Page, confirmation, read_page
from cspbench.weights.download.links import direct, split
from cspbench.weights.download.pace import Pace
from cspbench.weights.filekind import is_page

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
        address = direct(url)
        for confirmed in (False, True):
            with _requested(client, address, headers, start) as answer:
                page = answer.page()
                if page is None:
                    yield answer
                    return
                confirming = None if confirmed else confirmation(page, answer.url)
                if confirming is None:
                    raise _no_file(answer.url, page.meaning())
                address = confirming


@contextmanager
def _file(url: str, path: Path) -> Iterator[Answer]:
    try:
        with open_file(path) as stream:
            yield Answer(url, iter(partial(stream.read, _CHUNK), b""), total=os.fstat(stream.fileno()).st_size)
    except OSError as error:
        raise _no_file(url, _text(error)) from error


def _client(url: str, timeout: float) -> httpx.Client:
    import httpx

    headers = {"User-Agent": f"cspbench/{__version__}", "Accept-Encoding": "identity"}
    try:
        return httpx.Client(headers=headers, timeout=timeout, verify=ssl.create_default_context())
    except (ImportError, ValueError) as error:
        what, remedy = "the proxy cannot be used", "Correct or unset ALL_PROXY, HTTP_PROXY and HTTPS_PROXY"
        raise WeightsError("download.proxy", what, where=url, found=_text(error), remedy=remedy) from error


@contextmanager
def _requested(client: httpx.Client, url: str, headers: dict[str, str], start: int) -> Iterator[Answer]:
    """The answer at an address, after redirects, whose bodies may be endless and stay unread."""
    import httpx

    with Pace(client.timeout.read or 0) as pace:
        try:
            request = client.build_request("GET", url, headers=headers, extensions={"trace": pace.trace})
            for _ in range(REDIRECTS + 1):
                with closing(client.send(request, stream=True)) as response:
                    if response.next_request is None:
                        yield _answer(response, pace.body(response.iter_raw()), start)
                        return
                _may_redirect(str(request.url), str(response.next_request.url))
                request = response.next_request
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise _failure(url, error, pace.slow) from error
    raise _no_file(url, f"more than {REDIRECTS} redirects")


def _may_redirect(url: str, target: str) -> None:
    with suppress(UsageError):
        if split(target).scheme in (("https",) if url.startswith("https:") else ("http", "https")):
            return
    raise _no_file(url, f"a redirect to {brief(target, 80)}, which is not followed")


def _failure(url: str, error: Exception, slow: str) -> WeightsError:
    """The error for an exception of httpx, or for an answer that was ended as too slow."""
    import httpx

    found = slow or _text(error)
    if not slow and isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        return BrokenError("download.unreachable", "no connection to the server", where=url, found=found)
    if slow or isinstance(error, httpx.TimeoutException):
        return BrokenError("download.stalled", "the transfer stalled", where=url, found=found)
    redirect = isinstance(error.__context__, httpx.InvalidURL)
    if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError) and not redirect:
        return BrokenError("download.broken-off", "the connection broke off", where=url, found=found)
    return _no_file(url, found)  # an address that httpx does not accept


def _answer(response: httpx.Response, parts: Iterator[bytes], start: int) -> Answer:
    """The file in a response; raises `WeightsError` or `BrokenError` for any other response."""
    url, status, headers = str(response.url), response.status_code, response.headers
    status_line = f"{status} {brief(response.reason_phrase)}".strip()
    if status in _AGAIN:
        raise BrokenError("download.server-busy", "the server is busy", where=url, found=status_line)
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and start:
        raise BrokenError("download.changed", "the remote file changed during the download", where=url)
    if status >= HTTPStatus.MULTIPLE_CHOICES:
        body = _beginning(parts)
        raise _no_file(url, f"{status_line}, {read_page(body).meaning()}" if is_page(body) else status_line)
    etag = headers.get("ETag", "")
    version = etag if re.fullmatch(r'"[^"]*"', etag) else headers.get("Last-Modified", "")
    validator = version if re.fullmatch(r"[ -~]{1,200}", version) else None
    # the length of a chunked body is unknown, whatever the header says
    length = None if "Transfer-Encoding" in headers else headers.get("Content-Length")
    content_range = headers.get("Content-Range", "missing")
    match = re.fullmatch(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", content_range.strip(), re.ASCII)
    coding = headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("", "identity"):  # which was not asked for
        status_line += f", Content-Encoding {brief(coding)}"
    elif status == HTTPStatus.OK:
        return Answer(url, parts, 0, None if length is None else int(length), validator)
    elif status == HTTPStatus.PARTIAL_CONTENT and start and match is not None:
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
