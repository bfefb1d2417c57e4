"""A JPEG's segments, written byte by byte: which are handed on, and how many there may be."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from refusals import refuses

from cspbench.data import decode as module
from cspbench.data.decode import decode
from cspbench.data.jpeg_header import bare, exif, is_jpeg

START, END = b"\xff\xd8", b"\xff\xd9"
TABLE = 0xDB
SCAN = 0xDA
MOST = 4096
"""Segments, before the first scan and from there on."""


def segment(marker: int, data: bytes = b"") -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data


def file(*segments: bytes, pixels: bytes = b"\x12\xff\x00\x34", behind: bytes = b"") -> bytes:
    return START + b"".join(segments) + segment(SCAN, b"s") + pixels + END + behind


@pytest.mark.parametrize("data", [b"", b"\xff", b"\xff\xd8", b"\xff\xd8\x00", b"\xd8\xff\xff", b"\x89PNG"])
def test_what_does_not_begin_as_a_jpeg(data: bytes) -> None:
    assert not is_jpeg(data)
    assert is_jpeg(b"\xff\xd8\xff" + data)


METADATA = [*range(0xE1, 0xEE), 0xEF, 0xFE]


@pytest.mark.parametrize("marker", [*range(0xE0, 0xF0), 0xFE, TABLE, 0xC0, 0xC4, 0xDD])
def test_metadata_is_left_out_and_nothing_else(marker: int) -> None:
    """JFIF's segment and Adobe's say what the colours are."""
    part = segment(marker, b"data")
    kept, scans = bare(file(segment(TABLE, b"t"), part))
    assert kept == file(segment(TABLE, b"t"), *([] if marker in METADATA else [part]))
    assert scans == 1


def test_junk_between_the_segments_and_behind_the_end_is_left_out() -> None:
    part = segment(TABLE, b"t")
    assert bare(START + b"\0\0" + part + b"\xff\xff" + segment(SCAN, b"s") + b"\x12" + END + b"video")[0] == file(
        part, pixels=b"\x12"
    )
    assert bare(file(part, behind=END + END))[0] == file(part)
    assert bare(file(part)[:-2])[0] == file(part)[:-2]  # a file that was cut off: its decoder says so


@pytest.mark.parametrize(
    ("pixels", "scans"),
    [
        (b"", 1),
        (b"\xff\x00\xff\xd0\xff\xd7", 1),  # stuffed, and restarts
        (b"\x12" + segment(SCAN, b"s") + b"\x34", 2),
        (segment(0xC4, b"t") + segment(SCAN) + segment(SCAN), 3),
        (segment(0xC4, END) + segment(SCAN, b"\xff\xda"), 2),  # markers within a segment are none
    ],
)
def test_scans_are_counted(pixels: bytes, scans: int) -> None:
    assert bare(file(pixels=pixels, behind=b"junk")) == (file(pixels=pixels), scans)


def test_the_most_segments() -> None:
    """The first scan's header is one of them, and the end of the image is one among the pixels."""
    for count, fits in ((MOST - 2, True), (MOST - 1, True), (MOST, False)):
        parts = [segment(0xFE)] * count
        for data in (file(*parts), file(pixels=b"".join(parts))):
            if fits:
                assert bare(data)[0].endswith(END)
            else:
                with pytest.raises(ValueError, match=str(MOST)):
                    bare(data)


@pytest.mark.parametrize(
    "data",
    [
        START,
        START + b"\xff\xe0",
        START + b"\xff\xe0\0",
        START + segment(TABLE, b"t"),
        START + segment(TABLE, b"t")[:-1],
        START + b"\xff\xdb\0\1" + segment(SCAN),
        START + b"\xff\xdb\0\0" + segment(SCAN),
        *(START + segment(marker) + segment(SCAN) for marker in (0xD0, 0xD7, 0xD8, 0xD9, 0x01)),
    ],
)
def test_a_header_that_is_broken_or_cut_off(data: bytes) -> None:
    with pytest.raises(ValueError, match="header"):
        bare(data)


def test_the_first_exif_block() -> None:
    first, second = b"Exif\0\0first", b"Exif\0\0second"
    other = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0")
    assert exif(file(other, segment(0xE1, first), segment(0xE1, second))) == b"first"
    assert exif(file(segment(0xE2, first), segment(0xE1, second))) == b"second"
    assert exif(file(segment(0xE1, b"Exif\0\0"))) == b""
    assert exif(file(other, segment(0xE1, b"Exif\0"))) == b""
    assert exif(file()) == b""


# --- limits of an image


def picture(form: str, **options: object) -> bytes:
    """9x7 pixels."""
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (7, 9, 3), np.uint8)
    Image.fromarray(noise).save(stream, form, **options)
    return stream.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_the_most_pixels(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIXEL_LIMIT", 63)
    assert decode(picture(form)).shape == (7, 9, 3)
    monkeypatch.setattr(module, "PIXEL_LIMIT", 62)
    with refuses("image.undecodable", where="x", found="9x7 pixels, the limit is 62"):
        decode(picture(form), "x")


def test_the_most_scans(monkeypatch: pytest.MonkeyPatch) -> None:
    data = picture("JPEG", progressive=True)
    _, scans = bare(data)
    assert scans == data.count(b"\xff\xda") > 1
    monkeypatch.setattr(module, "SCAN_LIMIT", 63 * scans)
    assert decode(data).shape == (7, 9, 3)
    monkeypatch.setattr(module, "SCAN_LIMIT", 63 * scans - 1)
    with refuses("image.undecodable", found=f"{scans} scans of 9x7 pixels"):
        decode(data)
    assert decode(picture("JPEG")).shape == (7, 9, 3)


def test_the_most_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(picture("PNG"))
    monkeypatch.setattr(module, "FILE_LIMIT", path.stat().st_size)
    assert decode(path).shape == (7, 9, 3)
    monkeypatch.setattr(module, "FILE_LIMIT", path.stat().st_size - 1)
    with refuses("image.undecodable", where=str(path), found=f"more than {path.stat().st_size - 1} bytes"):
        decode(path)
