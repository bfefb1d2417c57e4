"""YOLOX's training pictures: OpenCV's pixels, boxes that follow them, and what is drawn."""

from __future__ import annotations

from dataclasses import replace
from math import cos, radians, sin, tan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cspbench.data.augment.colour import to_hsv
from cspbench.data.augment.draws import Counter, Recorded
from cspbench.data.augment.yolox import hsv, rules
from cspbench.data.augment.yolox.affine import Affine, enough, mapped, warp
from cspbench.data.augment.yolox.boxes import cut, labels, mirrored, moved, of_objects
from cspbench.data.augment.yolox.hsv import Colour, colour, recoloured
from cspbench.data.augment.yolox.mixup import Partner, mixed, partner
from cspbench.data.augment.yolox.mosaic import mosaic
from cspbench.data.augment.yolox.picture import Mosaic, Plan, picture, plan
from cspbench.data.augment.yolox.rules import Augmentation, Scales
from cspbench.data.augment.yolox.sizes import resized, size_of
from cspbench.data.opencv import letterbox, resize

GOLDEN = Path(__file__).parents[1] / "golden" / "yolox" / "opencv.npz"
CASES = range(3)
SMALL = Augmentation((32, 48))
STILL = Affine(0, 1, (0, 0), (0, 0))


def golden(case: int) -> dict[str, Any]:
    with np.load(GOLDEN) as arrays:
        return {key.partition("_")[2]: arrays[key] for key in arrays.files if key.startswith(f"{case}_")}


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def flat(height: int, width: int, level: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), level, np.uint8)


def box(*numbers: float) -> NDArray[np.float64]:
    return np.array(numbers, np.float64).reshape(-1, 5)


@pytest.mark.parametrize("case", CASES)
def test_pixels_are_opencvs(case: int) -> None:
    arrays = golden(case)
    height, width = arrays["warped"].shape[:2]
    angle, scale, *rest = arrays["drawn"].tolist()
    matrix = Affine(angle, scale, (rest[0], rest[1]), (rest[2], rest[3])).matrix((1, 1), (height, width), False)
    np.testing.assert_array_equal(warp(arrays["image"], matrix, (height, width)), arrays["warped"])
    np.testing.assert_array_equal(resize(arrays["image"], width, height), arrays["resized"])
    planes = np.stack([plane.numpy() for plane in to_hsv(arrays["image"])], 2)
    np.testing.assert_array_equal(planes, arrays["hsv"])


def test_the_matrix_by_hand() -> None:
    drawn = Affine(30, 2, (5, 10), (0.1, -0.2))
    c, s = 2 * cos(radians(30)), 2 * sin(radians(30))
    first, second = tan(radians(5)), tan(radians(10))
    # x' = R0 + tan(second) R1, y' = R1 + tan(first) R0, moved by a tenth of 60 and minus a fifth of 40
    expected = [[c - second * s, s + second * c, 6], [-s + first * c, c + first * s, -8]]
    np.testing.assert_allclose(drawn.matrix((80, 120), (40, 60), False), expected)
    centred = drawn.matrix((80, 120), (40, 60), True)
    # the canvas' centre goes to the picture's, moved
    np.testing.assert_allclose(centred @ [60, 40, 1], [30 + 6, 20 - 8])
    np.testing.assert_allclose(centred[:, :2], np.array([[1, first], [second, 1]]) @ [[c, s], [-s, c]])


def test_a_map_that_changes_nothing() -> None:
    image = noise(20, 30)
    np.testing.assert_array_equal(warp(image, STILL.matrix((20, 30), (20, 30), False), (20, 30)), image)
    moved_image = warp(image, np.array([[1.0, 0, 3], [0, 1, -2]]), (20, 30))
    np.testing.assert_array_equal(moved_image[:18, 3:], image[2:, :27])
    assert (moved_image[18:] == 114).all()
    assert (moved_image[:, :3] == 114).all()


def test_boxes_around_mapped_corners() -> None:
    quarter = np.array([[0.0, -1, 10], [1, 0, 0]])  # turns (x, y) to (10 - y, x)
    result = mapped(np.array([[1.0, 2, 4, 8], [-5, -5, 100, 100], [20, 20, 30, 30]]), quarter, (6, 9))
    assert result.tolist() == [[2, 1, 8, 4], [0, 0, 9, 6], [0, 6, 0, 6]]


