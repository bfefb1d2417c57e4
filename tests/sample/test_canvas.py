"""A canvas, pixel by pixel, and the sample's detection objects on a scene small enough to check by eye."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cspbench.data.decode import decode
from cspbench.sample.canvas import Canvas, brightness, colours, jpeg
from cspbench.sample.detection import Object, run_lengths
from cspbench.sample.seeds import generator
from cspbench.sample.shapes import Outline, Texture

PLAIN = Texture("plain")
RED, BLUE = np.array([240, 0, 0]), np.array([0, 0, 240])


@pytest.fixture
def scene() -> Canvas:
    """Two squares of 6x6 pixels, the second over the right third of the first."""
    canvas = Canvas(16, 10)
    assert canvas.paint(Outline("square", 5.0, 5.0, 4.0), PLAIN, (RED, RED), 1) == 36
    assert canvas.paint(Outline("square", 9.0, 6.0, 4.0), PLAIN, (BLUE, BLUE), 2) == 36
    return canvas


def test_the_box_is_of_what_is_visible(scene: Canvas) -> None:
    rows = ["".join(".12"[value] for value in row) for row in scene.objects.tolist()]
    assert rows == [
        "................",
        "................",
        "..111111........",
        "..1111222222....",
        "..1111222222....",
        "..1111222222....",
        "..1111222222....",
        "..1111222222....",
        "......222222....",
        "................",
    ]
    hidden, above = (Object(1, scene.objects == number) for number in (1, 2))
    assert (hidden.box, hidden.area) == ((2, 2, 6, 6), 26)
    assert (above.box, above.area) == ((6, 3, 6, 6), 36)
    assert scene.pixels[4, 3].tolist() == RED.tolist()
    assert scene.pixels[4, 7].tolist() == BLUE.tolist()


def test_a_box_shrinks_with_what_is_visible(scene: Canvas) -> None:
    scene.paint(Outline("bar", 8.0, 2.0, 8.0), PLAIN, (BLUE, BLUE), 3)
    scene.paint(Outline("bar", 3.0, 5.0, 8.0, turned=(0.0, 1.0)), PLAIN, (BLUE, BLUE), 4)
    assert Object(1, scene.objects == 1).box == (5, 4, 1, 4)


def test_pixels_mix_by_coverage() -> None:
    canvas = Canvas(6, 6)
    canvas.pixels[:] = 90
    # covers columns 1 to 3.667 and rows 1 to 4: two of three points across in column 3
    canvas.paint(Outline("square", 2.334, 2.5, 16 / 9, 9 / 8), PLAIN, (np.array([0, 0, 0]), BLUE), 1)
    assert canvas.pixels[2, :, 0].tolist() == [90, 0, 0, 30, 90, 90]
    assert canvas.objects[2].tolist() == [0, 1, 1, 1, 0, 0]
    canvas = Canvas(4, 4)
    # one stripe's border runs through the middle of a pixel: two points of three lie before it
    canvas.paint(Outline("disc", 2.0, 2.0, 9.0), Texture("striped", 3.1, shift=(0.5, 0)), (RED, BLUE), 1)
    assert canvas.pixels[0].sum(1).tolist() == [240] * 4
    assert canvas.pixels[0, 0].tolist() != canvas.pixels[0, 3].tolist()


def test_backgrounds_light_noise_and_blur_keep_to_the_range() -> None:
    canvas, random = Canvas(70, 50), generator(5)
    canvas.background(random, 200)
    canvas.light(random, 80)
    flat = canvas.pixels.copy()
    canvas.blur()
    middle = flat[10:13, 20:23].sum((0, 1))
    assert canvas.pixels[11, 21].tolist() == ((middle + 4) // 9).tolist()
    pixels = canvas.finished(random, 30)
    assert pixels.shape == (50, 70, 3)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - canvas.pixels).max() <= 30


def test_colours_differ() -> None:
    random = generator(3)
    behind = np.array([120, 120, 120])
    for _ in range(50):
        first, second = colours(random, behind, 30, 36)
        assert abs(brightness(first) - 120) >= 30
        assert abs(brightness(first) - brightness(second)) >= 36


def test_a_jpeg_file_shows_the_picture() -> None:
    canvas = Canvas(48, 40)
    canvas.background(generator(8), 10)
    pixels = canvas.finished(generator(8), 0)
    read = decode(jpeg(pixels))
    assert read.shape == pixels.shape
    assert np.abs(read.astype(int) - pixels).mean() < 2


def test_run_lengths_by_hand() -> None:
    mask = np.array([[0, 1, 1], [1, 1, 0]], np.bool_)
    assert run_lengths(mask) == [1, 4, 1]
    assert run_lengths(~mask) == [0, 1, 4, 1]
    assert run_lengths(np.zeros((2, 2), np.bool_)) == [4]
    assert run_lengths(np.ones((2, 2), np.bool_)) == [0, 4]


@given(st.integers(1, 6), st.lists(st.booleans(), min_size=1, max_size=30))
def test_run_lengths_keep_every_pixel(height: int, values: list[bool]) -> None:
    mask = np.resize(np.array(values), (height, len(values)))
    lengths = run_lengths(mask)
    again = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(mask.shape, order="F")
    np.testing.assert_array_equal(again, mask)
