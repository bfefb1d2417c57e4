"""JPEG files to the very pixels that Darknet built without OpenCV sees: those of stb_image's decoder.

JPEG leaves rounding to the decoder. libjpeg, which Pillow and OpenCV use, and stb_image differ by a level here and
there: in the inverse cosine transform, in chroma upsampling and in green. That moves a detector's scores by 1e-4 to
1e-2. Here libjpeg does the entropy decoding, the coefficients are recovered from its samples, and all else is done as
stb_image does it.

Source: stb_image.h 2.x (stbi__resample_row_hv_2, stbi__YCbCr_to_RGB_row).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from cspbench.data import jpeg_header
from cspbench.data.decode import opened
from cspbench.data.jpeg_blocks import Component, Integers, Samples, blocks
from cspbench.errors import BadImageError

Steps = dict[int, Integers]
"""Quantisation tables by number, (8, 8) each, vertical frequency first."""

FREQUENCY = np.add.outer(np.arange(8), np.arange(8))
ZIGZAG = sorted(range(64), key=lambda at: (at // 8 + at % 8, at // 8 if (at // 8 + at % 8) % 2 else at % 8))
"""The place, 8 * vertical + horizontal frequency, of each number of a table in a file."""

LARGEST = 1 << 22
"""Pixels; a larger image of noise would take more than ten seconds."""
LONGEST = 65_500
"""Pixels of a side, as in libjpeg: rounded up to whole blocks, it is still a number that a file can hold."""
MOST_SCANS = 32
"""Of a progressive file, which is decoded some ten times."""

FEW = 0.002
"""Share of a component's blocks for which the file is not decoded again."""

PASSES = (
    ((4, 1, 14),),
    tuple((least, low, high) for least in (2, 3) for low, high in ((1, 1), (2, 2), (3, 4), (5, 14))),
)
"""Of each further decoding: the smallest quantisation step, and the frequencies from and to. Larger steps leave less
doubt but more samples out of range; where several apply the last one counts.
"""