@pytest.mark.parametrize(
    ("after", "kept"),
    [
        ([0, 0, 5, 4.1], True),  # 20.5 of 100
        ([0, 0, 5, 4], False),  # a fifth is not enough
        ([0, 0, 2, 20], False),  # a side of 2 is not more than 2
        ([0, 0, 2.1, 20], True),
        ([0, 0, 2.1, 42], False),  # 20 to 1
        ([0, 0, 42, 2.1], False),
        ([3, 3, 3, 3], False),
    ],
)
def test_how_much_of_a_box_must_be_left(after: list[float], kept: bool) -> None:
    assert enough(np.array([[0.0, 0, 10, 10]]), np.array([after]), 2.0).tolist() == [kept]


def test_objects_in_pixels() -> None:
    objects = np.array(
        [
            [3, 0.5, 0.5, 0.5, 1.0],
            [1, 0.0, 0.5, 0.5, 0.2],  # half of it is beside the image
            [2, 1.5, 0.5, 0.5, 0.5],  # outside
            [0, 0.5, 0.5, 0.0, 0.5],  # no area
            [0, 0.5, 0.5, -0.2, 0.5],
            [0, np.nan, 0.5, 0.1, 0.1],
            [0, 0.5, 0.5, np.inf, 0.1],
        ],
        np.float32,
    )
    result = of_objects(objects, (80, 40))
    np.testing.assert_allclose(result, [[20, 0, 60, 40, 3], [0, 16, 20, 24, 1], [0, 18, 80, 22, 0]], atol=1e-5)
    assert of_objects(objects[:0], (80, 40)).shape == (0, 5)


def test_labels_are_centre_and_size_and_the_first_ones() -> None:
    rows = labels(box(0, 2, 10, 4, 7, 1, 1, 3, 9, 0), 3)
    assert rows.dtype == np.float32
    assert rows.tolist() == [[7, 5, 3, 10, 2], [0, 2, 5, 2, 8], [0, 0, 0, 0, 0]]
    assert labels(np.repeat(box(0, 2, 10, 4, 7), 200, 0), 120).shape == (120, 5)
    assert mirrored(box(1, 2, 4, 8, 5), 30).tolist() == [[26, 2, 29, 8, 5]]
    assert moved(box(1, 2, 4, 8, 5), 2, 10, -20).tolist() == [[12, -16, 18, -4, 5]]
    assert cut(box(-1, 2, 40, 80, 5), (20, 30)).tolist() == [[0, 2, 30, 20, 5]]


def test_a_mosaic_by_hand() -> None:
    # pictures of 8x8, so the canvas is 16x16; the point is left of and below its middle
    images = [(flat(8, 8, 10), box(0, 0, 8, 8, 0)), (flat(8, 8, 20), box(2, 2, 6, 6, 1))]
    images += [(flat(4, 8, 30), box(0, 0, 8, 4, 2)), (flat(8, 4, 40), box(0, 0, 4, 8, 3))]
    canvas, boxes = mosaic(images, (6, 9), (8, 8))
    assert canvas.shape == (16, 16, 3)
    levels = canvas[:, :, 0]
    assert (levels[1:9, :6] == 10).all()  # two columns are beyond the canvas
    assert (levels[1:9, 6:14] == 20).all()
    assert (levels[9:13, :6] == 30).all()
    assert (levels[9:16, 6:10] == 40).all()  # one row is beyond it
    filled = np.zeros((16, 16), bool)
    for rows, columns in ((slice(1, 9), slice(0, 14)), (slice(9, 13), slice(0, 6)), (slice(9, 16), slice(6, 10))):
        filled[rows, columns] = True
    assert (levels[~filled] == 114).all()
    assert boxes.tolist() == [[0, 1, 6, 9, 0], [8, 3, 12, 7, 1], [0, 9, 6, 13, 2], [6, 9, 10, 16, 3]]


def test_a_tile_shows_the_part_next_to_the_point() -> None:
    image = noise(8, 8)
    canvas, _ = mosaic([(image, np.zeros((0, 5)))] * 4, (4, 4), (8, 8))
    np.testing.assert_array_equal(canvas[:4, :4], image[4:, 4:])
    np.testing.assert_array_equal(canvas[:4, 4:12], image[4:])
    np.testing.assert_array_equal(canvas[4:12, :4], image[:, 4:])
    np.testing.assert_array_equal(canvas[4:12, 4:12], image)
    canvas, _ = mosaic([(image, np.zeros((0, 5)))] * 4, (12, 12), (8, 8))
    np.testing.assert_array_equal(canvas[4:12, 4:12], image)
    np.testing.assert_array_equal(canvas[12:, 12:], image[:4, :4])


