"""The HTML pages that come where a weight file should: what they say, and how Google Drive wants to be answered."""

from __future__ import annotations

import html
import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit

from cspbench.errors import brief

LARGEST = 1 << 17
"""Bytes of a page that are read at most."""

_PART = re.compile(
    r"""<!--.*?(?:-->|\Z)
      | <(?P<raw>title|script|style)(?=[\s/>])[^>]*+>?(?P<inside>.*?)(?=</(?P=raw)|\Z)
      | <(?P<tag>[a-z][^\s/>]*+)(?P<attributes>(?:[^>=]++|=\s*+(?:"[^"]*+"?+|'[^']*+'?+)?+)*+)>?+
      | <[/!?][^>]*+>?+
      | (?P<text>[^<]++|<)""",
    re.ASCII | re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
"""A comment, a title or script with what is in it, a tag, another mark, or text. Every part matches at its first try
and takes all that it has looked at, so that reading takes no longer than the page is long, however broken it is.
"""
_ATTRIBUTE = re.compile(
    r"""(?P<name>[^\s/>="']++)(?:\s*+=\s*+(?:"(?P<double>[^"]*+)|'(?P<single>[^']*+)|(?P<plain>[^\s>"']*+)))?+"""
)
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


def is_page(head: bytes) -> bool:
    """Whether a file with this beginning is a page: no weight file begins with `<`, after blanks or otherwise."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def read_page(data: bytes) -> Page:
    """The page in these bytes, of which nothing is trusted to be well-formed."""
    title: list[str] = []
    text: list[str] = []
    forms: list[tuple[str, dict[str, str]]] = []
    for part in _PART.finditer(data[:LARGEST].decode("utf-8", "replace")):
        tag = (part["raw"] or part["tag"] or "").lower()
        given = _attributes(part["attributes"]) if tag in ("form", "input") else {}
        if part["text"]:
            text.append(part["text"])
        elif tag == "title":
            title.append(part["inside"] or "")
        elif tag == "form":
            forms.append((given.get("action", ""), {}))
        elif tag == "input" and forms and given.get("type", "").lower() == "hidden" and given.get("name"):
            forms[-1][1][given["name"]] = given.get("value", "")
    return Page(_words(title), _words(text), tuple(forms))


def _attributes(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in _ATTRIBUTE.finditer(text):
        found.setdefault(each["name"].lower(), _unescaped(each["double"] or each["single"] or each["plain"] or ""))
    return found


def _words(parts: list[str]) -> str:
    return " ".join(_unescaped(" ".join(parts)).split())


def _unescaped(text: str) -> str:
    try:
        return html.unescape(text)
    except ValueError:  # a character's number of thousands of digits
        return text


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
            target = urlsplit(urljoin(url, quote(action, safe=string.punctuation)))
        except ValueError:  # brackets that hold no address
            return None
        weaker = here.scheme == "https" and target.scheme != "https"
        if target.scheme not in ("http", "https") or weaker or "@" in target.netloc:
            return None
        if not google(target.hostname or ""):
            return None
        return target._replace(query=urlencode({**dict(parse_qsl(target.query)), **hidden}), fragment="").geturl()
    for name, value in cookies.items():
        if name.startswith("download_warning"):
            return here._replace(query=urlencode({**dict(parse_qsl(here.query)), "confirm": value})).geturl()
    return None
