"""The panels of assignments, by their pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from cspbench.plots.assignment import GAP, HEADING, Mark, Truth, colour, draw

GREY = np.full((640, 640, 3), 128, np.uint8)


def test_a_panel_for_each_assignment(tmp_path: Path) -> None:
    truths = [Truth((100, 100, 200, 100), "dog"), Truth((400, 400, 100, 100), "cat")]
    panels = {"one": [Mark(200, 150, 32, 0), Mark(450, 450, 32, 1), Mark(450, 450, 16, 0)], "other": []}
    draw(GREY, truths, panels, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert pixels.shape == (640 + HEADING, 2 * 640 + GAP, 3)
    first, second = pixels[HEADING:, :640], pixels[HEADING:, 640 + GAP :]
    assert tuple(first[150, 200]) == tuple(first[150, 207]) == colour(0)
    assert tuple(first[150, 209]) == (128, 128, 128)  # a disc is half as wide as its cell
    assert tuple(first[450, 450]) == colour(0)  # the smaller one on top
    assert tuple(first[450, 456]) == colour(1)
    assert tuple(second[150, 200]) == tuple(second[450, 450]) == (128, 128, 128)
    for panel in (first, second):
        assert tuple(panel[199, 300]) == colour(0)
        assert tuple(panel[500, 450]) == colour(1)


def test_small_images_are_enlarged_and_marks_with_them(tmp_path: Path) -> None:
    draw(GREY[:320, :320], [Truth((10, 10, 50, 50), "dog")], {"one": [Mark(200, 200, 32, 0)]}, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))[HEADING:]
    assert pixels.shape == (640, 640, 3)
    assert tuple(pixels[400, 414]) == colour(0)
    assert tuple(pixels[400, 420]) == (128, 128, 128)


def test_colours_are_apart() -> None:
    assert len({colour(number) for number in range(50)}) == 50
