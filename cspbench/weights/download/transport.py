"""Opening an address for its bytes: http and https with redirects that are not trusted, and local files."""

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
    """The bytes of a file from `start` on; `total` is the size of the whole file, None where the server does not say.

    `validator` identifies the version: a strong ETag, else the date of the last change, else None.
    """

    url: str
    parts: Iterator[bytes]
    start: int = 0
    total: int | None = None
    validator: str | None = None

    def page(self) -> Page | None:
        """The page that comes in place of a file, None for a file. Nothing of a file is lost."""
        head = b"" if self.start else next(self.parts, b"")
        while len(head) < 64 and not head.strip(b"\xef\xbb\xbf \t\r\n") and (part := next(self.parts, b"")):
            head += part
        self.parts = chain([head] if head else [], self.parts)
        return read_page(_beginning(self.parts)) if is_page(head) else None


@contextmanager
def opened(url: str, start: int = 0, validator: str | None = None, timeout: float = 30.0) -> Iterator[Answer]:
    """Ask for the file at `url` from byte `start` on, if it is still the version of `validator`.

    The answer may begin at 0 all the same. Google Drive's question is answered once; any other HTML page raises
    `WeightsError`, as a missing file does. `BrokenError`, also while the answer is read, is worth another attempt.
    `timeout`: seconds without a byte, or twice as many below `pace.SLOWEST`.
    """
    parts = split(url)
    if parts.scheme == "file":
        with _file(url, Path(url2pathname(parts.path))) as answer:
            yield _not_page(answer, answer.page())
        return
    with _client(url, timeout) as client:
        headers = {"Range": f"bytes={start}-"} if start else {}
        if start and validator:
            headers["If-Range"] = validator
        with _asked(client, direct(url), headers, start) as answer:
            page = answer.page()
            cookies = {cookie.name: cookie.value or "" for cookie in client.cookies.jar}
            confirmed = page and confirmation(page, answer.url, cookies)
            if not confirmed:
                yield _not_page(answer, page)
                return
        with _asked(client, confirmed, headers, start) as answer:
            yield _not_page(answer, answer.page())


def _not_page(answer: Answer, page: Page | None) -> Answer:
    if page is not None:
        raise _no_file(answer.url, page.meaning())
    return answer


@contextmanager
def _file(url: str, path: Path) -> Iterator[Answer]:
    try:
        with open_file(path) as stream:
            yield Answer(url, iter(partial(stream.read, _CHUNK), b""), total=os.fstat(stream.fileno()).st_size)
    except OSError as error:
        raise _no_file(url, _words(error)) from error


@cache
def _trusted() -> ssl.SSLContext:
    """The system's certificates, read once."""
    return ssl.create_default_context()


def _client(url: str, timeout: float) -> httpx.Client:
    import httpx

    headers = {"User-Agent": f"cspbench/{__version__}", "Accept-Encoding": "identity"}
    try:
        return httpx.Client(headers=headers, timeout=timeout, verify=_trusted())
    except (ImportError, ValueError) as error:
        raise WeightsError(
            "download.proxy",
            "the proxy cannot be used",
            where=url,
            expected="an http:// or https:// proxy in the environment",
            found=_words(error),
            remedy="Correct or unset ALL_PROXY, HTTP_PROXY and HTTPS_PROXY",
        ) from error


@contextmanager
def _asked(client: httpx.Client, url: str, headers: dict[str, str], start: int) -> Iterator[Answer]:
    """The answer at an address or where that redirects to; the body of a redirect may be endless and stays unread."""
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
            else:  # the file is shorter there
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
    """Exceptions of httpx as errors of ours."""
    import httpx

    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, OSError):
            cause = cause.__cause__ or cause.__context__
        found = _words(cause or error)
        if pace.slow:
            raise BrokenError("download.stalled", "the transfer stalled", where=url, found=pace.slow) from error
        if isinstance(cause, ssl.SSLError) and isinstance(error, httpx.ConnectError):
            what = "the server's certificate is not trusted"
            raise UnreachableError("download.certificate", what, where=url, found=found) from error
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
            what = "no response from the server"
            raise UnreachableError("download.unreachable", what, where=url, found=found) from error
        if isinstance(error, httpx.TimeoutException):
            found = "no byte within the time-out"
            raise BrokenError("download.stalled", "the transfer stalled", where=url, found=found) from error
        redirect = isinstance(error.__context__, httpx.InvalidURL)
        if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError) and not redirect:
            raise BrokenError("download.broken-off", "the connection broke off", where=url, found=found) from error
        raise _no_file(url, found) from error  # an address that httpx does not take


def _answer(response: httpx.Response, parts: Iterator[bytes], start: int) -> Answer:
    """The file in a response; raises what any other response means."""
    url, status, headers = str(response.url), response.status_code, response.headers
    words = f"{status} {brief(response.reason_phrase)}".strip()
    if status in _AGAIN:
        raise BrokenError("download.server-busy", "the server cannot answer now", where=url, found=words)
    if status >= HTTPStatus.MULTIPLE_CHOICES:
        body = _beginning(parts)
        raise _no_file(url, f"{words}, {read_page(body).meaning()}" if is_page(body) else words)
    coding = headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise WeightsError(
            "download.coding",
            "the server sends the file in another encoding",
            where=url,
            expected="its bytes as they are",
            found=f"Content-Encoding {brief(coding)}",
        )
    etag = headers.get("ETag", "")
    validator = etag if re.fullmatch(r'"[^"]*"', etag) else headers.get("Last-Modified")
    if validator is not None and not (validator.isascii() and validator.isprintable() and len(validator) <= 200):
        validator = None
    # chunks have no length beforehand, whatever a header says
    length = None if "Transfer-Encoding" in headers else headers.get("Content-Length")
    if status == HTTPStatus.OK:
        return Answer(url, parts, 0, None if length is None else int(length), validator)
    given = headers.get("Content-Range", "missing")
    match = re.fullmatch(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", given.strip(), re.ASCII)
    if status == HTTPStatus.PARTIAL_CONTENT and start and match is not None:
        first, last = int(match[1]), int(match[2])
        total = None if match[3] == "*" else int(match[3])
        within = first == start <= last and (total is None or last < total)
        if within and (length is None or int(length) == last - first + 1):
            return Answer(url, parts, start, total, validator)
    raise WeightsError(
        "download.odd-answer",
        "the answer does not fit the request",
        where=url,
        expected=f"206 with the bytes from {start} on, or 200" if start else "200",
        found=f"{words}, Content-Range {brief(given)}, Content-Length {length or 'missing'}",
    )


def _beginning(parts: Iterator[bytes]) -> bytes:
    """What there is, up to the size of the largest page."""
    data = b""
    for part in parts:
        data += part
        if len(data) >= LARGEST:
            break
    return data[:LARGEST]


def _no_file(url: str, found: str) -> WeightsError:
    return WeightsError("download.no-file", "no weight file there", where=brief(url, 160), found=found)


def _words(error: BaseException) -> str:
    strerror = error.strerror if isinstance(error, OSError) else None
    return brief(strerror or str(error) or type(error).__name__, 120)
