"""stb_image's pixels: against inputs that Darknet's binary prepared, and by what must hold of any decoder."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cspbench.data import stb_jpeg
from cspbench.data.decode import decode
from cspbench.data.jpeg_blocks import Component, blocks
from cspbench.data.resize import letterbox, resize_image, resized_center


def picture(width: int, height: int) -> Image.Image:
    """Smooth colours, with an edge and a little noise."""
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [np.sin(rows / 9 + phase) * np.cos(columns / 13 - phase) for phase in (0, 1, 2)]
    pixels = 128 + 70 * np.stack(waves, 2) + np.random.default_rng(0).normal(0, 4, (height, width, 3))
    pixels[:, width // 2 :] += 50
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def file(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def test_the_inputs_that_the_binary_prepared(shared: Path) -> None:
    cases = sorted((shared / "golden" / "preprocess").glob("*.npz"))
    assert len(cases) == 5
    for path in cases:
        case = np.load(path)
        size = int(case["size"])
        image = stb_jpeg.decode((shared / str(case["image"])).read_bytes())
        assert image is not None
        found = {
            "classifier": lambda image, size: resized_center(image, size, size, size),
            "stretch": lambda image, size: resize_image(image, size, size),
            "letterbox": lambda image, size: letterbox(image, size, size),
        }[str(case["mode"])](image, size)
        difference = 255 * np.abs(found - case["input"])
        # not a level anywhere, and nothing nearly everywhere: Pillow's pixels differ in 2 to 6 of 100 places, by two
        assert difference.max() < 1, path.name
        assert (difference > 0.01).mean() < 0.006, path.name


@pytest.mark.parametrize("quality", [60, 90, 100])
@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("extent", [(64, 48), (61, 37), (34, 66), (1, 1)])
def test_close_to_libjpeg(quality: int, subsampling: int, progressive: bool, extent: tuple[int, int]) -> None:
    data = file(picture(*extent), quality=quality, subsampling=subsampling, progressive=progressive)
    found, pillow = stb_jpeg.decode(data), decode(data)
    assert found is not None
    assert found.shape == pillow.shape
    assert found.dtype == np.uint8
    difference = np.abs(found.astype(int) - pillow)
    assert difference.max() <= 4
    assert difference.mean() < 0.5


def test_blocks_are_recovered() -> None:
    frame = stb_jpeg._frame(file(picture(128, 96), quality=85, subsampling=0))
    assert frame is not None
    steps = frame.steps()
    for plane, table in zip(frame.decoded(steps), frame.table_of, strict=True):
        assert Component(blocks(plane), steps[table]).known.mean() > 0.95


def test_grey() -> None:
    data = file(picture(50, 40).convert("L"), quality=90)
    found = stb_jpeg.decode(data)
    assert found is not None
    assert found.shape == (40, 50, 3)
    assert (found == found[..., :1]).all()
    assert np.abs(found.astype(int) - decode(data)).max() <= 1


def test_a_flat_colour_stays() -> None:
    data = file(Image.new("RGB", (33, 17), (200, 100, 50)), quality=95, subsampling=2)
    found = stb_jpeg.decode(data)
    assert found is not None
    assert np.abs(found.astype(int) - (200, 100, 50)).max() <= 2
    assert (found == found[0, 0]).all()


def test_what_it_does_not_know() -> None:
    image = picture(40, 30)
    whole = file(image, quality=90)
    other = [
        b"",
        b"\xff\xd8",
        file(image, "PNG"),
        file(image, quality=90, subsampling=1),
        file(image.convert("CMYK"), quality=90),
        whole[:100],
        whole[: len(whole) // 2],
        whole.replace(b"\xff\xc0", b"\xff\xc9"),
    ]
    assert [stb_jpeg.decode(data) for data in other] == [None] * len(other)


@pytest.mark.parametrize("progressive", [False, True])
def test_what_follows_the_image_changes_nothing(progressive: bool) -> None:
    data = file(picture(61, 37), quality=90, progressive=progressive, comment=b"\xff\xda\xff\xd9" * 1000)
    found, pillow = stb_jpeg.decode(data), decode(data)
    assert found is not None
    for trailer in (np.random.default_rng(0).bytes(4_000_000), data * 200, b"\xff\xda" * 100_000):
        again = stb_jpeg.decode(data + trailer)
        assert again is not None
        np.testing.assert_array_equal(again, found)
        np.testing.assert_array_equal(decode(data + trailer), pillow)
