"""Image files of every kind, and files that are none."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import struct
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from refusals import refuses

from cspbench.data import decode as module
from cspbench.data.decode import decode, decoder_named
from cspbench.errors import BadImageError


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


def png(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_rgb_is_as_it_is() -> None:
    rgb = noise(5, 7, 3)
    result = decode(encoded(Image.fromarray(rgb)))
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, rgb)


def test_a_jpeg_is_what_pillow_decodes() -> None:
    data = encoded(Image.fromarray(noise(40, 30, 3)), "JPEG")
    np.testing.assert_array_equal(decode(data), np.asarray(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_grey_is_repeated(form: str) -> None:
    result = decode(encoded(Image.fromarray(noise(5, 7)), form))
    assert result.shape == (5, 7, 3)
    np.testing.assert_array_equal(result[..., 0], result[..., 1])
    np.testing.assert_array_equal(result[..., 0], result[..., 2])


def test_grey_of_colours_by_hand() -> None:
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[255, 255, 255], [1, 2, 3], [0, 0, 0]]], np.uint8)
    for decoder in module.DECODERS:
        result = decode(encoded(Image.fromarray(colours)), decoder=decoder, channels=1)
        # 77 * 255 >> 8, 150 * 255 >> 8, 29 * 255 >> 8; 77 + 300 + 87 = 464
        assert result[:, :, 0].tolist() == [[76, 149, 28], [255, 1, 0]]


@pytest.mark.parametrize("decoder", module.DECODERS)
def test_grey_of_a_jpeg_is_its_luma(decoder: module.Decoder) -> None:
    """A JPEG of one component with the same luma decodes to the same grey."""
    stream = io.BytesIO(encoded(Image.fromarray(noise(16, 24, 3)), "JPEG", quality=95, subsampling=0))
    luma = Image.open(stream)
    luma.draft("L", None)
    result = decode(stream.getvalue(), decoder=decoder, channels=1)
    assert result.shape == (16, 24, 1)
    assert np.abs(result[:, :, 0].astype(int) - np.asarray(luma)).max() <= (2 if decoder == "stb" else 0)
    plain = encoded(Image.fromarray(noise(16, 24)), "JPEG")
    np.testing.assert_array_equal(decode(plain, decoder=decoder, channels=1), decode(plain, decoder=decoder)[:, :, :1])


def test_bilevel_is_black_and_white() -> None:
    result = decode(encoded(Image.fromarray(noise(5, 7)).convert("1")))
    assert set(np.unique(result)) == {0, 255}


def test_alpha_is_dropped_without_blending() -> None:
    rgba = noise(5, 7, 4)
    np.testing.assert_array_equal(decode(encoded(Image.fromarray(rgba))), rgba[..., :3])
    grey = Image.merge("LA", [Image.fromarray(noise(5, 7)), Image.fromarray(noise(5, 7)[::-1].copy())])
    np.testing.assert_array_equal(decode(encoded(grey))[..., 0], noise(5, 7))


def test_a_palette_with_transparency_is_looked_up() -> None:
    image = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3), "L").convert("P")
    colours = noise(256, 3)
    image.putpalette(colours.tobytes())
    for transparency in (3, bytes([0, 100, 200, 255])):
        result = decode(encoded(image, transparency=transparency))
        np.testing.assert_array_equal(result, colours[np.arange(6).reshape(2, 3)])


@pytest.mark.parametrize(("kind", "bands"), [(b"P6", 3), (b"P5", 1)])
def test_binary_ppm(kind: bytes, bands: int) -> None:
    pixels = noise(5, 7, bands)
    result = decode(kind + b"\n# made by hand\n7 5\n255\n" + pixels.tobytes())
    np.testing.assert_array_equal(result, np.broadcast_to(pixels, (5, 7, 3)))
    with refuses("image.undecodable") as caught:
        decode(kind + b" 7 5 100\n" + pixels.tobytes())
    assert "PPM" in str(caught.value.found)


def test_16_bit_grey_loses_its_low_byte() -> None:
    values = np.array([[0, 255, 256, 65535]], np.uint16)
    result = decode(encoded(Image.fromarray(values)))
    np.testing.assert_array_equal(result[0, :, 1], [0, 0, 1, 255])


def test_cmyk_is_multiplied_with_black() -> None:
    inks = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 0, 0, 255], [100, 50, 0, 100]]], np.uint8)
    blocks = Image.fromarray(inks.repeat(8, 0).repeat(8, 1), "CMYK")
    result = decode(encoded(blocks, "JPEG", quality=100, subsampling=0)).astype(int)[4, 4::8]
    expected = np.round((255 - inks[0, :, :3].astype(float)) * (255 - inks[0, :, 3:].astype(float)) / 255)
    assert np.abs(result - expected).max() <= 2


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_exif_turns_under_opencv_alone(form: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(noise(4, 9, 3))
    plain = encoded(image, form, quality=100, subsampling=0)
    data = encoded(image, form, exif=exif, quality=100, subsampling=0)
    np.testing.assert_array_equal(decode(data), decode(plain))
    np.testing.assert_array_equal(decode(data, decoder="stb"), decode(plain, decoder="stb"))
    np.testing.assert_array_equal(decode(data, decoder="opencv"), np.rot90(decode(plain), -1))
    assert decode(data, decoder="opencv").shape == (9, 4, 3)


def test_a_decoder_by_its_name() -> None:
    assert [decoder_named(name) for name in ("opencv", "stb", "pillow")] == ["opencv", "stb", "pillow"]
    with refuses("usage.unknown-decoder", expected="one of opencv, stb, pillow", found="libjpeg"):
        decoder_named("libjpeg")
    with refuses("usage.unknown-decoder", found="Pillow", remedy="Did you mean pillow?"):
        decoder_named("Pillow")


def test_of_an_animation_the_first_frame() -> None:
    frames = [Image.new("RGB", (3, 2), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(decode(data), np.broadcast_to([255, 0, 0], (2, 3, 3)))


@pytest.mark.parametrize("size", [(1, 1), (20000, 1), (1, 20000)])
def test_extreme_sizes(size: tuple[int, int]) -> None:
    assert decode(encoded(Image.new("RGB", size))).shape == (size[1], size[0], 3)


JPEG = encoded(Image.fromarray(noise(60, 60, 3)), "JPEG")


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "empty"),
        (bytes(5000), "JPEG, PNG, BMP, GIF, PPM or WEBP"),
        (b"<html><body>404 Not Found</body></html>", "JPEG, PNG, BMP, GIF, PPM or WEBP"),
        (JPEG[: len(JPEG) // 2], "truncated"),
        (JPEG[:30], "JPEG|truncated|size"),
        (png(60, 60), "truncated"),
        (png(100_000, 100_000), "pixels"),
        (png(10_000, 9_000), "90000000 pixels|10000x9000 pixels"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "JPEG, PNG, BMP, GIF, PPM or WEBP"),
        (b"Pf\n2 2\n-1.0\n" + struct.pack("<4f", 1, 2, 3, 4), "floating point"),
        (encoded(Image.new("RGB", (2, 2)), "TIFF"), "JPEG, PNG, BMP, GIF, PPM or WEBP"),
    ],
    ids=["empty", "zeros", "html", "half", "header", "no-data", "bomb", "large", "program", "float", "tiff"],
)
def test_what_is_not_a_usable_image(data: bytes, found: str) -> None:
    with refuses("image.undecodable", where="n01440764/x.JPEG") as caught:
        decode(data, "n01440764/x.JPEG")
    assert re.search(found, str(caught.value.found))
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)


def test_a_message_is_one_line_whatever_the_name() -> None:
    with refuses("image.undecodable") as caught:
        decode(b"", "two\nlines" + 5000 * "x")
    assert str(caught.value).startswith("two\\nlinesx")
    assert len(str(caught.value)) < 400


def test_a_file_that_is_not_there_and_one_that_is_a_folder(tmp_path: Path) -> None:
    with refuses("image.undecodable", where=str(tmp_path / "missing.jpg"), found=os.strerror(errno.ENOENT)):
        decode(tmp_path / "missing.jpg")
    with refuses("image.undecodable", where=str(tmp_path)) as caught:
        decode(tmp_path)
    assert caught.value.found in (os.strerror(errno.EISDIR), os.strerror(errno.EACCES))


@given(st.binary(max_size=200), st.integers(0, len(JPEG) - 1))
def test_damaged_bytes_give_pixels_or_a_bad_image(junk: bytes, at: int) -> None:
    with contextlib.suppress(BadImageError):
        assert decode(JPEG[:at] + junk + JPEG[at + len(junk) :]).dtype == np.uint8


def test_broken_metadata_is_not_read() -> None:
    # A directory of one EXIF entry whose value lies outside of the file: Pillow warns of that.
    broken = b"Exif\0\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0x010F, 2, 100, 9999) + bytes(4)
    data = encoded(Image.fromarray(noise(20, 20, 3)), "JPEG", exif=broken)
    with pytest.warns(UserWarning, match="Tag data larger than file"):
        Image.open(io.BytesIO(data)).getexif().get(0x010F)
    assert decode(data, decoder="opencv").shape == (20, 20, 3)


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_large_images_are_decoded_one_at_a_time(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGE", 399)
    inside: list[int] = []
    most: list[int] = []

    def upright(image: Image.Image) -> Image.Image:
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.01)
        inside.pop()
        return image

    monkeypatch.setattr(module, "_upright", upright)
    data = encoded(Image.fromarray(noise(20, 20, 3)), form)
    with ThreadPoolExecutor(8) as pool:
        assert len(list(pool.map(lambda _: decode(data, decoder="opencv"), range(16)))) == 16
    assert most == [1] * 16