def test_images_in_a_mosaic_are_resized_to_fit_and_may_vanish() -> None:
    thin = (flat(1, 100, 50), box(0, 0, 100, 1, 9))
    wide = (flat(4, 16, 70), box(0, 0, 16, 4, 5))
    canvas, boxes = mosaic([thin, wide, thin, wide], (8, 8), (8, 8))
    assert (canvas[6:8, 8:16] == 70).all()  # 8 x 2 pixels
    assert boxes.tolist() == [[8, 6, 16, 8, 5], [8, 8, 16, 10, 5]]


def test_mixup_by_hand() -> None:
    own = flat(8, 8, 101), box(0, 0, 8, 8, 1)
    other = flat(8, 8, 50), box(2, 0, 8, 4, 2)
    # half as large, mirrored: seen at the top left, black beside it
    pixels, boxes = mixed(own, other, Partner(0, 0.5, (0, 0), True), early=False)
    assert (pixels[:4, :4] == 75).all()  # 75.5, cut
    assert (pixels[4:] == 50).all()
    assert (pixels[:, 4:] == 50).all()
    assert boxes.tolist() == [[0, 0, 8, 8, 1], [0, 0, 3, 2, 2]]
    # twice as large, of which the part from x = 6, y = 3 on is seen
    _, boxes = mixed(own, other, Partner(0, 2.0, (6, 3), False), early=False)
    assert boxes[1].tolist() == [0, 0, 8, 5, 2]  # 4..16 less 6, 0..8 less 3


def test_an_early_mixup_leaves_small_rests_out() -> None:
    own = flat(32, 32, 100), box(0, 0, 8, 8, 1)
    theirs = np.concatenate((box(0, 0, 20, 20, 2), box(0, 0, 5, 20, 3)))
    other = flat(32, 32, 50), theirs
    _, boxes = mixed(own, other, Partner(0, 1.0, (0, 0), False), early=True)
    assert boxes[:, 4].tolist() == [1, 2]
    pixels, boxes = mixed(own, (other[0], theirs[1:]), Partner(0, 1.0, (0, 0), False), early=True)
    assert (pixels == 100).all()  # nothing is mixed in for no box at all
    assert boxes[:, 4].tolist() == [1]
    pixels, boxes = mixed(own, (other[0], theirs[1:]), Partner(0, 1.0, (0, 0), False), early=False)
    assert (pixels == 75).all()
    assert boxes[:, 4].tolist() == [1, 3]
    # of 40 x 40 pixels 10 x 32 are seen, which is no more than a fifth, or 11 x 32
    for offset, kept in ((30, [1]), (29, [1, 2])):
        _, boxes = mixed(own, (other[0], theirs[:1]), Partner(0, 2.0, (offset, 0), False), early=True)
        assert boxes[:, 4].tolist() == kept


