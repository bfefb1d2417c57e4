"""What is a picture, and where pictures are."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from refusals import refuses

from cspbench.prediction.pictures import Picture, at_place, from_array, from_bytes, pictures_of

PIXELS = np.random.default_rng(3).integers(0, 256, (6, 9, 3), np.uint8)


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """b.png, A.jpg and a text; and c.png in a folder below."""
    for name in ("b.png", "A.jpg", "below/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(PIXELS).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "._b.png").write_bytes(b"of macOS")
    return tmp_path


@pytest.mark.parametrize(
    ("place", "names"),
    [
        ("", ["A.jpg", "b.png"]),
        ("b.png", ["b.png"]),
        ("*.png", ["b.png"]),
        ("**/*", ["A.jpg", "b.png", "below/c.png"]),
        ("[A]*", ["A.jpg"]),
    ],
)
def test_places(folder: Path, place: str, names: list[str]) -> None:
    for text in (f"{folder}/{place}", folder / place):
        assert [picture.name for picture in at_place(text)] == [str(folder / name) for name in names]


def test_a_name_that_looks_like_a_pattern(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a[1].png")
    (picture,) = at_place(tmp_path / "a[1].png")
    assert (picture.pixels("pillow") == PIXELS).all()


def test_where_no_picture_is(folder: Path) -> None:
    (folder / "empty").mkdir()
    (folder / "deep/er").mkdir(parents=True)
    (folder / "deep/no.txt").write_text("")
    with refuses("usage.no-pictures", where=str(folder / "empty"), found="an empty folder"):
        at_place(folder / "empty")
    with refuses("usage.no-pictures", found="1 other files and 1 folders"):
        at_place(folder / "deep")
    with refuses("usage.no-pictures", found="no match"):
        at_place(f"{folder}/*.gif")
    with refuses("usage.no-pictures", found="an empty list"):
        pictures_of([])
    with refuses("usage.no-such-picture", where=str(folder / "c.png")):
        at_place(folder / "c.png")
    with refuses("usage.path"):
        at_place("")


def test_a_file_that_is_no_picture(folder: Path) -> None:
    (picture,) = at_place(folder / "notes.txt")
    with refuses("image.undecodable", where=str(folder / "notes.txt")):
        picture.pixels("opencv")


@pytest.mark.parametrize("decoder", ["opencv", "stb", "pillow"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_kind_has_the_same_pixels(folder: Path, decoder: Any, channels: int) -> None:
    file = folder / "b.png"
    image = Image.open(file)
    kinds: list[Any] = [str(file), file, image, PIXELS, Image.fromarray(PIXELS), from_bytes(file.read_bytes(), "x")]
    pictures = pictures_of(kinds)
    assert [picture.name for picture in pictures] == [str(file), str(file), "2", "3", "4", "x"]
    expected = PIXELS
    if channels == 1:  # (77 R + 150 G + 29 B) >> 8
        expected = ((PIXELS * np.array([77, 150, 29], np.uint32)).sum(2) >> 8)[:, :, None].astype(np.uint8)
    for picture in pictures:
        assert (picture.pixels(decoder, channels) == expected).all()


def test_an_image_of_pillow_is_turned_and_stays_as_it_is() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn clockwise
    data = encoded(Image.fromarray(PIXELS), exif=exif)
    image = Image.open(io.BytesIO(data))
    (picture,) = pictures_of(image)
    for decoder, shape in (("opencv", (9, 6, 3)), ("pillow", (6, 9, 3)), ("opencv", (9, 6, 3))):
        assert picture.pixels(decoder).shape == shape  # type: ignore[arg-type]
        assert (picture.pixels(decoder) == from_bytes(data, "x").pixels(decoder)).all()  # type: ignore[arg-type]
    palette = Image.fromarray(PIXELS).quantize(4)
    palette.info["transparency"] = 0
    pictures_of(palette)[0].pixels("pillow")
    assert palette.info["transparency"] == 0


def test_an_image_that_cannot_be_used() -> None:
    with refuses("image.unusable", where="0"):
        pictures_of(Image.new("F", (2, 2)))[0].pixels("pillow")
    with refuses("image.unusable"):
        pictures_of(Image.open(io.BytesIO(encoded(Image.fromarray(PIXELS))[:60])))[0].pixels("pillow")


def test_arrays() -> None:
    grey = PIXELS[:, :, 0]
    assert (from_array(grey, "x").pixels("stb") == np.repeat(grey[:, :, None], 3, 2)).all()
    assert (from_array(grey[:, :, None], "x").pixels("stb", 3) == from_array(grey, "x").pixels("stb", 3)).all()
    for wrong in (PIXELS.astype(np.float32), PIXELS.transpose(2, 0, 1), PIXELS[:0], PIXELS[None], grey[0]):
        with refuses("usage.not-pixels", where="x", found=f"{wrong.dtype} {wrong.shape}"):
            from_array(wrong, "x")


@pytest.mark.parametrize("thing", [3, None, b"bytes", {"a": 1}])
def test_what_is_no_picture(thing: Any) -> None:
    with refuses("usage.not-a-picture", where="images", found=type(thing).__name__):
        pictures_of(thing)
    with refuses("usage.not-a-picture", where="images[1]", found=type(thing).__name__):
        pictures_of([PIXELS, thing])


def test_a_picture_is_read_when_it_is_asked_for(folder: Path) -> None:
    (picture,) = at_place(folder / "b.png")
    assert isinstance(picture, Picture)
    (folder / "b.png").unlink()
    with refuses("image.unreadable", where=str(folder / "b.png")):
        picture.pixels("pillow")
