"""Addresses of weight files: the links to pages about them, and a user's mirrors."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, quote, urlsplit
from urllib.request import url2pathname

from cspbench.errors import UsageError, brief

_DRIVE = ("drive.google.com", "docs.google.com", "drive.usercontent.google.com")
_DRIVE_ID = re.compile(r"[A-Za-z0-9_-]{10,128}")
_DRIVE_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}")  # older files can be opened with it only
_WEIGHT_NAME = re.compile(r".\.(weights|pth|safetensors)$")


def split(url: str) -> SplitResult:
    """The parts of an http, https or file address without a password; raises `UsageError` for any other text."""
    found, remedy = brief(url, 80), None
    if secret := re.match(r"[^/?#]*//[^/?#]*@([^/?#]*)", url):
        found = f"a name or password for {brief(secret[1], 80) or 'no host'}"
    else:
        with suppress(ValueError):  # from a port that is not a number, or brackets that do not contain an address
            parts = urlsplit(url)
            host, _ = parts.hostname or "", parts.port
            local = parts.scheme == "file" and parts.path and host in ("", "localhost")
            web = parts.scheme in ("http", "https") and host and "%" not in host
            if (local or web) and url.isascii() and url.isprintable() and " " not in url:
                return parts
        remedy = f"Write {Path(url).absolute().as_uri()}" if url.isprintable() and os.path.exists(url) else None
    expected = "http://HOST/..., https://HOST/... or file:///FOLDER"
    raise UsageError("usage.not-an-address", "not an address", expected=expected, found=found, remedy=remedy)


def mirrored(mirror: str, file: str) -> str:
    """The address of a file at a mirror: the mirror's own, or the file's name in that folder.

    An address is that of a file if it ends like a weight file, has a query or is a local file.
    """
    parts = split(mirror)
    local_file = parts.scheme == "file" and Path(url2pathname(parts.path)).is_file()
    if _WEIGHT_NAME.search(parts.path) or parts.query or drive_id(mirror) or local_file:
        return mirror
    return f"{mirror.rstrip('/')}/{quote(file)}"


def direct(url: str) -> str:
    """The address of the file itself for links to a page about it, at Google Drive and GitHub."""
    if (file_id := drive_id(url)) is not None:
        key = parse_qs(urlsplit(url).query).get("resourcekey", [""])[0]
        more = f"&resourcekey={key}" if _DRIVE_KEY.fullmatch(key) else ""
        return f"https://drive.google.com/uc?export=download&id={file_id}{more}"
    if match := re.fullmatch(r"(https://github\.com/[^/?#]+/[^/?#]+)/blob/([^?#]+)", url):
        return f"{match[1]}/raw/{match[2]}"
    return url


def drive_id(url: str) -> str | None:
    """The id of a file that is shared at Google Drive, None for any other address."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or parts.hostname not in _DRIVE:
        return None
    match = re.fullmatch(r"/file/d/([^/]+)(?:/.*)?", parts.path)
    file_id = match[1] if match else parse_qs(parts.query).get("id", [""])[0]
    return file_id if _DRIVE_ID.fullmatch(file_id) else None