@dataclass(frozen=True)
class _Frame:
    """What a JPEG file's header says, and where."""

    data: bytes
    extent_at: int
    """Of the two bytes of height, before the two of width."""
    height: int
    width: int
    whole: int
    """Pixels, a multiple of which the extent can be said to be without changing what the file's blocks are."""
    halved: bool
    """Chroma has half the height and width."""
    table_of: tuple[int, ...]
    """Quantisation table of each component."""
    tables: dict[int, tuple[int, str]]
    """Where each table is, and the type of its numbers."""

    def steps(self) -> Steps:
        found = {}
        for table in set(self.table_of):
            at, kind = self.tables[table]
            found[table] = np.empty(64, np.int32)
            found[table][ZIGZAG] = np.frombuffer(self.data, kind, 64, at)
        return {table: values.reshape(8, 8) for table, values in found.items()}

    def decoded(self, steps: Steps) -> list[Samples]:
        """Libjpeg's samples of each component, before any upsampling, with these tables; whole blocks at the edges."""
        changed = bytearray(self.data)
        extent = (-(-self.height // self.whole) * self.whole, -(-self.width // self.whole) * self.whole)
        struct.pack_into(">HH", changed, self.extent_at, *extent)
        for table, values in steps.items():
            at, kind = self.tables[table]
            numbers = values.reshape(64)[ZIGZAG].astype(kind).tobytes()
            changed[at : at + len(numbers)] = numbers
        full = _libjpeg(bytes(changed), 1)
        if full.ndim == 2:
            return [full]
        # at half its size an image's halved chroma comes as it is
        chroma = _libjpeg(bytes(changed), 2) if self.halved else full
        return [full[..., 0], chroma[..., 1], chroma[..., 2]]


def decode(data: bytes) -> Samples | None:
    """The pixels, uint8 (H, W, 3), of a JPEG file; None for one that this cannot read so.

    It can read grey, 4:4:4 and 4:2:0 files, baseline or progressive; not those with RGB or CMYK inside, with other
    subsampling, of more than 4 million pixels, or broken.
    """
    if not jpeg_header.is_jpeg(data):
        return None
    try:
        bare = jpeg_header.bare(data)
        frame = _frame(bare.data) if bare.scans <= MOST_SCANS else None
    except (struct.error, ValueError, IndexError):
        return None  # it ends within its header
    try:
        planes = _planes(frame) if frame else []
    except BadImageError:
        return None
    if not frame or not planes:
        return None
    height, width = frame.height, frame.width
    luma = planes[0][:height, :width]
    if len(planes) == 1:
        return np.repeat(luma[:, :, None], 3, 2)
    if frame.halved:
        return _rgb(luma, *(_doubled(plane, height, width) for plane in planes[1:]))
    return _rgb(luma, *(plane[:height, :width].astype(np.int32) for plane in planes[1:]))


def _frame(data: bytes) -> _Frame | None:
    """The header, if it is of a kind that can be read here."""
    at = 2
    tables: dict[int, tuple[int, str]] = {}
    components: list[tuple[int, int, int]] = []
    extent_at = height = width = 0
    progressive = False
    while data[at] == 0xFF:
        marker, length = struct.unpack_from(">xBH", data, at)
        here, at = at + 4, at + 2 + length
        if marker == 0xDB:  # quantisation tables
            while here < at:
                kind = ">u2" if data[here] >> 4 else "u1"
                tables[data[here] & 15] = (here + 1, kind)
                here += 1 + 64 * np.dtype(kind).itemsize
            if here != at:
                return None
        elif marker in (0xC0, 0xC1, 0xC2):  # the frame: baseline, extended or progressive
            precision, height, width, count = struct.unpack_from(">BHHB", data, here)
            extent_at, progressive = here + 1, marker == 0xC2
            components = [struct.unpack_from("BBB", data, here + 6 + 3 * each) for each in range(count)]
            if precision != 8 or not 0 < height * width <= LARGEST or max(height, width) > LONGEST:
                return None
        elif marker == 0xEE and data[here : here + 5] == b"Adobe" and data[here + 11] != 1:
            return None  # no YCbCr
        elif marker == 0xDA:  # the first scan
            interleaved = data[here] == len(components) and not progressive
            break
    else:
        return None
    sampling = [each for _, each, _ in components]
    if len(components) not in (1, 3) or bytes(each for each, _, _ in components) == b"RGB":
        return None
    halved = len(components) == 3 and sampling == [0x22, 0x11, 0x11]
    if b"\xff\xdb" in data[at:] or not (halved or set(sampling) == {0x11} or len(components) == 1):
        return None
    used = tuple(table for _, _, table in components)
    if not tables.keys() >= set(used):
        return None
    frame = _Frame(data, extent_at, height, width, 16 if halved and interleaved else 8, halved, used, tables)
    return frame if all(table.all() for table in frame.steps().values()) else None


def _libjpeg(data: bytes, scale: int) -> Samples:
    with opened(data, "JPEG") as image:
        image.draft("YCbCr" if image.mode == "RGB" else None, (image.width // scale, image.height // scale))
        return np.asarray(image)


def _planes(frame: _Frame) -> list[Samples]:
    """Each component's samples as stb_image has them."""
    steps = frame.steps()
    planes = [plane.copy() for plane in frame.decoded(steps)]
    parts = [Component(blocks(plane), steps[table]) for plane, table in zip(planes, frame.table_of, strict=True)]
    for bands in PASSES:
        if all(np.count_nonzero(~part.known) <= FEW * len(part.known) for part in parts):
            break
        others = [_clearer(steps, *band) for band in bands]
        decoded = [frame.decoded(other) for other in others]
        for at, part in enumerate(parts):
            part.retry(
                [(blocks(each[at]), other[frame.table_of[at]]) for each, other in zip(decoded, others, strict=True)]
            )
    for plane, part in zip(planes, parts, strict=True):
        rows, columns = (side // 8 for side in plane.shape)
        whole = part.as_stb().reshape(rows, columns, 8, 8).transpose(0, 2, 1, 3)
        plane[: 8 * rows, : 8 * columns] = whole.reshape(8 * rows, 8 * columns)
    return planes


def _clearer(steps: Steps, least: int, low: int, high: int) -> Steps:
    """Tables with steps of at least that for some frequencies, and nothing of the others."""
    within = (low <= FREQUENCY) & (high >= FREQUENCY)
    return {table: np.where(within, np.maximum(values, least), 0).astype(np.int32) for table, values in steps.items()}


def _doubled(plane: Samples, height: int, width: int) -> Integers:
    """Chroma of half the height and width, (height, width): three parts of the nearer sample to one of the other."""
    near = np.arange(height) // 2
    low = plane[: near[-1] + 1, : (width + 1) // 2].astype(np.int32)
    far = (near + np.where(np.arange(height) % 2, 1, -1)).clip(0, len(low) - 1)
    mixed = 3 * low[near] + low[far]
    found = np.empty((height, 2 * low.shape[1]), np.int32)
    found[:, 0], found[:, -1] = (mixed[:, 0] + 2) >> 2, (mixed[:, -1] + 2) >> 2
    found[:, 1:-1:2] = (3 * mixed[:, :-1] + mixed[:, 1:] + 8) >> 4
    found[:, 2::2] = (3 * mixed[:, 1:] + mixed[:, :-1] + 8) >> 4
    return found[:, :width]


def _rgb(luma: Samples, blue: Integers, red: Integers) -> Samples:
    """Pixels (H, W, 3) of luma and chroma; green loses the lower bits of one product on the way."""
    level, blue, red = (luma.astype(np.int32) << 20) + (1 << 19), blue - 128, red - 128
    green = (blue * -_color(0.34414)) & ~0xFFFF
    channels = (level + red * _color(1.402), level - red * _color(0.71414) + green, level + blue * _color(1.772))
    found = np.empty((*luma.shape, 3), np.uint8)
    for at, channel in enumerate(channels):
        found[..., at] = (channel >> 20).clip(0, 255)
    return found


def _color(factor: float) -> int:
    return int(np.float32(factor) * np.float32(4096) + np.float32(0.5)) << 8
