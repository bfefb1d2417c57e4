"""Darknet's resize in numbers worked by hand: sizes that are cut, offsets, where a letterbox leaves the image."""

from __future__ import annotations

import numpy as np
import pytest

from cspbench.data.resize import center_offset, extent, letterbox, resize_image, shorter_side_to

F = np.float32


@pytest.mark.parametrize(
    ("size", "box", "inner", "corner"),
    [
        ((4, 2), (7, 6), (7, 3), (0, 1)),  # 7 / 4 < 6 / 2; 2 * 7 // 4 = 3, an odd rest of 3 has one row more below
        ((2, 4), (6, 7), (3, 7), (1, 0)),
        ((3, 2), (7, 8), (7, 4), (0, 2)),  # 2 * 7 / 3 = 4.67 is cut, not rounded
        ((2, 3), (8, 7), (4, 7), (2, 0)),
        ((6, 4), (9, 6), (9, 6), (0, 0)),
        ((5, 5), (9, 6), (6, 6), (1, 0)),
        ((100, 12), (8, 8), (8, 0), (0, 4)),  # 12 * 8 / 100 = 0.96 of a row
        ((12, 100), (8, 8), (0, 8), (4, 0)),
        ((13, 100), (8, 8), (1, 8), (3, 0)),
    ],
)
def test_where_the_image_lies_in_a_letterbox(
    size: tuple[int, int], box: tuple[int, int], inner: tuple[int, int], corner: tuple[int, int]
) -> None:
    """White on grey: widths first, as in the specification's section b.1."""
    white = np.full((size[1], size[0], 3), 255, np.uint8)
    result = letterbox(white, *box) != 0.5
    expected = np.zeros((3, box[1], box[0]), bool)
    expected[:, corner[1] : corner[1] + inner[1], corner[0] : corner[0] + inner[0]] = True
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(
    ("size", "side", "resized"),
    [
        ((300, 500), 256, (256, 426)),  # 426.67 is cut
        ((500, 300), 256, (426, 256)),
        ((300, 300), 256, (256, 256)),
        ((300, 301), 256, (256, 256)),  # 256.85
        ((301, 300), 256, (256, 256)),
        ((299, 300), 512, (512, 513)),  # 513.7
        ((2, 3), 1, (1, 1)),
        ((1, 3), 2, (2, 6)),
        ((256, 341), 256, (256, 341)),
    ],
)
def test_the_longer_side_is_cut_to_a_whole_number(size: tuple[int, int], side: int, resized: tuple[int, int]) -> None:
    assert shorter_side_to(side, *size) == resized


@pytest.mark.parametrize(
    ("outer", "inner", "offset"),
    [(10, 10, 0), (11, 10, 0), (12, 10, 1), (13, 10, 1), (9, 10, 0), (8, 10, -1), (7, 10, -1)],
)
def test_offsets_of_a_centre_are_cut_toward_zero(outer: int, inner: int, offset: int) -> None:
    assert center_offset(outer, 40, inner, 40) == (offset, 0)
    assert center_offset(40, outer, 40, inner) == (0, offset)


@pytest.mark.parametrize(
    ("values", "length", "expected"),
    [
        ([0, 1, 2], 5, [0, 0.5, 1, 1.5, 2]),
        ([0, 1, 2, 3, 4], 3, [0, 2, 4]),
        ([0, 1, 2, 3, 4], 2, [0, 4]),
        ([0, 6], 4, [0, 2, 4, 6]),
        ([0, 2, 4, 6], 7, [0, 1, 2, 3, 4, 5, 6]),
        ([7], 3, [7, 7, 7]),
        ([3, 9, 5], 3, [3, 9, 5]),
    ],
)
def test_a_line_of_pixels_by_hand(values: list[float], length: int, expected: list[float]) -> None:
    """Corners stay corners, and what lies between is in proportion; along each axis alone."""
    line = np.array(values, np.uint8)
    np.testing.assert_allclose(255 * resize_image(line.reshape(1, -1, 1), length, 1)[0, 0], expected, atol=1e-5)
    np.testing.assert_allclose(255 * resize_image(line.reshape(-1, 1, 1), 1, length)[0, :, 0], expected, atol=1e-5)


def test_width_and_height_of_an_image() -> None:
    assert extent(np.zeros((4, 7, 3), np.uint8)) == (7, 4)
