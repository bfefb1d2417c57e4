"""Pictures of classes: a bar as long as the probability, in the class's colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from cspbench.plots.classes import TRACK, draw_classes
from cspbench.plots.detections import colour

GREY = np.full((480, 640, 3), 128, np.uint8)


def test_bars(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.png"
    draw_classes(GREY, [("tench, Tinca tinca", 0.75), ("crane", 0.0), ("x" * 300, 0.25)], path)
    with Image.open(path) as image:
        made = np.asarray(image)
    assert made.shape[1] == 640
    assert (made[:480] == 128).all()
    below = made[480:]
    lengths = [int((below == colour(name)).all(2).sum(1).max()) for name in ("tench, Tinca tinca", "crane", "x" * 300)]
    track = int((below == TRACK).all(2).sum(1).max())
    assert lengths[1] == 0
    assert lengths[0] == 3 * lengths[2] or abs(lengths[0] - 3 * lengths[2]) < 5
    assert abs(lengths[0] - 0.75 * track) < 3
    # names and numbers keep clear of the border
    assert (below[:, :8] == 255).all()
    assert (below[:, -8:] == 255).all()


def test_a_narrow_image_stands_in_the_middle(tmp_path: Path) -> None:
    draw_classes(GREY[:, :64], [("a", 1.0)], tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        made = np.asarray(image)
    assert made.shape[1] == 480
    assert (made[100] == 128).all(1).nonzero()[0].tolist() == list(range(197, 282))


def test_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        draw_classes(GREY, [("cat", 0.5), ("dog", 0.25)], tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