def test_what_is_drawn_for_mixup() -> None:
    half = 1 << 30
    drawn = partner(Recorded([half, 1, 100, 41]), 5, (0.5, 1.5), (32, 48))
    assert drawn == Partner(5, 1.0, (0, 0), True)
    # scaled by 1.25: 60 and 40 pixels, of which 48 and 32 are seen
    drawn = partner(Recorded([half // 2 * 3, 2, 100, 41]), 5, (0.5, 1.5), (32, 48))
    assert drawn == Partner(5, 1.25, (100 % 12, 41 % 8), False)


def test_colours_by_hand() -> None:
    image = np.array([[[200, 100, 100], [10, 10, 10]]], np.uint8)  # hue 0, saturation 128 (127.5), value 200; grey 10
    red, grey = recoloured(image, Colour(shifts=(-60, 0, 30)))[0].tolist()
    assert red == [pytest.approx(115, abs=1), pytest.approx(115, abs=1), 230]  # blue: -60 goes round to 120
    assert grey == [40, 40, 40]
    assert recoloured(image, Colour(shifts=(0, 0, 250)))[0, 1].tolist() == [255] * 3
    assert recoloured(image, Colour(factors=(1, 0, 0.275)))[0].tolist() == [[55] * 3, [2] * 3]  # 2.75 is cut
    assert recoloured(image, Colour(factors=(1, 9, 1)))[0, 0].tolist() == [200, 0, 0]


def test_what_is_drawn_for_colours() -> None:
    high, low, heads, tails = (1 << 31) - 1, 0, 1, 2
    assert colour(Recorded([high, low, high, heads, heads, tails]), False) == Colour(shifts=(5, -30, 0))
    factors = colour(Recorded([high, low, 1 << 30]), True).factors
    assert factors == pytest.approx((1.015, 0.3, 1.0))
    assert hsv.SHIFTS == (5, 30, 30)


OBJECTS = np.array([[2, 0.5, 0.5, 0.5, 0.5]], np.float32)


def plain(mirror: bool = False, drawn: Mosaic | None = None, shade: Colour | None = None) -> Plan:
    return Plan(0, drawn, shade or Colour(), mirror)


def test_a_picture_of_one_image() -> None:
    image = noise(16, 48)
    shown, rows = picture(plain(), SMALL, lambda _: image, lambda _: OBJECTS)
    np.testing.assert_array_equal(shown[:, :16], recoloured(image, Colour()).transpose(2, 0, 1)[::-1])
    assert (shown[:, 16:] == 114).all()
    assert rows.shape == (120, 5)
    assert rows[0].tolist() == [2, 24, 8, 24, 8]
    assert rows[1:].sum() == 0


def test_only_the_image_is_mirrored_and_recoloured_not_the_border() -> None:
    image = noise(32, 24)
    objects = np.array([[2, 0.25, 0.5, 0.5, 0.5]], np.float32)
    dark = Colour(shifts=(0, 0, -255))
    shown, rows = picture(plain(True, shade=dark), SMALL, lambda _: image, lambda _: objects)
    assert (shown[:, :, :24] == 0).all()
    assert (shown[:, :, 24:] == 114).all()
    assert rows[0].tolist() == [2, 18, 16, 12, 16]
    bright, _ = picture(plain(True), SMALL, lambda _: image, lambda _: objects)
    unturned, _ = picture(plain(), SMALL, lambda _: image, lambda _: objects)
    np.testing.assert_array_equal(bright[:, :, :24], unturned[:, :, 23::-1])


def test_a_picture_without_boxes_stays_as_it_is() -> None:
    image = noise(32, 48)
    none = np.zeros((0, 5), np.float32)
    shown, rows = picture(plain(True, shade=Colour(shifts=(0, 0, -255))), SMALL, lambda _: image, lambda _: none)
    np.testing.assert_array_equal(shown, image.transpose(2, 0, 1)[::-1])
    assert rows.sum() == 0


@pytest.mark.parametrize(("side", "shortest", "changed"), [(8.0, 8.0, False), (8.5, 8.0, True), (0.75, 1.0, False)])
def test_boxes_that_are_too_small(side: float, shortest: float, changed: bool) -> None:
    image = noise(32, 48)
    objects = np.array([[2, 0.25, 0.5, 0.5, side / 32]], np.float32)
    own = replace(SMALL, shortest=shortest)
    shown, rows = picture(plain(True), own, lambda _: image, lambda _: objects)
    # without any that is large enough, the picture keeps its boxes, and is not mirrored
    assert rows[0].tolist() == [2, 36 if changed else 12, 16, 24, side]
    first = image.transpose(2, 0, 1)[::-1]
    assert np.array_equal(shown, first) is not changed
    both = np.concatenate((objects, [[1, 0.5, 0.5, 1, 1]])).astype(np.float32)
    _, rows = picture(plain(True), own, lambda _: image, lambda _: both)
    assert [row[0] for row in rows.tolist() if sum(row)] == ([2, 1] if changed else [1])


def test_more_objects_than_labels() -> None:
    objects = np.repeat(OBJECTS, 150, 0)
    objects[:, 0] = np.arange(150)
    _, rows = picture(plain(), SMALL, lambda _: noise(32, 48), lambda _: objects)
    assert rows[:, 0].tolist() == list(range(120))


@pytest.mark.parametrize("extent", [(1, 1), (1, 3000), (3000, 1)])
def test_images_of_odd_shapes(extent: tuple[int, int]) -> None:
    drawn = Mosaic((0, 0, 0), (24, 16), STILL, Partner(0, 0.6, (0, 0), False))
    for own in (SMALL, replace(SMALL, early=True)):
        for made in (plain(), plain(True, drawn)):
            shown, rows = picture(made, own, lambda _: noise(*extent), lambda _: OBJECTS)
            assert shown.shape == (3, 32, 48)
            assert np.isfinite(rows).all()


def test_a_mosaic_is_mapped_mixed_and_mirrored() -> None:
    images = {0: flat(32, 48, 10), 1: flat(32, 48, 20), 2: flat(32, 48, 30), 3: flat(32, 48, 40), 4: flat(32, 48, 200)}
    half = Affine(0, 0.5, (0, 0), (0, 0))
    drawn = Mosaic((1, 2, 3), (48, 32), half, None)
    shown, rows = picture(plain(drawn=drawn), SMALL, images.__getitem__, lambda _: OBJECTS)
    assert [shown[0, y, x] for y, x in ((2, 2), (2, 40), (28, 2), (28, 40))] == [10, 20, 30, 40]
    found = rows[rows.sum(1) > 0].tolist()
    assert found == [[2, x, y, 12, 8] for y in (8, 24) for x in (12, 36)]
    turned, rows = picture(plain(True, drawn), SMALL, images.__getitem__, lambda _: OBJECTS)
    np.testing.assert_array_equal(turned, shown[:, :, ::-1])
    mixing = drawn._replace(partner=Partner(4, 1.0, (0, 0), False))
    _, rows = picture(plain(drawn=mixing), SMALL, images.__getitem__, lambda _: OBJECTS)
    assert rows[4].tolist() == [2, 24, 16, 24, 16]
    # nothing is mixed into a mosaic without boxes
    nothing = np.zeros((0, 5), np.float32)
    alone, rows = picture(
        plain(drawn=mixing), SMALL, images.__getitem__, lambda number: OBJECTS if number == 4 else nothing
    )
    assert rows.sum() == 0
    assert (alone[0, 2, 2], alone[0, 28, 40]) == (10, 40)


def test_an_early_mosaic_drops_boxes_of_which_little_is_left() -> None:
    # the picture is the canvas' middle: of the object that reaches into it by an eighth nothing remains
    objects = {0: np.array([[2, 0.4375, 0.5, 0.25, 0.5], [1, 0.875, 0.75, 0.25, 0.5]], np.float32)}
    none = np.zeros((0, 5), np.float32)
    drawn = Mosaic((1, 1, 1), (48, 32), STILL, None)

    def found(early: bool, own: Augmentation) -> list[float]:
        made = replace(own, early=early, shortest=0.5)
        _, rows = picture(plain(drawn=drawn), made, lambda _: flat(32, 48, 9), lambda number: objects.get(number, none))
        return [row[0] for row in rows.tolist() if sum(row)]

    assert found(True, SMALL) == [1]
    # today the top left corner stays in place
    assert found(False, SMALL) == [2, 1]
    # what the scale alone takes does not count: 0.4 of both sides are 0.16 of the area
    drawn = Mosaic((1, 1, 1), (48, 32), Affine(0, 0.4, (0, 0), (0, 0)), None)
    assert found(True, SMALL) == [2, 1]


@settings(max_examples=30)
@given(st.integers(0, 2**63), st.booleans(), st.sampled_from(["s", "tiny", "nano"]))
def test_any_draw_gives_a_picture(seed: int, early: bool, name: str) -> None:
    own, _ = rules.august_2021(name) if early else rules.HEAD[name]
    own = replace(own, size=(32, 48))
    images = {number: noise(10 + 7 * number, 40 - 5 * number, number) for number in range(5)}
    objects = {number: np.repeat(OBJECTS, number, 0) for number in range(5)}
    made = plan(Counter(seed, 1), own, 2, 5, lambda number: len(objects[number]))
    assert made == plan(Counter(seed, 1), own, 2, 5, lambda number: len(objects[number]))
    assert made.image == 2
    if made.mosaic is not None:
        x, y = made.mosaic.point
        assert 24 <= x <= 72
        assert 16 <= y <= 48
        assert (made.mosaic.partner is None) is (own.mixup is None)
        assert own.scale[0] <= made.mosaic.affine.scale <= own.scale[1]
        assert made.mosaic.partner is None or made.mosaic.partner.image != 0  # which has no objects
    shown, rows = picture(made, own, images.__getitem__, objects.__getitem__)
    again, same = picture(made, own, images.__getitem__, objects.__getitem__)
    np.testing.assert_array_equal(shown, again)
    np.testing.assert_array_equal(rows, same)
    assert shown.dtype == np.float32
    assert (shown.shape, rows.shape) == ((3, 32, 48), (120, 5))
    assert (rows[:, 3:] >= 0).all()
    low, high = rows[:, 1:3] - rows[:, 3:] / 2, rows[:, 1:3] + rows[:, 3:] / 2
    assert (low >= -1e-3).all()
    assert (high <= [48 + 1e-3, 32 + 1e-3]).all()


def test_without_any_objects_nothing_is_mixed_in() -> None:
    made = plan(Counter(0, 0), SMALL, 0, 3, lambda _: 0)
    assert made.mosaic is not None
    assert made.mosaic.partner is None


def test_how_often_there_is_a_mosaic() -> None:
    def share(own: Augmentation) -> float:
        plans = [plan(Counter(0, number), own, 0, 3, lambda _: 1) for number in range(400)]
        return sum(made.mosaic is not None for made in plans) / len(plans)

    assert share(rules.HEAD["s"][0]) == 1
    assert share(rules.HEAD["s"][0].closing()) == 0
    assert abs(share(rules.HEAD["nano"][0]) - 0.5) < 0.1
    assert share(rules.july_2021("nano")[0]) == 1


def test_where_four_images_meet() -> None:
    plans = [plan(Counter(1, number), SMALL, 0, 3, lambda _: 1).mosaic for number in range(300)]
    points = np.array([drawn.point for drawn in plans if drawn is not None])
    # from one half to three halves of 48 and 32
    assert (np.abs(points.min(0) - [24, 16]) <= 1).all()
    assert (np.abs(points.max(0) - [71, 47]) <= 1).all()


def test_the_versions_by_the_specification() -> None:
    large, scales = rules.HEAD["l"]
    assert (large.size, large.mosaic, large.scale, large.mixup) == ((640, 640), 1, (0.1, 2), (0.5, 1.5))
    assert (large.degrees, large.shear, large.shift, large.shortest, large.most) == (10, 2, 0.1, 1, 120)
    assert scales == Scales(15, 25, 32)  # 480 to 800
    tiny, scales = rules.HEAD["tiny"]
    assert (tiny.size, tiny.scale, tiny.mixup, scales) == ((416, 416), (0.5, 1.5), None, Scales(10, 20))
    assert rules.HEAD["nano"][0] == replace(tiny, mosaic=0.5)
    early, scales = rules.august_2021("x")
    assert (early.mixup, early.shortest, early.early, scales) == ((0.8, 1.6), 8, True, Scales(14, 26))
    early, scales = rules.august_2021("nano")
    assert (early.size, early.mosaic, early.mixup, early.normalised) == ((640, 640), 0.5, None, False)
    assert scales == Scales(10, 20)
    assert rules.july_2021("nano")[0] == replace(early, mosaic=1, normalised=True)


def test_sizes_change_every_ten_iterations() -> None:
    sizes = [size_of(Scales(), (640, 640), iteration, 7) for iteration in range(1, 2001)]
    assert set(sizes[:10]) == {(640, 640)}
    blocks = [sizes[at : at + 10] for at in range(0, 2000, 10)]
    assert all(len({*block}) == 1 for block in blocks)
    assert {height for height, _ in sizes} == set(range(480, 801, 32))
    assert all(height == width for height, width in sizes)
    assert sizes != [size_of(Scales(), (640, 640), iteration, 8) for iteration in range(1, 2001)]
    wide = {size_of(Scales(10, 10), (320, 480), iteration, 0) for iteration in range(11, 50)}
    assert wide == {(320, 480)}


def test_a_resized_batch() -> None:
    images = torch.arange(16.0).view(1, 1, 4, 4).repeat(1, 3, 1, 1)
    rows = torch.tensor([[[5.0, 1, 2, 3, 4], [0, 0, 0, 0, 0]]])
    same, still = resized(images, rows, (4, 4))
    assert same is images
    assert still is rows
    result, own = resized(images, rows, (2, 8))
    assert result.shape == (1, 3, 2, 8)
    assert result[0, 0, 0, 0] == 2.0  # between rows 0 and 1 of column 0
    assert own[0].tolist() == [[5, 2, 1, 6, 2], [0, 0, 0, 0, 0]]


def test_normalised_pixels() -> None:
    image = noise(32, 48)
    shown, _ = picture(plain(), replace(SMALL, normalised=True), lambda _: image, lambda _: np.zeros((0, 5), "f"))
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    expected = (letterbox(image, 48, 32) / 255 - mean) / deviation
    np.testing.assert_allclose(shown, expected.transpose(2, 0, 1), rtol=0, atol=1e-5)
