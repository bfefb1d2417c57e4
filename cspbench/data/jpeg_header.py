"""The segments of a JPEG file: those that decoding needs, and metadata.

Metadata (EXIF, colour profiles, previews, comments) changes no pixel in Darknet or timm. Pillow parses it anyway when
it opens a file, and hostile metadata makes that slow. After the image other data may follow, such as the video of a
motion photo. Therefore decoders get only the segments that they need.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

MOST_SEGMENTS = 4096
"""Before the first scan, and after it; a long colour profile and a large preview have a few hundred."""

START_OF_SCAN, END_OF_IMAGE = 0xDA, 0xD9
APP1 = 0xE1
METADATA = frozenset((*range(0xE1, 0xEE), 0xEF, 0xFE))
"""Comments, and application segments except those of JFIF and Adobe, which define the colours."""

_MARKER = re.compile(rb"\xff[^\x00\xff]")
_AMONG_PIXELS = re.compile(rb"\xff[\xc0-\xcf\xd9-\xfe]")
"""Markers that end a scan. Restart markers do not, and decoders skip all others."""
_ORIENTATION, _SHORT = 0x0112, 3


def is_jpeg(data: bytes) -> bool:
    return data.startswith(b"\xff\xd8\xff")


def bare(data: bytes) -> tuple[bytes, int]:
    """The file without metadata, junk between the segments of its header, and data after the image.

    And its number of scans: 1, or about ten in a progressive file. Raises `ValueError` if the file ends within its
    header, or has too many segments.
    """
    segments = list(_segments(data))
    needed = [b"\xff" + data[begin - 1 : end] for marker, begin, end in segments if marker not in METADATA]
    begin = segments[-1][2]
    end, scans = _pixels(data, begin)
    return b"".join([data[:2], *needed, data[begin:end]]), scans


def ends(data: bytes) -> bool:
    """Whether a `bare` file has an end of image marker."""
    return data.endswith(bytes((0xFF, END_OF_IMAGE)))


def exif(data: bytes) -> bytes:
    """The first EXIF block, or no bytes."""
    for marker, begin, end in _segments(data):
        if marker == APP1 and data[begin + 2 : begin + 8] == b"Exif\0\0":
            return data[begin + 8 : end]
    return b""


def _pixels(data: bytes, at: int) -> tuple[int, int]:
    """The end of the image and its number of scans, from the end of the first scan's header on."""
    scans = 1
    for _ in range(MOST_SEGMENTS):
        match = _AMONG_PIXELS.search(data, at)
        if match is None:
            return len(data), scans
        marker, at = data[match.end() - 1], match.end()
        if marker == END_OF_IMAGE:
            return at, scans
        scans += marker == START_OF_SCAN
        # skip the segment, which may hold bytes that look like markers; its length includes its own two bytes
        at += max(2, int.from_bytes(data[at : at + 2], "big"))
    raise ValueError(f"more than {MOST_SEGMENTS} segments among the pixels")


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, begin and end of each segment up to the first scan's header; junk in between is skipped."""
    at = 2
    for _ in range(MOST_SEGMENTS):
        match = _MARKER.search(data, at)
        if match is None or len(data) < match.end() + 2:
            raise ValueError("the file ends within its header")
        marker, begin = data[match.end() - 1], match.end()
        (length,) = struct.unpack_from(">H", data, begin)
        at = begin + length
        if 0xD0 <= marker <= 0xD9 or marker == 1 or length < 2 or at > len(data):
            raise ValueError("the header is damaged or truncated")
        yield marker, begin, at
        if marker == START_OF_SCAN:
            return
    raise ValueError(f"more than {MOST_SEGMENTS} segments before the pixels")


def orientation(block: bytes) -> int:
    """The orientation in an EXIF block, 1 to 8; without a valid one 1, which is upright."""
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
