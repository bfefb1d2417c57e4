"""Opening an address for its bytes: http and https with redirects that are not trusted, and local files."""

from __future__ import annotations

import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from io import FileIO
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.request import url2pathname

from cspbench import __version__
from cspbench.errors import UsageError, brief
from cspbench.io import open_file
from cspbench.weights.arrays import WeightsError
from cspbench.weights.drive import LARGEST, Page, confirmation, is_page, read_page
from cspbench.weights.links import direct, google_host, split

if TYPE_CHECKING:
    import httpx

REDIRECTS = 5
SLOWEST = 1024
"""Bytes of the file a second, below which a transfer has stalled: at this pace 100 MB take a day."""
WINDOW = 2
"""Time-outs over which the pace is taken, so that a silence of nearly one of them leaves time to make up for it."""
_CHUNK = 1 << 18
_AGAIN = {408, 425, 429, 500, 502, 503, 504}


class DeadError(WeightsError):
    """There is no weight file at the address."""


class UnreachableError(DeadError):
    """No server answers at the address."""


class BrokenError(WeightsError):
    """The transfer broke off, which another attempt may mend."""


class BeyondError(WeightsError):
    """The file at the address ends before the byte asked for."""


class Pace:
    """How long an answer is waited for: as long as every `WINDOW` time-outs bring a kilobyte a second of its body.

    So the header has to come within the first of them. The time that the reader spends between two parts of the body
    does not count.

    httpx limits the wait for each byte only: it would wait for ever for a server that drips, or that goes on saying
    `100 Continue`. So a thread looks at the pace and shuts the connection down, of which httpx's trace tells.
    """

    def __init__(self, timeout: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.slow = ""
        self._window, self._clock = WINDOW * timeout, clock
        self._begun, self._bytes, self._reading = clock(), 0, True
        self._socket: socket.socket | None = None
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def trace(self, event: str, about: Mapping[str, Any]) -> None:
        """Take the connection from an event of httpx's `trace` extension."""
        extra = getattr(about.get("return_value"), "get_extra_info", None)
        if extra is not None:
            self._socket = extra("socket")

    def body(self, parts: Iterable[bytes]) -> Iterator[bytes]:
        """The parts of a body, counted; raises `TimeoutError` where it ended because it was too slow."""
        for part in parts:
            paused = self._clock()
            with self._lock:
                self._bytes, self._reading = self._bytes + len(part), False
            yield part
            with self._lock:
                self._begun, self._reading = self._begun + self._clock() - paused, True
        if self.slow:
            raise TimeoutError(self.slow)

    def check(self) -> bool:
        """Whether the pace is kept; where it is not, `slow` says what came."""
        with self._lock:
            seconds = self._clock() - self._begun
            if self._reading and seconds >= self._window:
                if self._bytes < SLOWEST * seconds:
                    self.slow = f"{self._bytes} bytes in {seconds:.3g} s, less than {SLOWEST} a second"
                self._begun, self._bytes = self._clock(), 0
        return not self.slow

    def _watch(self) -> None:
        while not self._ended.wait(self._window / 4):
            if not self.check() and self._socket is not None:
                with suppress(OSError):  # closed meanwhile
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # not ssl's, which would forget the cipher


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
def opened(
    url: str,
    start: int = 0,
    validator: str | None = None,
    timeout: float = 30.0,
    google: Callable[[str], bool] = google_host,
) -> Iterator[Answer]:
    """Ask for the file at `url` from byte `start` on, if it is still the version of `validator`.

    The answer may begin at 0 all the same. Google Drive's question is answered once; any other HTML page raises
    `DeadError`, as a missing file does. `BrokenError`, also while the answer is read, is worth another attempt.
    `timeout`: seconds without a byte, or twice as many below `SLOWEST`. `google` tells which hosts are Google's.
    """
    parts = split(url)
    if parts.scheme == "file":
        with _file(url, Path(url2pathname(parts.path))) as answer:
            yield _no_page(answer)
        return
    import httpx

    headers = {"User-Agent": f"cspbench/{__version__}", "Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-"} | ({"If-Range": validator} if validator else {})
    try:
        client = httpx.Client(headers=headers, timeout=timeout, verify=_trusted())
    except (ImportError, ValueError) as error:
        raise UnreachableError(
            "the proxy cannot be used",
            where=url,
            expected="an http:// or https:// proxy in the environment",
            found=_words(error),
            remedy="Correct or unset ALL_PROXY, HTTP_PROXY and HTTPS_PROXY",
        ) from error
    with client:
        with _asked(client, direct(url), start) as answer:
            page = answer.page()
            cookies = {cookie.name: cookie.value or "" for cookie in client.cookies.jar}
            confirmed = page and confirmation(page, answer.url, cookies, google)
            if not confirmed:
                yield _no_page(answer, page)
                return
        with _asked(client, confirmed, start) as answer:
            yield _no_page(answer)


@cache
def _trusted() -> ssl.SSLContext:
    """The system's certificates, read once."""
    return ssl.create_default_context()


def _no_page(answer: Answer, page: Page | None = None) -> Answer:
    page = page or answer.page()
    if page is not None:
        raise _dead(answer.url, page.meaning())
    return answer


@contextmanager
def _file(url: str, path: Path) -> Iterator[Answer]:
    try:
        stream = open_file(path)
    except IsADirectoryError as error:
        raise DeadError("not a file", where=url, remedy="Name the folder that holds the file") from error
    except OSError as error:
        raise _dead(url, error.strerror or str(error)) from error
    with stream:
        yield Answer(url, _read(stream, url), total=os.fstat(stream.fileno()).st_size)


def _read(stream: FileIO, url: str) -> Iterator[bytes]:
    try:
        while data := stream.read(_CHUNK):
            yield data
    except OSError as error:
        raise BrokenError("the file cannot be read", where=url, found=_words(error)) from error


@contextmanager
def _asked(client: httpx.Client, url: str, start: int) -> Iterator[Answer]:
    """The answer at an address or where that redirects to; the body of a redirect may be endless and stays unread."""
    with Pace(client.timeout.read or 0) as pace, _failures(url, pace):
        request = client.build_request("GET", url, extensions={"trace": pace.trace})
        for _ in range(REDIRECTS + 1):
            response = client.send(request, stream=True)
            try:
                if response.next_request is None:
                    yield _answer(response, pace.body(response.iter_raw()), start)
                    return
            finally:
                response.close()
            _may_redirect(str(request.url), str(response.next_request.url))
            request = response.next_request
    raise _dead(url, f"more than {REDIRECTS} redirects")


def _may_redirect(url: str, target: str) -> None:
    try:
        scheme = split(target).scheme
    except UsageError as error:
        raise _dead(url, f"a redirect to something that is not a web address: {brief(target, 80)}") from error
    if scheme == "file" or (url.startswith("https:") and scheme != "https"):
        raise _dead(url, f"a redirect from {url.partition(':')[0]} to {brief(target, 80)}, which is not followed")


@contextmanager
def _failures(url: str, pace: Pace) -> Iterator[None]:
    """What goes wrong on the way, as errors of ours."""
    import httpx

    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, OSError):
            cause = cause.__cause__ or cause.__context__
        cause = cause or error
        if pace.slow:
            raise BrokenError("the transfer stalled", where=url, found=pace.slow) from error
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
            trusted = not isinstance(cause, ssl.SSLError)
            what = "no response from the server" if trusted else "the server's certificate is not trusted"
            raise UnreachableError(what, where=url, found=_words(cause)) from error
        if isinstance(error, httpx.TimeoutException):
            raise BrokenError("the transfer stalled", where=url, found="no byte within the time-out") from error
        redirect = isinstance(error.__context__, httpx.InvalidURL)
        if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError) and not redirect:
            raise BrokenError("the connection broke off", where=url, found=_words(cause)) from error
        raise _dead(url, _words(cause)) from error  # an address that httpx does not take


