"""How an image is to be turned: EXIF blocks written byte by byte, and the eight turns of one picture."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cspbench.data.jpeg_header import exif, orientation
from cspbench.data.presets import preset

ORIENTATION, MAKE = 0x0112, 0x010F
BYTE, ASCII, SHORT, LONG = 1, 2, 3, 4
Entry = tuple[int, int, int]
"""Tag, type, value."""


def block(*entries: Entry, order: str = "<", at: int = 8, count: int | None = None, end: bytes = bytes(4)) -> bytes:
    """A TIFF header and one directory; behind its entries the place of the next one, which is none."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    directory = struct.pack(f"{order}H", len(entries) if count is None else count)
    for tag, kind, value in entries:
        # a short lies in the first two of the four bytes
        stored = struct.pack(f"{order}I" if kind == LONG else f"{order}Hxx", value)
        directory += struct.pack(f"{order}HHI", tag, kind, 1) + stored
    return (mark + struct.pack(f"{order}I", at)).ljust(at, b"\xaa") + directory + end


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("value", "turn"), [*((value, value) for value in range(1, 9)), (0, 1), (9, 1), (256, 1), (1536, 1), (65535, 1)]
)
def test_the_eight_turns_in_both_byte_orders(order: str, value: int, turn: int) -> None:
    written = block((ORIENTATION, SHORT, value), order=order)
    assert orientation(written) == turn
    assert orientation(b"Exif\0\0" + written) == turn


TURNED = (ORIENTATION, SHORT, 6)
OTHER = (MAKE, SHORT, 8)


@pytest.mark.parametrize(
    ("written", "turn"),
    [
        (block(TURNED, OTHER, OTHER), 6),
        (block(OTHER, OTHER, TURNED), 6),
        (block(OTHER, OTHER), 1),
        (block(), 1),
        (block(TURNED, (ORIENTATION, SHORT, 3)), 6),  # the first of two
        (block((ORIENTATION, SHORT, 9), TURNED), 1),
        (block(TURNED, at=9), 6),
        (block(TURNED, at=100), 6),
        # an entry that ends the block, as where the next directory's place was left out
        (block(TURNED, end=b""), 6),
        (block(OTHER, OTHER, TURNED, end=b""), 6),
        (block(TURNED, end=b"")[:-1], 1),
        (block(OTHER, TURNED, end=b"")[:-1], 1),
        # a number of entries that lies
        (block(OTHER, TURNED, count=1), 1),
        (block(TURNED, count=0), 1),
        (block(OTHER, TURNED, count=3, end=b""), 6),
        (block(OTHER, TURNED, count=65535, end=b""), 6),
        # other types than a short
        (block((ORIENTATION, LONG, 6)), 1),
        (block((ORIENTATION, BYTE, 6)), 1),
        (block((ORIENTATION, ASCII, 6)), 1),
        (block((ORIENTATION, LONG, 6), TURNED), 6),
    ],
)
def test_where_the_entry_lies(written: bytes, turn: int) -> None:
    assert orientation(written) == turn


@pytest.mark.parametrize(
    "written",
    [
        b"",
        b"II*\0",
        b"II*\0\x08\0\0",  # one byte short of a place
        b"II*\0\x08\0\0\0",
        b"II*\0\x08\0\0\0\x01",
        b"II*\0\x08\0\0\0\x01\0",
        b"II*\0\xff\xff\xff\xff" + bytes(40),
        b"XX" + block(TURNED)[2:],
        b"II\0*" + block(TURNED)[4:],
        b"MM*\0" + block(TURNED, order=">")[4:],
        b"\0" + block(TURNED),
    ],
)
def test_a_block_that_says_nothing_usable_turns_nothing(written: bytes) -> None:
    assert orientation(written) == 1


@pytest.mark.parametrize("behind", [0, 1, 2, 100])
def test_a_directory_behind_the_end(behind: int) -> None:
    written = block(TURNED)
    assert orientation(written[:4] + struct.pack("<I", len(written) + behind - 1) + written[8:]) == 1


# --- the eight turns of one picture (EXIF 2.3, tag 274): which side of the scene the rows and columns begin with

SCENE = np.array([[10, 60, 110], [160, 200, 240]], np.uint8)
"""As it is to be seen."""
STORED = {
    1: [[10, 60, 110], [160, 200, 240]],  # rows from the top, columns from the left
    2: [[110, 60, 10], [240, 200, 160]],  # from the top, from the right
    3: [[240, 200, 160], [110, 60, 10]],  # from the bottom, from the right
    4: [[160, 200, 240], [10, 60, 110]],  # from the bottom, from the left
    5: [[10, 160], [60, 200], [110, 240]],  # from the left, from the top
    6: [[110, 240], [60, 200], [10, 160]],  # from the right, from the top
    7: [[240, 110], [200, 60], [160, 10]],  # from the right, from the bottom
    8: [[160, 10], [200, 60], [240, 110]],  # from the left, from the bottom
}


def blocks(cells: NDArray[np.uint8], side: int = 16) -> NDArray[np.uint8]:
    """Grey cells of 16x16 pixels, so that compression leaves them as they are."""
    return cells.repeat(side, 0).repeat(side, 1)[:, :, None].repeat(3, 2)


def encoded(cells: NDArray[np.uint8], form: str, turn: int) -> bytes:
    stream = io.BytesIO()
    metadata = b"Exif\0\0" + block((ORIENTATION, SHORT, turn))
    options = {"quality": 100, "subsampling": 0} if form == "JPEG" else {}
    Image.fromarray(blocks(cells)).save(stream, form, exif=metadata, **options)
    return stream.getvalue()


@pytest.mark.parametrize("turn", STORED)
def test_a_preset_that_obeys_exif_sees_the_scene(turn: int) -> None:
    """Whatever the order in which the picture was stored. The other presets take it as it lies there."""
    data = encoded(np.array(STORED[turn], np.uint8), "JPEG", turn)
    assert orientation(exif(data)) == turn
    upright = preset("mmpretrain").prepare(blocks(SCENE), 16)
    np.testing.assert_allclose(preset("mmpretrain").load(data, 16, "x"), upright, atol=0.02)
    stored = preset("timm").prepare(blocks(np.array(STORED[turn], np.uint8)), 16)
    np.testing.assert_allclose(preset("timm").load(data, 16, "x"), stored, atol=0.02)
