"""JPEG files to the very pixels that Darknet built without OpenCV sees: those of stb_image's decoder.

JPEG leaves rounding to the decoder. libjpeg, which Pillow and OpenCV use, and stb_image differ in a level here and
there: in the inverse cosine transform, in chroma upsampling, and most in green. That moves a detector's scores by 1e-4
to 1e-2. Here libjpeg does the entropy decoding, the coefficients are recovered from its samples, and the rest is done
as stb_image does it.

A coefficient is recovered by transforming the samples back, which their rounding blurs where a quantisation step is
small. So the file is decoded again with larger steps in its tables, and without the constant term, which alone would
take the samples out of range. A block counts as recovered when libjpeg's own transform gives its samples again; others,
few, keep those.

Source: stb_image.h 2.x, stbi__idct_block, stbi__resample_row_hv_2, stbi__YCbCr_to_RGB_row; libjpeg's jidctint.c.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Bytes8 = NDArray[np.uint8]
Ints = NDArray[np.int32]
Floats = NDArray[np.float64]

_AMPLITUDES = np.sqrt(np.array([1] + [2] * 7) / 8)
COSINES: Floats = _AMPLITUDES[:, None] * np.cos(np.outer(np.arange(8), 2 * np.arange(8) + 1) * np.pi / 16)
"""The orthonormal 8-point transform, frequency by place."""

ZIGZAG = np.array(sorted(range(64), key=lambda at: (at // 8 + at % 8, at // 8 if (at // 8 + at % 8) % 2 else at % 8)))
"""The place, 8 * vertical + horizontal frequency, of each number of a table in a file."""

CLEAR_STEP = 4
"""From this quantisation step on, a rounded sample leaves no doubt about a coefficient."""


@dataclass(frozen=True)
class _Frame:
    """What a JPEG file's header says, and where."""

    data: bytes
    size_at: int
    """Of the two bytes of height, before the two of width."""
    height: int
    width: int
    sampling: tuple[int, int]
    """Of the luma per chroma sample, horizontally and vertically."""
    table_of: tuple[int, ...]
    """Quantisation table of each component."""
    tables: dict[int, tuple[int, int]]
    """Where each table's 64 numbers are, and the bytes of a number."""

    def steps(self, table: int) -> NDArray[np.int64]:
        """A quantisation table, (8, 8), vertical frequency first."""
        at, width = self.tables[table]
        values = np.frombuffer(self.data, ">u2" if width == 2 else np.uint8, 64, at)
        found = np.empty(64, np.int64)
        found[ZIGZAG] = values
        return found.reshape(8, 8)

    def with_steps(self, steps: dict[int, NDArray[np.int64]]) -> bytes:
        """The file with other tables, and with an extent in whole blocks, so that those at the edge can be seen whole."""
        changed = bytearray(self.data)
        blocks = 8 * self.sampling[0], 8 * self.sampling[1]
        height, width = (-(-self.height // blocks[1]) * blocks[1], -(-self.width // blocks[0]) * blocks[0])
        struct.pack_into(">HH", changed, self.size_at, height, width)
        for table, values in steps.items():
            at, size = self.tables[table]
            numbers = values.reshape(64)[ZIGZAG].astype(">u2" if size == 2 else np.uint8)
            changed[at : at + 64 * size] = numbers.tobytes()
        return bytes(changed)


def decode(data: bytes) -> Bytes8 | None:
    """The pixels, uint8 (H, W, 3), of a JPEG file; None for one that this does not know how to read.

    Grey, 4:4:4 and 4:2:0 files are known, baseline or progressive; not those with RGB or CMYK inside, with other
    subsampling, or broken ones.
    """
    frame = _frame(data)
    if frame is None:
        return None
    tables = {table: frame.steps(table) for table in set(frame.table_of)}
    decoded = _components(frame, tables)
    again = [_components(frame, {key: _clearer(steps, half) for key, steps in tables.items()}) for half in range(3)]
    planes = [
        _as_stb(plane, [other[at] for other in again], tables[table])
        for at, (plane, table) in enumerate(zip(decoded, frame.table_of, strict=True))
    ]
    luma = planes[0][: frame.height, : frame.width]
    if len(planes) == 1:
        return np.repeat(luma[:, :, None], 3, 2)
    if frame.sampling == (2, 2):
        chroma = [_doubled(plane, frame.height, frame.width) for plane in planes[1:]]
    else:
        chroma = [plane[: frame.height, : frame.width] for plane in planes[1:]]
    return _rgb(luma, *chroma)
