"""HTML pages in place of a file: their meaning, and the answer to Google Drive's confirmation page.

Parsed by regular expressions, as html.parser takes two seconds for 16 KiB of broken markup, and hours for 128 KiB.
"""

from __future__ import annotations

import html
import re
import string
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit

from cspbench.errors import brief

LARGEST = 1 << 17
"""Bytes of a page that are read."""

_PART = re.compile(
    r"""<!--.*?(?:-->|\Z)
      | <(?P<raw>title|script|style)\b[^>]*+>?+(?P<inside>.*?)(?=</(?P=raw)|\Z)
      | <(?P<tag>form|input)\b(?P<attributes>(?:[^<>"']|"[^"]*+"|'[^']*+')*+)>?+
      | <[a-z/!?][^<>]*+>?+
      | (?P<text>[^<]++|<)""",
    re.ASCII | re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
"""Every alternative is possessive, so the time is linear in a page's length, however broken the page is."""
_ATTRIBUTE = re.compile(r"""([a-z-]++)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]++))""", re.ASCII | re.IGNORECASE)
_MEANINGS = (
    (r"quota exceeded|too many users have viewed or downloaded", "Google Drive's quota for the file is used up"),
    (r"requested does not exist|page not found|file not found|error 404", "the file no longer exists"),
    (r"you need (access|permission)|request access|sign in|sign-in", "the file is not public"),
)
"""Patterns in a title, or in the text of a page by Google, and their meaning."""


@dataclass(frozen=True)
class Page:
    """A page's title, text and forms, each with its action and hidden inputs."""

    title: str = ""
    text: str = ""
    forms: tuple[tuple[str, dict[str, str]], ...] = ()

    def meaning(self) -> str:
        """The page in a few words, for a message: its title, and its meaning if recognized."""
        page = f'an HTML page, "{brief(self.title, 80)}"' if self.title else "an HTML page without a title"
        text = self.title + (self.text if "google" in self.title.lower() else "")
        meanings = (f"{meaning}: {page}" for pattern, meaning in _MEANINGS if re.search(pattern, text, re.IGNORECASE))
        return next(meanings, page)


def read_page(data: bytes) -> Page:
    """The page in these bytes; malformed markup is accepted."""
    title, text, forms = "", [], list[tuple[str, dict[str, str]]]()
    for part in _PART.finditer(data[:LARGEST].decode("utf-8", "replace")):
        if part["text"]:
            text.append(part["text"])
        elif (part["raw"] or "").lower() == "title":
            title = title or part["inside"]
        elif part["tag"]:
            values = {name.lower(): _plain(a or b or c) for name, a, b, c in _ATTRIBUTE.findall(part["attributes"])}
            if part["tag"].lower() == "form":
                forms.append((values.get("action", ""), {}))
            elif forms and values.get("type", "").lower() == "hidden" and values.get("name"):
                forms[-1][1][values["name"]] = values.get("value", "")
    return Page(" ".join(_plain(title).split()), " ".join(_plain(" ".join(text)).split()), tuple(forms))


def _plain(text: str) -> str:
    try:
        return html.unescape(text)
    except ValueError:  # a character reference with thousands of digits
        return text


def google_host(host: str) -> bool:
    """Whether a host is Google's, so that a page of Google Drive may lead to it."""
    return host == "google.com" or host.endswith((".google.com", ".googleusercontent.com"))


def confirmation(page: Page, url: str) -> str | None:
    """The address that confirms Google Drive's warning about an unscanned file, None for other pages.

    `url` is the page's address; the answer is in the hidden inputs of its form. The hosts of the page and of the file
    must be Google's, and https must stay https.
    """
    here = urlsplit(url)
    if not google_host(here.hostname or ""):
        return None
    for action, hidden in page.forms:
        if "confirm" not in hidden:
            continue
        try:
            target = urlsplit(urljoin(url, quote(action, safe=string.punctuation)))
        except ValueError:  # brackets that do not contain an address
            return None
        safe = target.scheme == "https" or target.scheme == here.scheme == "http"
        if not safe or "@" in target.netloc or not google_host(target.hostname or ""):
            return None
        return target._replace(query=urlencode({**dict(parse_qsl(target.query)), **hidden}), fragment="").geturl()
    return None
