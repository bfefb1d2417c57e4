"""Hostile image files: bombs of every format, odd kinds of pixels, EXIF that turns, and random damage."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contract import chosen, fuzz, refused, result_of
from hypothesis import given
from numpy.typing import NDArray
from PIL import Image

from cspbench.data import detection_presets, presets
from cspbench.data.check import check
from cspbench.data.decode import DECODERS, PIXEL_LIMIT, decode
from cspbench.data.imagenet import scan
from cspbench.detection.detector import DarknetDetector
from cspbench.errors import BadImageError

Preset = presets.ClassificationPreset | detection_presets.DetectionPreset
PRESETS: dict[str, Preset] = {**presets.PRESETS, **detection_presets.PRESETS}


def file(image: Image.Image, form: str = "JPEG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def png(width: int, height: int, *chunks: tuple[bytes, bytes], kind: tuple[int, int] = (8, 2)) -> bytes:
    """A PNG of a size, a bit depth and a colour type, put together by hand."""
    header = struct.pack(">IIBBBBB", width, height, *kind, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IEND", b"")]
    packed = [struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
              for name, data in parts]  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def inserted(segment: bytes) -> bytes:
    """A JPEG file with something more before its pixels."""
    whole = file(Image.fromarray(noise(16, 16, 3)))
    return whole[:2] + segment + whole[2:]


def segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def load(
    preset: presets.ClassificationPreset | detection_presets.DetectionPreset,
    data: bytes,
    size: tuple[int, int],
    name: str,
) -> Any:
    """The input that a network gets; a detector's with the image's size."""
    if isinstance(preset, detection_presets.DetectionPreset):
        return DarknetDetector((), size, preset).load(data, name)
    return preset.load(data, size, name)


def load_all(data: bytes) -> None:
    """Give the bytes to every preset; each must keep the contract."""
    for preset in PRESETS.values():
        result_of(lambda preset=preset: load(preset, data, (32, 32), "x.jpg"), Path("x.jpg"))  # type: ignore[misc]


COLOUR = Image.fromarray(noise(24, 20, 3))
EXIF = Image.Exif()
EXIF[0x0112] = 6
WHOLES = [
    file(COLOUR, exif=EXIF),
    file(COLOUR, subsampling=0, quality=100),
    file(COLOUR, progressive=True),
    file(COLOUR.convert("L")),
    file(COLOUR.convert("CMYK")),
    file(COLOUR, "PNG", exif=EXIF),
    file(COLOUR.convert("P"), "PNG", transparency=3),
    file(Image.fromarray(noise(24, 20).astype(np.uint16) * 257), "PNG"),
    file(COLOUR, "GIF"),
    file(COLOUR, "BMP"),
    file(COLOUR, "WEBP"),
    file(COLOUR, "PPM"),
]


def test_the_whole_files_are_decoded() -> None:
    assert [decode(data).shape for data in WHOLES] == [(24, 20, 3)] * len(WHOLES)


@fuzz(200)
@given(data=chosen(WHOLES))
def test_damaged_images(data: bytes) -> None:
    result = result_of(lambda: decode(data, "x.jpg", decoder="opencv"), Path("x.jpg"))
    if not isinstance(result, BadImageError):
        assert isinstance(result, np.ndarray)
        assert result.dtype == np.uint8
        assert (result.ndim, result.shape[2]) == (3, 3)
    load_all(data)


@fuzz(40)
@given(data=chosen(WHOLES))
def test_a_check_of_damaged_images(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp() / "damaged" / "n01440764"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.JPEG").write_bytes(data)
    for full in (False, True):
        report = result_of(lambda full=full: check(scan(folder.parent), full=full))  # type: ignore[misc]
        assert report.images == 1  # type: ignore[union-attr]


def scans(side: int, count: int, between: bytes = b"") -> bytes:
    """A progressive JPEG of one colour that goes over its pixels so many times, with something after the first."""
    first, *others = file(Image.new("L", (side, side), 128), progressive=True).split(b"\xff\xda")
    others += [others[-1].removesuffix(b"\xff\xd9")] * (count - len(others))
    others[0] += between
    return b"\xff\xda".join([first, *(other.removesuffix(b"\xff\xd9") for other in others)]) + b"\xff\xd9"


def run_length(width: int) -> bytes:
    """A BMP of one line that is filled up from its first pixel on."""
    header = struct.pack("<IIIHHIIIIII", 40, width, 1, 1, 8, 1, 0, 0, 0, 256, 0)
    return b"BM" + struct.pack("<III", 0, 0, 54 + 1024) + header + bytes(1024) + b"\1\5\0\0\0\1"


DEEP = zlib.compress(bytes(2**28))
LONG = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"".join(
    struct.pack("<HHII", 0x300 + at, 7, 60_000, 8) for at in range(5400)
)
BOMBS = {
    "65500x65500": file(Image.new("L", (8, 8))).replace(struct.pack(">HH", 8, 8), struct.pack(">HH", 65500, 65500)),
    "scans": scans(4096, 120),
    "scans after what looks like the end": scans(4096, 120, segment(0xFE, b"\xff\xd9")),
    "comments among scans": scans(16, 9, segment(0xFE, b"") * 1_000_000),
    "png": png(2**31 - 1, 2**31 - 1, (b"IDAT", zlib.compress(b""))),
    "png within the limit": png(8192, 8192, (b"IDAT", zlib.compress(b""))),
    "zTXt": png(4, 4, (b"zTXt", b"a\0\0" + DEEP), (b"IDAT", zlib.compress(bytes(52)))),
    "iTXt": png(4, 4, (b"iTXt", b"a\0\1\0\0\0" + DEEP), (b"IDAT", zlib.compress(bytes(52)))),
    "iCCP": png(4, 4, (b"iCCP", b"a\0\0" + DEEP), (b"IDAT", zlib.compress(bytes(52)))),
    "run-length BMP": run_length(PIXEL_LIMIT),
    "PPM in words": b"P3 4000 4000 255\n" + b"1 0 " * 4_000_000,
    "PPM of 254 levels": b"P6 2000 2000 254\n" + bytes(12_000_000),
    "comments": inserted(segment(0xFE, b"") * 1_000_000),
    "EXIF blocks": inserted(segment(0xE1, b"Exif\0\0ab") * 500_000),
    "frames": inserted(segment(0xC0, bytes((8, 0, 8, 0, 8, 1, 1, 0x11, 0))) * 500_000),
    "a TIFF": b"II*\0\x08\0\0\0\xff\xff" + b"".join(struct.pack("<HHII", at, 7, 780_000, 8) for at in range(65535)),
    "nothing": b"",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused(name: str) -> None:
    for decoder in DECODERS:
        refused(
            lambda decoder=decoder: decode(BOMBS[name], "bomb.jpg", decoder),  # type: ignore[misc]
            "image.undecodable",
            Path("bomb.jpg"),
        )


@pytest.mark.parametrize(
    "data",
    [
        inserted(b"\xff" * 1_000_000),
        inserted(b"\xff\x00" * 100_000 + b"junk"),
        inserted(segment(0xE1, LONG)),
        inserted(segment(0xE1, LONG) * 20),
        inserted(segment(0xE2, b"ICC_PROFILE\0\1\2junk") * 1000),
        png(4, 4, (b"eXIf", LONG[6:]), (b"IDAT", zlib.compress(bytes(52)))),
        png(4, 4, *[(b"IDAT", b"")] * 50_000, (b"IDAT", zlib.compress(bytes(52)))),
    ],
    ids=["fill", "junk", "EXIF", "EXIF twenty times", "profiles", "EXIF in PNG", "parts"],
)
def test_what_surrounds_the_pixels_costs_nothing(data: bytes) -> None:
    result = result_of(lambda: decode(data, decoder="opencv"))
    assert isinstance(result, np.ndarray)
    load_all(data)


def test_large_images_within_the_limit() -> None:
    for form, mode in (("PNG", "RGBA"), ("JPEG", "CMYK"), ("GIF", "P")):
        data = file(Image.new(mode, (2500, 2500)), form)
        result = result_of(lambda data=data: decode(data))  # type: ignore[misc]
        assert isinstance(result, np.ndarray)
        assert result.shape == (2500, 2500, 3)


@pytest.mark.parametrize("size", [(65535, 8), (8, 65535), (65500, 8), (8, 65500)])
def test_jpeg_files_that_claim_the_longest_sides(size: tuple[int, int]) -> None:
    width, height = size
    whole = file(Image.new("L", (8, 8)))
    lying = whole.replace(struct.pack(">HH", 8, 8), struct.pack(">HH", height, width))
    result = result_of(lambda: decode(lying, "x.jpg", "stb"), Path("x.jpg"))
    assert isinstance(result, BadImageError) or (isinstance(result, np.ndarray) and result.shape == (height, width, 3))
    load_all(lying)


@pytest.mark.parametrize("size", [(1, 1), (20000, 1), (1, 20000), (2, 3)])
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_extreme_shapes_under_every_preset(size: tuple[int, int], form: str) -> None:
    data = file(Image.new("RGB", size, (200, 100, 50)), form)
    for name, preset in PRESETS.items():
        result = result_of(lambda preset=preset: load(preset, data, (64, 64), "long.jpg"), Path("long.jpg"))  # type: ignore[misc]
        if isinstance(result, BadImageError):  # Pillow resizes the whole image
            assert max(size) == 20000
            assert name in ("timm", "mmpretrain", "mmcls")
            continue
        pixels = result[0] if isinstance(result, tuple) else result
        assert isinstance(pixels, np.ndarray)
        assert pixels.shape == (3, 64, 64)
        assert np.isfinite(pixels).all()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("turn", range(10))
def test_exif_turns_under_opencv_alone(turn: int, form: str) -> None:
    # Darknet without OpenCV (stb_image) and timm look at the samples only; OpenCV, which mmpretrain reads with, turns
    exif = Image.Exif()
    exif[0x0112] = turn
    options = {"exif": exif, **({"lossless": True} if form == "WEBP" else {"quality": 95})}
    plain, turned = file(COLOUR, form, **{**options, "exif": b""}), file(COLOUR, form, **options)
    for name, preset in PRESETS.items():
        one, other = (load(preset, data, (32, 32), "x") for data in (plain, turned))
        same = np.array_equal(
            one[0], other[0]
        )  # a detector's preset gives the size too, a classifier's red comes first
        assert same == (preset.decoder != "opencv" or not 2 <= turn <= 8), name
    upright: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
        2: lambda image: image[:, ::-1],
        3: lambda image: image[::-1, ::-1],
        4: lambda image: image[::-1],
        5: lambda image: image.transpose(1, 0, 2),
        6: lambda image: image[::-1].transpose(1, 0, 2),
        7: lambda image: image[::-1, ::-1].transpose(1, 0, 2),
        8: lambda image: image[:, ::-1].transpose(1, 0, 2),
    }
    expected = upright[turn](decode(plain)) if turn in upright else decode(plain)
    np.testing.assert_array_equal(decode(turned, decoder="opencv"), expected)


@pytest.mark.parametrize(
    ("block", "turned"),
    [
        (struct.pack("<HHII", 0x0112, 3, 1, 6), True),
        (struct.pack("<HHII", 0x0112, 3, 1, 9), False),
        (struct.pack("<HHII", 0x0112, 4, 1, 6), False),
        (struct.pack("<HHII", 0x010F, 2, 2**31, 2**31) + struct.pack("<HHII", 0x0112, 3, 1, 3), True),
    ],
)
def test_exif_blocks_written_by_hand(block: bytes, turned: bool) -> None:
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(block) // 12) + block + bytes(4)
    data = inserted(segment(0xE1, exif))
    assert np.array_equal(decode(data), decode(data, decoder="opencv")) != turned
    for end in range(len(exif)):  # cut off anywhere
        result_of(lambda end=end: decode(inserted(segment(0xE1, exif[:end])), decoder="opencv"))  # type: ignore[misc]


@pytest.mark.parametrize("kind", [(16, 2), (16, 6), (16, 4)])
def test_16_bit_colours_lose_their_low_byte(kind: tuple[int, int]) -> None:
    bands = {2: 3, 6: 4, 4: 2}[kind[1]]
    samples = np.random.default_rng(1).integers(0, 2**16, (4, 5, bands), dtype=np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    high = (samples >> 8).astype(np.uint8)
    expected = high[..., :3] if bands > 2 else high[..., :1].repeat(3, 2)
    result = decode(png(5, 4, (b"IDAT", zlib.compress(rows)), kind=kind))
    np.testing.assert_array_equal(result, expected)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "n01440764").mkdir()
    path = tmp_path / "n01440764" / "huge.JPEG"
    path.write_bytes(WHOLES[0])
    os.truncate(path, 2**40)  # takes no space on the disk
    refused(lambda: decode(path), "image.undecodable", path, found="536,870,912 bytes")
    source = scan(tmp_path)
    refused(lambda: source.sample(0), "image.unreadable", path, found="536,870,912")
    for full in (False, True):
        report = result_of(lambda full=full: check(source, full=full))  # type: ignore[misc]
        assert list(report.unreadable) == ["n01440764/huge.JPEG"]  # type: ignore[union-attr]
