"""The HTML pages that come where a weight file should: what they say, and how Google Drive wants to be answered."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from cspbench.errors import brief

LARGEST = 1 << 17
"""Bytes of a page that are read at most."""

_KNOWN = (
    (r"quota exceeded|too many users have viewed or downloaded", "Google Drive's quota for the file is used up"),
    (r"requested does not exist|page not found|file not found|error 404", "the file is not there any more"),
    (r"you need (access|permission)|request access|sign in|sign-in", "the file is not open to everybody"),
)
"""What a title says, or the text under a title of Google's, and what that means."""


@dataclass(frozen=True)
class Page:
    """A page's title, its text and its forms: the action of each and its hidden inputs."""

    title: str = ""
    text: str = ""
    forms: tuple[tuple[str, dict[str, str]], ...] = ()

    def meaning(self) -> str:
        """The page in a few words, for a message: what it is known to mean and its title."""
        named = f'an HTML page, "{brief(self.title, 80)}"' if self.title else "an HTML page without a title"
        google = "google" in self.title.lower()
        for pattern, meaning in _KNOWN:
            if re.search(pattern, self.title + (self.text if google else ""), re.IGNORECASE):
                return f"{meaning}: {named}"
        return named


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title: list[str] = []
        self.text: list[str] = []
        self.forms: list[tuple[str, dict[str, str]]] = []
        self.inside: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in ("title", "script", "style"):
            self.inside = tag
        elif tag == "form":
            self.forms.append((given.get("action", ""), {}))
        elif tag == "input" and self.forms and given.get("type", "").lower() == "hidden" and given.get("name"):
            self.forms[-1][1][given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == self.inside:
            self.inside = None

    def handle_data(self, data: str) -> None:
        if self.inside in ("title", None):
            (self.title if self.inside else self.text).extend(data.split())


def is_page(head: bytes) -> bool:
    """Whether a file with this beginning is a page: no weight file begins with `<`, after blanks or otherwise."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def read_page(data: bytes) -> Page:
    """The page in these bytes, of which nothing is trusted to be well-formed."""
    reader = _Reader()
    reader.feed(data[:LARGEST].decode("utf-8", "replace"))
    reader.close()
    return Page(" ".join(reader.title), " ".join(reader.text), tuple(reader.forms))


def confirmation(page: Page, url: str, cookies: Mapping[str, str], google: Callable[[str], bool]) -> str | None:
    """The address behind Google Drive's question whether to download what it has not scanned, None for other pages.

    `url` is the page's. Today the question is a form with hidden inputs, formerly it was a cookie whose value is the
    answer. Both the page's host and the one it sends on to must pass `google`, and https stays https.
    """
    here = urlsplit(url)
    if not google(here.hostname or ""):
        return None
    for action, hidden in page.forms:
        if "confirm" not in hidden:
            continue
        try:
            target = urlsplit(urljoin(url, action))
        except ValueError:  # brackets that hold no address
            return None
        weaker = here.scheme == "https" and target.scheme != "https"
        if target.scheme not in ("http", "https") or weaker or not google(target.hostname or ""):
            return None
        return target._replace(query=urlencode({**dict(parse_qsl(target.query)), **hidden}), fragment="").geturl()
    for name, value in cookies.items():
        if name.startswith("download_warning"):
            return here._replace(query=urlencode({**dict(parse_qsl(here.query)), "confirm": value})).geturl()
    return None
