"""stb_image's pixels: every value of the inputs that Darknet's binary prepared, and colours worked out by hand."""

from __future__ import annotations

import io
import re
import struct
from pathlib import Path
from typing import Any

import libstb
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from refusals import refuses

from cspbench.data.decode import decode
from cspbench.data.presets import preset
from cspbench.data.resize import letterbox, resize_image


def noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def file(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    "case",
    [
        "classifier-224-n02089078_black-and-tan_coonhound.JPEG",
        "classifier-256-n01558993_robin.JPEG",
        "letterbox-320-000000062554.jpg",
        "stretch-320-000000434204.jpg",
        "stretch-416-000000022892.jpg",
    ],
)
def test_the_inputs_that_the_binary_prepared(case: str, shared: Path) -> None:
    golden = np.load(shared / "golden" / "preprocess" / f"{case}.npz")
    size = int(golden["size"])
    image = decode(shared / str(golden["image"]), decoder="stb")
    result = {
        "classifier": lambda: preset("head").prepare(image, size),
        "stretch": lambda: resize_image(image, size, size),
        "letterbox": lambda: letterbox(image, size, size),
    }[str(golden["mode"])]()
    np.testing.assert_array_equal(result, golden["input"])


def fixed(factor: float) -> int:
    """A factor as stb_image has it: 12 bits behind the point, at the place of 20."""
    return int(factor * 4096 + 0.5) << 8


def test_colours_by_hand() -> None:
    # blocks of one colour: with steps of 1 their transform is exact, so what is left is the conversion to RGB
    colours = noise(12, 16, 3)
    data = file(Image.fromarray(colours.repeat(8, 0).repeat(8, 1), "YCbCr"), quality=100, subsampling=0)
    y, blue, red = np.moveaxis(colours.astype(np.int64) - (0, 128, 128), 2, 0)
    y = (y << 20) + (1 << 19)
    expected = np.stack(
        [
            y + red * fixed(1.40200),
            y - red * fixed(0.71414) + ((-blue * fixed(0.34414)) & ~0xFFFF),
            y + blue * fixed(1.77200),
        ],
        axis=2,
    )
    expected = (expected >> 20).clip(0, 255)
    result = decode(data, decoder="stb")
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result[::8, ::8], expected)
    np.testing.assert_array_equal(result, result[::8, ::8].repeat(8, 0).repeat(8, 1))
    difference = np.abs(decode(data)[::8, ::8].astype(int) - expected)  # libjpeg rounds otherwise
    assert (difference.max(), difference.any()) == (1, True)


def test_grey_ramps_by_hand() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16).repeat(8, 0).repeat(8, 1)
    for progressive in (False, True):
        data = file(Image.fromarray(ramp), quality=100, progressive=progressive)
        np.testing.assert_array_equal(decode(data, decoder="stb"), ramp[:, :, None].repeat(3, 2))


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("extent", [(61, 37), (1, 1), (16, 200)])
@pytest.mark.parametrize(
    "options", [{"subsampling": 0}, {"subsampling": 1}, {"subsampling": 2}, {"progressive": True, "quality": 40}]
)
def test_every_kind_of_file_is_stbs_own(mode: str, extent: tuple[int, int], options: dict[str, Any]) -> None:
    image = Image.fromarray(noise(extent[1], extent[0], 4))
    data = file(image.convert(mode) if mode != "CMYK" else Image.frombytes("CMYK", extent, image.tobytes()), **options)
    result = decode(data, decoder="stb")
    assert result.shape == (extent[1], extent[0], 3)
    np.testing.assert_array_equal(result, libstb.imread(data, channels=3))
    assert np.abs(result.astype(int) - decode(data)).mean() < 3


RGB = Image.fromarray(noise(24, 20, 3))
GREY = Image.fromarray(noise(24, 20))
LOSSLESS = {
    "RGB": file(RGB, "PNG"),
    "RGB with a transparent colour": file(RGB, "PNG", transparency=(1, 2, 3)),
    "RGBA": file(Image.fromarray(noise(24, 20, 4)), "PNG"),
    "grey": file(GREY, "PNG"),
    "grey with alpha": file(Image.merge("LA", [GREY, GREY]), "PNG"),
    "16 bit": file(Image.fromarray(noise(24, 20).astype(np.uint16) * 255), "PNG"),
    "palette": file(RGB.convert("P"), "PNG", transparency=bytes([0, 100, 200])),
    "bilevel": file(RGB.convert("1"), "PNG"),
    "BMP": file(RGB, "BMP"),
    "BMP with a palette": file(RGB.convert("P"), "BMP"),
    "GIF": file(RGB.convert("P"), "GIF"),
    "PPM": file(RGB, "PPM"),
    "PGM": file(GREY, "PPM"),
}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_files_are_the_same_in_every_decoder(kind: str) -> None:
    expected = libstb.imread(LOSSLESS[kind], channels=3)
    for decoder in ("opencv", "stb", "pillow"):
        np.testing.assert_array_equal(decode(LOSSLESS[kind], decoder=decoder), expected)


WHOLE = file(Image.fromarray(noise(60, 50, 3)))
LARGE = WHOLE.replace(struct.pack(">HH", 60, 50), struct.pack(">HH", 10_000, 9_000))


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "empty"),
        (bytes(5000), "JPEG, PNG, BMP, GIF, PPM or WEBP"),
        (WHOLE[: len(WHOLE) // 2], "truncated"),
        (WHOLE[:-2], "truncated"),
        (WHOLE[:100], "header"),
        (WHOLE.replace(b"\xff\xc0", b"\xff\xc9"), "."),
        (LARGE, "9000x10000 pixels, the limit is 67,108,864|90000000 pixels"),
    ],
    ids=["empty", "zeros", "half", "without its end", "header", "arithmetic coding", "bomb"],
)
def test_what_stb_would_take_for_an_image(data: bytes, found: str) -> None:
    with refuses("image.undecodable", where="x.jpg") as caught:
        decode(data, "x.jpg", "stb")
    assert re.search(found, str(caught.value.found))


@pytest.mark.parametrize("progressive", [False, True])
def test_what_follows_the_image_changes_nothing(progressive: bool) -> None:
    data = file(RGB, quality=90, progressive=progressive, comment=b"\xff\xda\xff\xd9" * 1000)
    for decoder in ("stb", "pillow"):
        expected = decode(data, decoder=decoder)
        for trailer in (np.random.default_rng(0).bytes(4_000_000), data * 200, b"\xff\xda" * 100_000):
            np.testing.assert_array_equal(decode(data + trailer, decoder=decoder), expected)
