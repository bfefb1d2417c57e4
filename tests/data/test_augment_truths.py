"""Objects in crops and mosaics by hand."""

from __future__ import annotations

import numpy as np

from cspbench.data.augment import mosaic, truths
from cspbench.data.augment.crop import Margins
from cspbench.data.augment.draws import Recorded
from cspbench.data.augment.truths import Limits

NONE = Margins(0, 0, 0, 0)
LIMITS = Limits(100, 50, 3, 4)


def boxes(*rows: tuple[float, ...]) -> truths.Truths:
    return np.array(rows, np.float32).reshape(-1, 5)


def test_the_order_of_objects_is_swapped_one_by_one() -> None:
    # 0 with 2: 2 1 0; 1 with 1; 2 with 0: 0 1 2
    assert truths.shuffled(Recorded([2, 1, 3]), 3) == [0, 1, 2]
    assert truths.shuffled(Recorded([2, 1, 5]), 3) == [2, 1, 0]
    assert truths.shuffled(Recorded([]), 0) == []


def test_objects_move_with_the_crop_and_are_mirrored() -> None:
    result = boxes((1, 0.5, 0.5, 0.25, 0.5), (2, 0.125, 0.5, 0.25, 0.25))
    # of 80 pixels 20 are cut off at the left and 20 at the right: the window is half as wide
    made = truths.moved(result, [0, 1], Margins(20, 20, 0, 0), (80, 40), False)
    assert made.tolist() == [[0.5, 0.5, 0.5, 0.5, 1, 0], [0, 0.5, 0, 0.25, 2, 1]]
    mirrored = truths.moved(result, [1, 0], NONE, (80, 40), True)
    assert mirrored.tolist() == [[0.875, 0.5, 0.25, 0.25, 2, 1], [0.5, 0.5, 0.25, 0.5, 1, 0]]
    # 80 pixels are added at the right: everything is half as wide
    wider = truths.moved(result[:1], [0], Margins(0, -80, 0, 0), (80, 40), False)
    assert wider.tolist() == [[0.25, 0.5, 0.125, 0.5, 1, 0]]


def test_objects_without_a_place_are_gone() -> None:
    result = boxes((0, 0, 0, 0.5, 0.5), (0, 1.5, 0.5, 0.5, 0.5), (0, 0.5, -0.5, 0.5, 0.5), (0, 1.2, 0.5, 0.5, 0.5))
    made = truths.kept(truths.moved(result, [0, 1, 2, 3], NONE, (80, 40), False), LIMITS)
    np.testing.assert_allclose(made, [[0.975, 0.5, 0.05, 0.5, 0, 3]], atol=1e-6)


def test_what_is_smaller_than_a_pixel_or_of_another_class_is_dropped() -> None:
    rows = [(0.5, 0.5, 0.009, 0.5, 0, 0), (0.5, 0.5, 0.5, 0.019, 0, 1), (0.5, 0.5, 0.5, 0.5, 3, 2)]
    good = [(1, 1, 0.01, 0.02, 2, 3), (0.5, 0.5, 1, 1, 1, 4)]
    made = truths.kept(np.array(rows + good, np.float32), LIMITS)
    # the most objects are counted before any is dropped
    assert made[:, 5].tolist() == [3]
    assert truths.kept(np.array(good, np.float32), LIMITS)[:, 5].tolist() == [3, 4]


def test_the_smallest_side_in_pixels() -> None:
    assert truths.smallest_side(np.zeros((0, 6), np.float32), LIMITS) == 0
    assert truths.smallest_side(np.array([(0.5, 0.5, 0.5, 0.5, 0, 0), (0.5, 0.5, 0.155, 0.9, 0, 0)]), LIMITS) == 15


def test_objects_of_a_second_picture_lose_their_numbers() -> None:
    rows = np.arange(24, dtype=np.float32).reshape(4, 6)
    made = truths.joined(rows[:3], rows, 5)
    assert made[:, 0].tolist() == [0, 6, 12, 0, 6]
    assert made[:, 5].tolist() == [5, 11, 17, 0, 0]
    assert len(truths.joined(rows, rows, 2)) == 4


def test_margins_move_to_the_corner() -> None:
    sides = Margins(1, 2, 4, 8)
    assert mosaic.to_corner(sides, 0, False) == (0, 3, 0, 12)
    assert mosaic.to_corner(sides, 1, False) == (3, 0, 0, 12)
    assert mosaic.to_corner(sides, 2, False) == (0, 3, 12, 0)
    assert mosaic.to_corner(sides, 3, True) == (0, 3, 12, 0)


def test_a_mosaic_shows_the_corner_next_to_the_point() -> None:
    limits, cut = Limits(4, 4, 3, 9), (1, 3)
    canvas = np.zeros((4, 4, 3), np.uint8)
    picture = np.arange(16, dtype=np.uint8).reshape(4, 4, 1).repeat(3, 2)
    for number in range(4):
        mosaic.paste(canvas, picture, mosaic.tile(number, cut, NONE, False, (8, 8), limits))
    assert canvas[..., 0].tolist() == [[7, 4, 5, 6], [11, 8, 9, 10], [15, 12, 13, 14], [3, 0, 1, 2]]


def test_an_added_margin_is_left_out() -> None:
    # 16 pixels were added at the right of 8: in a picture of 4 pixels that is 8, of which the tile can leave out 3
    part = mosaic.tile(0, (1, 3), Margins(0, -16, 0, 0), False, (8, 8), Limits(4, 4, 3, 9))
    assert (part.across, part.down) == (0, -1)
    mirrored = mosaic.tile(0, (1, 3), Margins(-16, 0, 0, 0), True, (8, 8), Limits(4, 4, 3, 9))
    assert (mirrored.across, mirrored.down) == (0, -1)


def test_objects_are_cut_at_the_mosaic_by_whole_pixels() -> None:
    limits = Limits(64, 64, 3, 9)
    part = mosaic.tile(1, (32, 32), NONE, False, (64, 64), limits)
    assert (part.across, part.down) == (32, -32)
    # from x = 40.5 to 56.5, moved to 72.5 to 88.5: outside; from 8.5 to 40.5, moved to 40.5 to 72.5: 8 of 32 are cut
    rows = np.array([(48.5 / 64, 0.75, 0.25, 0.25, 1, 0), (24.5 / 64, 0.75, 0.5, 0.25, 2, 1)], np.float32)
    made = mosaic.moved(rows, part, limits, bound=False)
    np.testing.assert_allclose(made, [[52.5 / 64, 0.25, 24 / 64, 0.25, 2, 1]], atol=1e-6)
    # with bound edges are whole pixels: 40 to 64, 8 to 24
    bound = mosaic.moved(rows, part, limits, bound=True)
    np.testing.assert_allclose(bound, [[52 / 64, 0.25, 24 / 64, 0.25, 2, 1]], atol=1e-6)
