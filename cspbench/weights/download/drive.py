"""HTML pages that come in place of a file: what they say, and the answer to Google Drive's question.

By regular expressions and not html.parser, which takes two seconds for 16 KiB of broken markup, and hours for 128.
"""

from __future__ import annotations

import html
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit

from cspbench.errors import brief

LARGEST = 1 << 17
"""Bytes of a page that are read at most."""

_PART = re.compile(
    r"""<!--.*?(?:-->|\Z)
      | <(?P<raw>title|script|style)\b[^>]*+>?+(?P<inside>.*?)(?=</(?P=raw)|\Z)
      | <(?P<tag>form|input)\b(?P<attributes>(?:[^<>"']|"[^"]*+"|'[^']*+')*+)>?+
      | <[a-z/!?][^<>]*+>?+
      | (?P<text>[^<]++|<)""",
    re.ASCII | re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
"""Each alternative takes all that it has looked at, so the time is linear in a page's length, however broken it is."""
_ATTRIBUTE = re.compile(r"""([a-z-]++)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]++))""", re.ASCII | re.IGNORECASE)
_KNOWN = (
    (r"quota exceeded|too many users have viewed or downloaded", "Google Drive's quota for the file is used up"),
    (r"requested does not exist|page not found|file not found|error 404", "the file no longer exists"),
    (r"you need (access|permission)|request access|sign in|sign-in", "the file is not public"),
)
"""What a title says, or the text under a title of Google's, and what that means."""


@dataclass(frozen=True)
class Page:
    """A page's title, its text and its forms: the action of each and its hidden inputs."""

    title: str = ""
    text: str = ""
    forms: tuple[tuple[str, dict[str, str]], ...] = ()

    def meaning(self) -> str:
        """The page in a few words, for a message: its known meaning and its title."""
        named = f'an HTML page, "{brief(self.title, 80)}"' if self.title else "an HTML page without a title"
        text = self.title + (self.text if "google" in self.title.lower() else "")
        meanings = [f"{meaning}: {named}" for pattern, meaning in _KNOWN if re.search(pattern, text, re.IGNORECASE)]
        return meanings[0] if meanings else named


def is_page(head: bytes) -> bool:
    """Whether a file with this beginning is a page: no weight file begins with `<`, after blanks or otherwise."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def read_page(data: bytes) -> Page:
    """The page in these bytes, of any well- or ill-formed markup."""
    title, text, forms = "", [], list[tuple[str, dict[str, str]]]()
    for part in _PART.finditer(data[:LARGEST].decode("utf-8", "replace")):
        if part["text"]:
            text.append(part["text"])
        elif (part["raw"] or "").lower() == "title":
            title = title or part["inside"]
        elif part["tag"]:
            given = {name.lower(): _plain(a or b or c) for name, a, b, c in _ATTRIBUTE.findall(part["attributes"])}
            if part["tag"].lower() == "form":
                forms.append((given.get("action", ""), {}))
            elif forms and given.get("type", "").lower() == "hidden" and given.get("name"):
                forms[-1][1][given["name"]] = given.get("value", "")
    return Page(" ".join(_plain(title).split()), " ".join(_plain(" ".join(text)).split()), tuple(forms))


def _plain(text: str) -> str:
    try:
        return html.unescape(text)
    except ValueError:  # a character's number of thousands of digits
        return text


def google_host(host: str) -> bool:
    """Whether a host is one of Google's, which Google Drive's own pages may send on to."""
    return host == "google.com" or host.endswith((".google.com", ".googleusercontent.com"))


def confirmation(page: Page, url: str, cookies: Mapping[str, str]) -> str | None:
    """The address behind Google Drive's question whether to download an unscanned file, None for other pages.

    `url` is the page's. Today the question is a form with hidden inputs, formerly it was a cookie whose value is the
    answer. Both the page's host and the one it sends on to must be Google's, and https stays https.
    """
    here = urlsplit(url)
    if not google_host(here.hostname or ""):
        return None
    for action, hidden in page.forms:
        if "confirm" not in hidden:
            continue
        try:
            target = urlsplit(urljoin(url, quote(action, safe=string.punctuation)))
        except ValueError:  # brackets around something other than an address
            return None
        safe = target.scheme == "https" or target.scheme == here.scheme == "http"
        if not safe or "@" in target.netloc or not google_host(target.hostname or ""):
            return None
        return target._replace(query=urlencode({**dict(parse_qsl(target.query)), **hidden}), fragment="").geturl()
    for name, value in cookies.items():
        if name.startswith("download_warning"):
            return here._replace(query=urlencode({**dict(parse_qsl(here.query)), "confirm": value})).geturl()
    return None
