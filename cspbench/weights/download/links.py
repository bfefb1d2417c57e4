"""Where weight files are offered: the links that the published documents print, and the mirrors that a user names."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, quote, urlsplit
from urllib.request import url2pathname

from cspbench.claims import tables
from cspbench.errors import UsageError, brief

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


def links(source: tables.Files | None = None) -> dict[str, Link]:
    """The links by file name, as `models.toml` has them; a file without one was printed without."""
    files = [file for entry in tables.entries(source).values() for file in entry.weights]
    return {file.file: Link(file.file, file.url, file.source) for file in files if file.url and file.source}


@cache
def link_of(file: str) -> Link | None:
    """The published link of a file, None where there is none."""
    return links().get(file)


def split(url: str) -> SplitResult:
    """The parts of an address that may be opened: http, https or file, without a password in it."""
    expected = "http://HOST/..., https://HOST/... or file:///FOLDER"
    if secret := re.match(r"[^/?#]*//[^/?#]*@([^/?#]*)", url):
        raise UsageError(
            "usage.address-with-password",
            "a name or password in an address is not supported",
            expected=expected,
            found=f"one for {brief(secret[1], 80) or 'no host'}",
            remedy="Use an address that needs none",
        )
    with suppress(ValueError):  # a port that is not a number, brackets around something other than an address
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
        local = parts.scheme == "file" and parts.path and host in ("", "localhost")
        web = parts.scheme in ("http", "https") and host and "%" not in host
        if (local or web) and url.isascii() and url.isprintable() and " " not in url:
            return parts
    remedy = f"Write {Path(url).absolute().as_uri()}" if url.isprintable() and os.path.exists(url) else None
    raise UsageError("usage.not-an-address", "not an address", expected=expected, found=brief(url, 80), remedy=remedy)


def mirrored(mirror: str, file: str, only: bool) -> str:
    """The address of a file at a mirror: its name after a base, or, for the `only` file wanted, a full address.

    An address is full if it ends like a weight file, has a query or is a local file. Raises `UsageError`.
    """
    parts = split(mirror)
    local_file = parts.scheme == "file" and Path(url2pathname(parts.path)).is_file()
    if _WEIGHT_NAME.search(parts.path) or parts.query or drive_id(mirror) or local_file:
        if only:
            return mirror
        raise UsageError(
            "usage.mirror-of-one-file",
            "the mirror's address is that of one file, and several are wanted",
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
