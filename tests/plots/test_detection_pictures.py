"""Pictures: what is drawn where, and the same bytes again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cspbench.plots.detections import Box, colour, draw

GREY = np.full((480, 640, 3), 128, np.uint8)


def pixels(path: Path) -> np.ndarray:
    """The picture as an array."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_boxes_and_names(tmp_path: Path) -> None:
    path = tmp_path / "new" / "one.png"
    draw(
        GREY,
        [Box((100, 100, 200, 150), "dog", 0.9), Box((400, 300, 100, 100), "cat", 0.1)],
        [Box((50, 300, 120, 90), "horse")],
        path,
    )
    made = pixels(path)
    assert made.shape == (480, 640, 3)
    assert tuple(made[200, 100]) == tuple(made[249, 299]) == colour("dog")
    # the name stands above the box, in its colour
    assert (made[82:98, 100:150] == colour("dog")).all(2).sum() > 200
    # what was too uncertain is not drawn
    assert (made[300:400, 400:500] == 128).all()
    # dashes: black and white along the edge of what was to be found
    edge = {tuple(pixel) for pixel in made[300, 50:170].tolist()}
    assert edge == {(0, 0, 0), (255, 255, 255)}
    # nothing else is touched
    assert (made[:60] == 128).all()


def test_the_same_bytes(tmp_path: Path) -> None:
    boxes = [Box((10 * place, 20, 80, 80), f"class {place}", 0.3 + place / 20) for place in range(12)]
    for name in ("a.png", "b.png"):
        draw(GREY, boxes, boxes, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    "bbox", [(-50, -50, 2000, 2000), (700, 500, 10, 10), (-90, -90, 10, 10), (5, 5, -3, -3), (639, 479, 1, 1)]
)
def test_boxes_beyond_the_image(tmp_path: Path, bbox: tuple[float, float, float, float]) -> None:
    draw(GREY, [Box(bbox, "x", 1.0)], [Box(bbox, "x")], tmp_path / "a.png")
    assert pixels(tmp_path / "a.png").shape == GREY.shape


def test_small_images_are_enlarged(tmp_path: Path) -> None:
    draw(GREY[:30, :40], [Box((10, 10, 20, 10), "\u6f22\n", 0.5)], [], tmp_path / "a.png")
    made = pixels(tmp_path / "a.png")
    assert made.shape == (480, 640, 3)
    assert tuple(made[280, 160]) == colour("\u6f22\n")


def test_colours_are_bright_enough_and_apart() -> None:
    made = {colour(name) for name in ("person", "chair", "dining table", "dog", "cat", "vase", "tv")}
    assert len(made) == 7
    assert all(max(each) == 255 for each in made)


def test_names_of_crowded_boxes_stand_apart(tmp_path: Path) -> None:
    """Each of twelve boxes at nearly the same place has its whole name: no other covers it."""
    names = [f"class {number}" for number in range(30, 42)]
    assert len({colour(name) for name in names}) == len(names)
    boxes = [Box((300 + number, 200 + number, 20, 20), name, 0.9) for number, name in enumerate(names)]
    draw(GREY, boxes, [], tmp_path / "a.png")
    made = pixels(tmp_path / "a.png")
    sizes = [int((made == colour(name)).all(2).sum()) for name in names]
    assert min(sizes) > 0.75 * max(sizes)  # less where letters are wide


def test_a_large_image_is_shrunk(tmp_path: Path) -> None:
    draw(np.full((3000, 4000, 3), 128, np.uint8), [Box((0, 0, 2000, 1500), "dog", 0.1)], [], tmp_path / "a.png", 0.05)
    made = pixels(tmp_path / "a.png")
    assert made.shape == (1440, 1920, 3)
    assert tuple(made[719, 900]) == colour("dog")