def _answer(response: httpx.Response, parts: Iterator[bytes], start: int) -> Answer:
    """The file in a response; raises what any other response means."""
    url, status, headers = str(response.url), response.status_code, response.headers
    words = f"{status} {brief(response.reason_phrase)}".strip()
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and start:
        raise BeyondError("the file is shorter there", where=url, found=words)
    if status in _AGAIN:
        raise BrokenError("the server cannot answer now", where=url, found=words)
    if status >= HTTPStatus.MULTIPLE_CHOICES:
        body = _beginning(parts)
        raise _dead(url, f"{words}, {read_page(body).meaning()}" if is_page(body) else words)
    coding = headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise DeadError(
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
    given = headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", given.strip(), re.ASCII)
    if status != HTTPStatus.PARTIAL_CONTENT or not start or match is None:
        found = f"{words}, Content-Range {brief(given) or 'missing'}"
        raise DeadError("an answer that does not fit the request", where=url, expected="200 or 206", found=found)
    first, last = int(match[1]), int(match[2])
    total = None if match[3] == "*" else int(match[3])
    wrong_end = last < first or (total is not None and last >= total)
    if first != start or wrong_end or (length is not None and int(length) != last - first + 1):
        raise DeadError(
            "the server sends other bytes than requested",
            where=url,
            expected=f"bytes from {start} on",
            found=brief(f"{given}, Content-Length {'missing' if length is None else length}", 80),
        )
    return Answer(url, parts, start, total, validator)


def _beginning(parts: Iterator[bytes]) -> bytes:
    """What there is, up to the size of the largest page."""
    data = b""
    for part in parts:
        data += part
        if len(data) >= LARGEST:
            break
    return data[:LARGEST]


def _dead(url: str, found: str) -> DeadError:
    return DeadError("no weight file there", where=brief(url, 160), found=found)


def _words(error: BaseException) -> str:
    strerror = error.strerror if isinstance(error, OSError) else None
    return brief(strerror or str(error) or type(error).__name__, 120)
