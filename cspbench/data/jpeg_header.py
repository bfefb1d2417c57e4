"""A JPEG file's segments before its pixels: what decoding needs, and what else a file may carry.

Metadata (EXIF, colour profiles, previews, comments) changes no pixel in Darknet or timm. Pillow parses it all the same
when a file is opened, in ways that hostile metadata makes slow. So only what decoding needs is handed on.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

MOST_SEGMENTS = 4096
"""Before the first scan; a file with a long colour profile and a large preview has a few hundred."""

START_OF_SCAN = 0xDA
APP1 = 0xE1
METADATA = frozenset((*range(0xE1, 0xEE), 0xEF, 0xFE))
"""Application segments but JFIF's and Adobe's, which say what the colours are, and comments."""

_MARKER = re.compile(rb"\xff[^\x00\xff]")
_ORIENTATION, _SHORT = 0x0112, 3


def is_jpeg(data: bytes) -> bool:
    """Whether the bytes begin as a JPEG file's do."""
    return data.startswith(b"\xff\xd8\xff")


def bare(data: bytes) -> bytes:
    """The file without metadata and without junk between its segments; `ValueError` where it ends within its header."""
    segments = list(_segments(data))
    kept = [b"\xff" + data[begin - 1 : end] for marker, begin, end in segments if marker not in METADATA]
    return b"".join([data[:2], *kept, data[segments[-1][2] :]])


def exif(data: bytes) -> bytes:
    """The first EXIF block, or nothing."""
    for marker, begin, end in _segments(data):
        if marker == APP1 and data[begin + 2 : begin + 8] == b"Exif\0\0":
            return data[begin + 8 : end]
    return b""


def scans(data: bytes) -> int:
    """How many times the file goes over its pixels: 1, or some ten in a progressive file."""
    return data.count(b"\xff\xda")


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
