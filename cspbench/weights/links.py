"""Where weight files are offered: the links that the published documents print, and the mirrors that a user names."""

from __future__ import annotations

import csv
import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, quote, urlsplit

from cspbench.claims.tables import where_published
from cspbench.errors import CspbenchError, TableError, UsageError, brief

SCHEMES = ("http", "https", "file")

_DRIVE = ("drive.google.com", "docs.google.com", "drive.usercontent.google.com")
_DRIVE_ID = re.compile(r"[A-Za-z0-9_-]{10,128}")
_DRIVE_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}")  # without it, older files are open to nobody who has not seen them yet
_WEIGHT_NAME = re.compile(r".\.(weights|pth|safetensors)$")


@dataclass(frozen=True)
class Link:
    """The address of a weight file, and the document that prints it."""

    file: str
    url: str
    source: str


def links(folder: Path | None = None) -> dict[str, Link]:
    """The links by file name, out of `links.csv` beside the tables; a file without one was printed without.

    Raises `TableError` where the file is not as it should be.
    """
    path = (folder or where_published()) / "links.csv"
    found: dict[str, Link] = {}
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream, strict=True, restkey="", restval="")
            for record in reader:
                if list(record) != ["file", "url", "source"] or not all(record.values()):
                    raise _malformed(path, reader.line_num, "file,url,source", ",".join(map(str, record.values())))
                link = Link(**record)
                split(link.url)
                if link.file in found or Path(link.file).name != link.file:
                    raise _malformed(path, reader.line_num, "every file name once, without a folder", link.file)
                found[link.file] = link
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _malformed(path, None, "a CSV file of UTF-8", str(error)) from error
    except UsageError as error:
        raise _malformed(path, reader.line_num, error.expected or "", error.found or "") from error
    return found


@cache
def link_of(file: str) -> Link | None:
    """The published link of a file, None where there is none."""
    return links().get(file)


def split(url: str) -> SplitResult:
    """The parts of an address that may be opened: http, https or file, without a password in it."""
    expected = "http://HOST/..., https://HOST/... or file:///FOLDER"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # a port that is no number raises ValueError
    except ValueError as error:
        raise UsageError(
            "usage.not-an-address", "not an address", expected=expected, found=f"{brief(url, 80)}: {error}"
        ) from error
    if "@" in parts.netloc:
        raise UsageError(
            "usage.address-with-password",
            "a name or password in an address is not supported",
            expected=expected,
            found=f"one for {host or 'no host'}",
            remedy="Take an address that needs none",
        )
    sound = bool(parts.path) and host in (None, "localhost") if parts.scheme == "file" else bool(host)
    if parts.scheme not in SCHEMES or not sound or not url.isascii() or not url.isprintable() or " " in url:
        remedy = f"Write {Path(url).absolute().as_uri()}" if url.isprintable() and os.path.exists(url) else None
        raise UsageError(
            "usage.not-an-address", "not an address", expected=expected, found=brief(url, 80), remedy=remedy
        )
    return parts


def mirrored(mirror: str, file: str, only: bool) -> str:
    """The address of a file at a mirror: its name after a base, or, for the `only` file wanted, a full address.

    Full is what ends like a weight file, asks for something (`?`) or is a file. Raises `UsageError`.
    """
    parts = split(mirror)
    if _WEIGHT_NAME.search(parts.path) or parts.query or drive_id(mirror) or _is_file(parts):
        if only:
            return mirror
        raise UsageError(
            "usage.mirror-of-one-file",
            "a mirror's address of one file, for several files",
            expected="the address of a folder",
            found=brief(mirror, 120),
            remedy="Leave out the file's name, or ask for one file",
        )
    return f"{mirror.rstrip('/')}/{quote(file)}"


def direct(url: str) -> str:
    """The address that sends the file itself, where a link leads to a page about it: Google Drive's and GitHub's."""
    if (found := drive_id(url)) is not None:
        key = parse_qs(urlsplit(url).query).get("resourcekey", [""])[0]
        more = f"&resourcekey={key}" if _DRIVE_KEY.fullmatch(key) else ""
        return f"https://drive.google.com/uc?export=download&id={found}{more}"
    if match := re.fullmatch(r"(https://github\.com/[^/?#]+/[^/?#]+)/blob/([^?#]+)", url):
        return f"{match[1]}/raw/{match[2]}"
    return url


def drive_id(url: str) -> str | None:
    """The id of the file that a link to Google Drive shares, None for any other address."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or parts.hostname not in _DRIVE:
        return None
    match = re.fullmatch(r"/file/d/([^/]+)(?:/.*)?", parts.path)
    found = match[1] if match else parse_qs(parts.query).get("id", [""])[0]
    return found if _DRIVE_ID.fullmatch(found) else None


def google_host(host: str) -> bool:
    """Whether a host is one of Google's, which Google Drive's own pages may send on to."""
    return host == "google.com" or host.endswith((".google.com", ".googleusercontent.com"))


def _is_file(parts: SplitResult) -> bool:
    from urllib.request import url2pathname

    return parts.scheme == "file" and Path(url2pathname(parts.path)).is_file()


def _malformed(path: Path, line: int | None, expected: str, found: str) -> CspbenchError:
    where = path.name if line is None else f"{path.name}, line {line}"
    return TableError(
        "tables.not-links",
        "not a table of links",
        where=where,
        expected=expected,
        found=found,
        remedy="Correct that line",
    )
