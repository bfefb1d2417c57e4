"""A JPEG file's segments: what decoding needs, and what else a file may carry.

Metadata (EXIF, colour profiles, previews, comments) changes no pixel in Darknet or timm. Pillow parses it all the same
when a file is opened, in ways that hostile metadata makes slow. Behind the image anything may follow, such as the video
of a motion photo. So only what decoding needs is handed on.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

MOST_SEGMENTS = 4096
"""Before the first scan, and from there on; a long colour profile and a large preview make a few hundred."""

START_OF_SCAN, END_OF_IMAGE = 0xDA, 0xD9
APP1 = 0xE1
METADATA = frozenset((*range(0xE1, 0xEE), 0xEF, 0xFE))
"""Application segments but JFIF's and Adobe's, which say what the colours are, and comments."""

_MARKER = re.compile(rb"\xff[^\x00\xff]")
_AMONG_PIXELS = re.compile(rb"\xff[\xc0-\xcf\xd9-\xfe]")
"""Markers that end a scan. Restarts do not, and a decoder passes over what else may stand there."""
_ORIENTATION, _SHORT = 0x0112, 3


class Bare(NamedTuple):
    """A file's bytes as a decoder needs them, and how many times they go over the pixels."""

    data: bytes
    scans: int
    """1, or some ten in a progressive file."""


def is_jpeg(data: bytes) -> bool:
    """Whether the bytes begin as a JPEG file's do."""
    return data.startswith(b"\xff\xd8\xff")


def bare(data: bytes) -> Bare:
    """The file without metadata, without junk between the segments of its header and without what follows its end.

    `ValueError` where it ends within its header, or has too many segments.
    """
    segments = list(_segments(data))
    kept = [b"\xff" + data[begin - 1 : end] for marker, begin, end in segments if marker not in METADATA]
    begin = segments[-1][2]
    end, scans = _pixels(data, begin)
    return Bare(b"".join([data[:2], *kept, data[begin:end]]), scans)


def ends(needed: bytes) -> bool:
    """Whether a file, as `bare` gives it, has its end of image."""
    return needed.endswith(bytes((0xFF, END_OF_IMAGE)))


def exif(data: bytes) -> bytes:
    """The first EXIF block, or nothing."""
    for marker, begin, end in _segments(data):
        if marker == APP1 and data[begin + 2 : begin + 8] == b"Exif\0\0":
            return data[begin + 8 : end]
    return b""


def _pixels(data: bytes, at: int) -> tuple[int, int]:
    """From behind the first scan's header on: where the image ends, and its scans."""
    scans = 1
    for _ in range(MOST_SEGMENTS):
        found = _AMONG_PIXELS.search(data, at)
        if found is None:
            return len(data), scans
        marker, at = data[found.end() - 1], found.end()
        if marker == END_OF_IMAGE:
            return at, scans
        scans += marker == START_OF_SCAN
        # bytes within a segment are no markers, whatever they look like; the length counts its own two bytes
        at += max(2, int.from_bytes(data[at : at + 2], "big"))
    raise ValueError(f"more than {MOST_SEGMENTS} segments among the pixels")


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, and begin and end of what follows it, up to the first scan's header; junk in between is skipped."""
    at = 2
    for _ in range(MOST_SEGMENTS):
        found = _MARKER.search(data, at)
        if found is None or len(data) < found.end() + 2:
            raise ValueError("the file ends within its header")
        marker, begin = data[found.end() - 1], found.end()
        (length,) = struct.unpack_from(">H", data, begin)
        at = begin + length
        if 0xD0 <= marker <= 0xD9 or marker == 1 or length < 2 or at > len(data):
            raise ValueError("the header is broken, or cut off")
        yield marker, begin, at
        if marker == START_OF_SCAN:
            return
    raise ValueError(f"more than {MOST_SEGMENTS} segments before the pixels")


def orientation(block: bytes) -> int:
    """How an EXIF block says that the image is to be turned, 1 to 8; 1, as it is, where it says nothing usable."""
    block = block.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None or len(block) < 8:
        return 1
    (at,) = struct.unpack_from(f"{order}I", block, 4)
    if at + 2 > len(block):
        return 1
    (count,) = struct.unpack_from(f"{order}H", block, at)
    for entry in range(at + 2, min(at + 2 + 12 * count, len(block) - 11), 12):
        tag, kind, _, value = struct.unpack_from(f"{order}HHIH", block, entry)
        if tag == _ORIENTATION and kind == _SHORT:
            return value if 1 <= value <= 8 else 1
    return 1
