"""Windows, colours, blurs and crops by hand, and their properties."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cspbench.data import opencv
from cspbench.data.augment import blur, colour, crop, window
from cspbench.data.augment.crop import Margins
from cspbench.data.augment.draws import Counter, Recorded, uniform

ONE = np.float32(1)


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_what_darknet_derives_from_rand() -> None:
    half = 1 << 30
    assert uniform(half, 3, 1) == 2  # a wrong order is put right
    draws = Recorded([half, 7, 7, 9, half, 1, half, 2])
    assert draws.uniform(-4, 4) == 0
    assert draws.between(5, 3) == 4  # 7 modulo 3, from 3
    assert draws.below(5) == 2
    assert draws.coin() is True
    assert draws.scale(2) == 1.5
    assert draws.scale(0.5) == np.float32(1) / np.float32(0.75)
    with pytest.raises(IndexError):
        draws.integer()


def test_a_counter_gives_the_same_integers_anywhere_and_others_elsewhere() -> None:
    first = [Counter(3, 8).integer() for _ in range(2)]
    assert first[0] == first[1]
    one = Counter(3, 8)
    numbers = [one.integer() for _ in range(300)]
    assert numbers[0] == first[0]
    assert len(set(numbers)) > 290
    assert all(0 <= number < 1 << 31 for number in numbers)
    assert len({Counter(*key).integer() for key in ((3, 8), (3, 9), (4, 8), (3, 8, 1), (-3, 8))}) == 5


def test_a_window_of_the_same_scale_is_a_part_and_black_is_around() -> None:
    image = torch.arange(12, dtype=torch.uint8).view(1, 3, 4)
    shown = window.sample(image, window.Window(6, ONE, np.float32(0), np.float32(0), np.float32(0), ONE))
    # the centre (2, 1.5) of the image is the centre (3, 3) of the window: half a row off
    expected = torch.zeros(6, 6)
    rows = torch.cat((torch.zeros(1, 4), image[0].float(), torch.zeros(1, 4)))
    expected[1:5, 1:5] = (rows[:-1] + rows[1:]) / 2
    torch.testing.assert_close(shown[0], expected)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 5), (5, 1)])
def test_a_window_on_an_image_of_one_pixel_is_black_outside(height: int, width: int) -> None:
    image = torch.full((3, height, width), 9, dtype=torch.uint8)
    shown = window.sample(image, window.Window(8, ONE, np.float32(0), np.float32(0), np.float32(0), ONE))
    assert shown.sum() == 3 * 9 * height * width
    assert shown[:, 0].max() == shown[:, :, -1].max() == 0


def test_a_window_beside_the_image_is_black() -> None:
    image = torch.full((3, 4, 4), 9, dtype=torch.uint8)
    shown = window.sample(image, window.Window(4, ONE, np.float32(0), np.float32(50), np.float32(0), ONE))
    assert shown.shape == (3, 4, 4)
    assert not shown.any()


@given(st.integers(0, 2**32 - 1), st.floats(-0.5, 0.5), st.floats(0.3, 2), st.floats(0.3, 2))
def test_colours_are_those_of_the_standard_library(seed: int, hue: float, saturation: float, exposure: float) -> None:
    planes = torch.from_numpy(np.random.default_rng(seed).random((3, 2, 2), np.float32))
    made = colour.distort(planes, hue, saturation, exposure)
    for row, column in np.ndindex(2, 2):
        turn, strength, value = colorsys.rgb_to_hsv(*planes[:, row, column].tolist())
        strength *= saturation
        expected = colorsys.hsv_to_rgb((turn + hue) % 1, strength, value * exposure)
        np.testing.assert_allclose(made[:, row, column], np.clip(expected, 0, 1), atol=2e-5)


def test_grey_stays_grey_and_one_channel_only_gets_brighter() -> None:
    grey = torch.tensor([0.0, 0.25, 1.0]).expand(3, 1, 3)
    assert torch.equal(colour.distort(grey, 0.1, 1.5, 0.5), grey * 0.5)
    assert torch.equal(colour.distort(grey[:1], 0.1, 1.5, 2), torch.tensor([[[0, 0.5, 1]]]))


def test_the_hue_of_one_whole_turn_is_darknets_magenta() -> None:
    red = torch.tensor([1.0, 0.0, 0.0]).view(3, 1, 1)
    assert colour.distort(red, 1, 1, 1).flatten().tolist() == [1, 0, 1]
    assert colour.distort(red, 0, 1, 1).flatten().tolist() == [1, 0, 0]


def test_colours_of_8_bits() -> None:
    red = np.array([[[200, 0, 0]]], np.uint8)
    assert colour.distort_8bit(red, 0, 1, 1) is red
    # brightness 200 * 1.5 saturates; a hue below 0 stays at red instead of going round to magenta
    assert colour.distort_8bit(red, 0, 1, 1.5).tolist() == [[[255, 0, 0]]]
    assert colour.distort_8bit(red, -0.1, 1, 1).tolist() == [[[200, 0, 0]]]
    # 60 of 180 steps: green
    assert colour.distort_8bit(red, 60 / 179, 1, 1).tolist() == [[[0, 200, 0]]]
    # half the saturation: 128 of 255, of which the way back keeps 200 * 127 / 255 = 99.6 in whole levels
    assert colour.distort_8bit(red, 0, 0.5, 1).tolist() == [[[200, 99, 99]]]


@pytest.mark.parametrize("size", [1, 3, 5, 7, 9, 15, 17, 31])
def test_kernels_have_a_sum_of_one(size: int) -> None:
    taps = blur.kernel(size)
    assert len(taps) == size
    assert sum(taps) == 256
    assert taps == taps[::-1]
    assert blur.gaussian(np.full((5, 4, 3), 77, np.uint8), size).tolist() == np.full((5, 4, 3), 77).tolist()


def test_a_gaussian_of_a_point_is_its_kernel() -> None:
    image = np.zeros((9, 9, 3), np.uint8)
    image[4, 4] = 255
    # taps 64, 128, 64: 255 * 128 * 128 / 65536 = 63.75, and a half and a quarter of that, rounded
    assert blur.gaussian(image, 3)[3:6, 3:6, 0].tolist() == [[16, 32, 16], [32, 64, 32], [16, 32, 16]]


def test_an_image_smaller_than_the_blur() -> None:
    image = picture(2, 1)
    assert blur.gaussian(image, 17).shape == blur.bilateral(image).shape == (2, 1, 3)


def test_the_bilateral_filter_keeps_edges() -> None:
    image = np.zeros((20, 20, 3), np.uint8)
    image[:, 10:] = 255
    # 765 levels apart is ten deviations: exp(-52)
    assert np.array_equal(blur.bilateral(image), image)


def test_a_crop_without_margins_of_the_same_size_is_the_image() -> None:
    image = picture(6, 5)
    assert np.array_equal(crop.crop(image, Margins(0, 0, 0, 0), 5, 6), image)
    assert np.array_equal(crop.crop(image, Margins(1, 2, 3, 1), 2, 2), image[3:5, 1:3])


def test_what_a_crop_has_outside_is_the_mean_colour() -> None:
    image = picture(4, 4)
    made = crop.crop(image, Margins(-2, 0, -1, 0), 6, 5)
    mean = np.rint(image.reshape(-1, 3).mean(0))
    assert np.array_equal(crop.mean_colour(image), mean)
    assert np.array_equal(made[1:, 2:], image)
    assert (made[0] == mean).all()
    assert (made[:, :2] == mean).all()


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 30), st.integers(1, 30))
def test_a_resize_is_bilinear_with_half_pixel_centres(height: int, width: int, down: int, across: int) -> None:
    image = picture(height, width, height * 31 + width)
    made = opencv.resize(image, across, down)
    planes = torch.from_numpy(image).permute(2, 0, 1)[None].double()
    exact = torch.nn.functional.interpolate(planes, (down, across), mode="bilinear", align_corners=False)[0]
    assert made.shape == (down, across, 3)
    assert np.abs(made.transpose(2, 0, 1) - exact.numpy()).max() < 1.1
