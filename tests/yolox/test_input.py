"""YOLOX's input: the letterboxes of Megvii's code and of mmdetection, and their pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from replay_yolox import replay

from cspbench.data.detection_presets import PRESETS
from cspbench.data.opencv import letterbox, letterbox_extent, planes, resize

CASES = ("416-000000022892", "416-000000062554", "640-000000434204")


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.reference("golden/yolox", "data/coco-mini")
@pytest.mark.parametrize("case", CASES)
def test_the_originals_input(shared: Path, case: str) -> None:
    images = shared / "data" / "coco-mini" / "val2017"
    differences = replay(shared / "golden" / "yolox" / f"preprocess-{case}.jpg.npz", images)
    assert differences is not None
    assert [each.key for each in differences] == ["input", "ratio", "legacy mean", "legacy corner"]
    assert all(each.good for each in differences)


@pytest.mark.parametrize(
    ("size", "extent", "cut", "rounded"),
    [
        ((416, 416), (500, 334), (416, 277), (416, 278)),  # 277.9
        ((416, 416), (640, 428), (416, 278), (416, 278)),  # 278.2
        ((640, 640), (333, 500), (426, 640), (426, 640)),  # 426.2
        ((640, 640), (10, 10), (640, 640), (640, 640)),  # small images are enlarged
        ((416, 640), (640, 640), (416, 416), (416, 416)),
        ((416, 416), (5000, 5), (416, 0), (416, 0)),  # 0.416
        ((416, 416), (5000, 7), (416, 0), (416, 1)),  # 0.58
    ],
)
def test_sides_by_hand(
    size: tuple[int, int], extent: tuple[int, int], cut: tuple[int, int], rounded: tuple[int, int]
) -> None:
    assert letterbox_extent(size, extent) == cut
    assert letterbox_extent(size, extent, rounded=True) == rounded


@given(st.integers(1, 80), st.integers(1, 80), st.booleans())
def test_a_letterbox_is_the_resized_image_in_the_corner_of_grey(height: int, width: int, rounded: bool) -> None:
    image = noise(height, width)
    across, down = letterbox_extent((32, 48), (width, height), rounded)
    result = letterbox(image, 48, 32, rounded)
    assert result.shape == (32, 48, 3)
    if across and down:
        np.testing.assert_array_equal(result[:down, :across], resize(image, across, down))
    assert (result[down:] == 114).all()
    assert (result[:, across:] == 114).all()


def test_half_of_both_sides_is_the_rounded_mean_of_four() -> None:
    image = noise(20, 32)
    sums = image.reshape(10, 2, 16, 2, 3).sum((1, 3), dtype=np.int64)
    np.testing.assert_array_equal(resize(image, 16, 10), (sums + 2) >> 2)


def test_blue_comes_first_unless_it_is_normalised() -> None:
    pixels = np.array([[[255, 0, 51]]], np.uint8)
    assert planes(pixels, False)[:, 0, 0].tolist() == [51, 0, 255]
    out = np.empty((3, 1, 1), np.float32)
    assert planes(pixels, True, out) is out
    expected = [(1 - 0.485) / 0.229, -0.456 / 0.224, (0.2 - 0.406) / 0.225]
    np.testing.assert_allclose(out[:, 0, 0], expected, rtol=1e-6)
    assert PRESETS["yolox"].prepare(noise(1, 3), (4, 4))[:, 2:].tolist() == [[[114.0] * 4] * 2] * 3
    grey = PRESETS["yolox-legacy"].prepare(noise(1, 3), (4, 4))[:, 3, 3]
    np.testing.assert_allclose(grey, (114 / 255 - np.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225], rtol=1e-5)


def test_a_decoded_image_cannot_be_written_to_and_stays_as_it_is() -> None:
    image = noise(9, 13)
    image.setflags(write=False)
    before = image.copy()
    result = letterbox(image, 26, 18)
    result[...] = 0
    np.testing.assert_array_equal(image, before)


def test_an_image_of_the_inputs_size_is_not_changed_through_its_letterbox() -> None:
    image = noise(8, 8)
    before = image.copy()
    letterbox(image, 8, 8)[...] = 0
    np.testing.assert_array_equal(image, before)
