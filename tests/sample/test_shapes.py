"""Shapes against areas and pixels worked by hand."""

from __future__ import annotations

from math import pi, sqrt

import numpy as np
import pytest

from cspbench.sample.seeds import direction, generator
from cspbench.sample.shapes import POINTS, REACH, SAMPLES, SHAPES, TEXTURES, Outline, Texture, Window, per_pixel


def _crescent() -> float:
    """Disc less the part of the hole that lies in it: two circular segments (radii 1 and 0.8, centres 0.55 apart)."""
    chord = (0.55**2 + 1 - 0.64) / (2 * 0.55)
    ours = np.arccos(chord) - chord * sqrt(1 - chord**2)
    other = (0.55 - chord) / 0.8
    theirs = 0.64 * (np.arccos(other) - other * sqrt(1 - other**2))
    return float(pi - ours - theirs)


AREAS = {
    "disc": pi,
    "ring": pi * 0.75,
    "square": 1.5**2,
    "triangle": 3 * sqrt(3) / 4,
    # ten triangles: centre, tip, and the notch beside it, cos(72) / cos(36) from the centre and sin(36) to the side
    "star": 10 * 0.5 * 1 * (0.30901699437494745 / 0.8090169943749475) * 0.5877852522924731,
    "cross": 2 * 2 * 0.6 - 0.6**2,
    "crescent": _crescent(),
    "bar": 2 * 0.5,
    "arrow": 1 + 0.5,
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("seed", range(3))
def test_area(name: str, seed: int) -> None:
    turned = direction(generator(seed))
    outline = Outline(name, 80.3, 79.6, 64.0, 0.8, turned)
    window = outline.window(160, 160)
    area = per_pixel(outline.inside(window)).sum() / POINTS
    assert area == pytest.approx(AREAS[name] * 64 * 64 * 0.8, rel=0.004)


@pytest.mark.parametrize("name", SHAPES)
def test_lies_within_its_window(name: str) -> None:
    sides = np.linspace(-2, 2, 801)
    inside = SHAPES[name](sides[None, :], sides[:, None])
    v, u = (sides[at] for at in np.nonzero(inside))
    assert sqrt((u * u + v * v).max()) <= REACH


def test_a_square_on_whole_pixels() -> None:
    outline = Outline("square", 8.0, 9.0, 8.0)
    window = outline.window(16, 20)
    assert window == Window(0, 0, 16, 19)
    expected = np.zeros((19, 16), np.int64)
    expected[3:15, 2:14] = 9
    np.testing.assert_array_equal(per_pixel(outline.inside(window)), expected)


def test_a_quarter_turn_swaps_the_axes() -> None:
    lying, standing = (Outline("bar", 10.0, 10.0, 8.0, 1.0, turned) for turned in ((1.0, 0.0), (0.0, 1.0)))
    window = Window(0, 0, 20, 20)
    np.testing.assert_array_equal(lying.inside(window).T, standing.inside(window))


def test_what_lies_outside_of_the_image_has_no_window() -> None:
    for x, y in ((-50.0, 5.0), (5.0, -50.0), (99.0, 5.0), (5.0, 99.0)):
        window = Outline("disc", x, y, 8.0).window(20, 20)
        assert window.of(np.zeros((20, 20))).size == 0


def test_counts_of_a_pixel() -> None:
    points = np.zeros((SAMPLES, 2 * SAMPLES), np.bool_)
    points[0, :2] = points[2, 5] = True
    assert per_pixel(points).tolist() == [[2, 1]]


@pytest.mark.parametrize(
    ("pattern", "second"),
    [
        ("plain", ["....", "....", "....", "...."]),
        ("striped", ["##..", "##..", "##..", "##.."]),
        ("checked", ["..##", "..##", "##..", "##.."]),
        ("dotted", ["....", ".##.", ".##.", "...."]),
    ],
)
def test_one_period_of_a_texture(pattern: str, second: list[str]) -> None:
    """At the middles of the pixels of a period of four pixels; a dot's radius is sqrt(0.1) of it, 1.26 pixels."""
    places = np.arange(0.5, 4.0)
    seen = Texture(pattern, 4.0).second(places[None, :], places[:, None])
    assert ["".join(".#"[value] for value in row) for row in seen.tolist()] == second


def test_textures_are_turned_and_shifted() -> None:
    places = np.arange(0.5, 8.0)
    upright = Texture("striped", 4.0, (0.0, 1.0)).second(places[None, :], places[:, None])
    assert upright[:, 0].tolist() == [True, True, False, False] * 2
    shifted = Texture("striped", 4.0, shift=(0.25, 0.0)).second(places[None, :], places[:, None])
    assert shifted[0].tolist() == [True, False, False, True] * 2
    assert set(TEXTURES) == {"plain", "striped", "checked", "dotted"}


def test_directions_are_unit_vectors_all_around() -> None:
    random = generator(0)
    result = np.array([direction(random) for _ in range(400)])
    np.testing.assert_allclose((result**2).sum(1), 1, rtol=1e-12)
    quarters = 2 * (result[:, 0] > 0) + (result[:, 1] > 0)
    assert np.bincount(quarters, minlength=4).min() > 60
