"""A first convolution rewritten for other pixels, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cspbench.zoo.yolox.pixels import DARKNET, IMAGENET, RAW, Pixels, folded

COLOURS = Pixels((10.0, 20.0, 30.0), (2.0, 4.0, 5.0))


def test_planes_by_hand() -> None:
    levels = np.array([12, 28, 40], np.float32)[:, None, None]
    assert COLOURS.planes(levels).ravel().tolist() == [1, 2, 2]
    assert RAW.planes(levels).ravel().tolist() == [40, 28, 12]
    assert DARKNET.planes(levels).ravel().tolist() == pytest.approx([12 / 255, 28 / 255, 40 / 255])
    white = IMAGENET.planes(np.full((3, 1, 1), 255, np.float32)).ravel().tolist()
    assert white == pytest.approx([(1 - m) / d for m, d in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))])


def test_a_filter_by_hand() -> None:
    """Of two pixels: 1 x red + 2 x green + 3 x blue of the first, 4, 8 and 10 times those of the second."""
    weight = np.array([1, 2, 3, 4, 8, 10], np.float32).reshape(1, 6, 1, 1)
    changed, mean = folded(weight, np.array([7], np.float32), COLOURS, RAW)
    # blue first, over the deviations
    assert changed.ravel().tolist() == pytest.approx([3 / 5, 2 / 4, 1 / 2, 10 / 5, 8 / 4, 4 / 2])
    # black adds -(10 / 2 + 2 x 20 / 4 + 3 x 30 / 5) - (20 + 40 + 60) = -33 - 120, which the mean takes away again
    assert mean.tolist() == [7 + 153]
    assert changed.dtype == mean.dtype == np.float32


def test_there_and_back_is_what_it_was() -> None:
    generator = np.random.default_rng(0)
    weight, mean = generator.normal(size=(4, 12, 3, 3)).astype(np.float32), np.ones(4, np.float32)
    there = folded(weight, mean, IMAGENET, RAW)
    back = folded(*there, RAW, IMAGENET)
    assert np.allclose(back[0], weight, rtol=1e-6)
    assert np.allclose(back[1], mean, atol=1e-5)
    same = folded(weight, mean, DARKNET, DARKNET)
    assert np.array_equal(same[0], weight)
    assert np.array_equal(same[1], mean)


@pytest.mark.parametrize("source", [IMAGENET, DARKNET, RAW, COLOURS])
@pytest.mark.parametrize("target", [IMAGENET, DARKNET, RAW, COLOURS])
def test_the_sum_over_pixels_is_the_same_but_for_the_mean(source: Pixels, target: Pixels) -> None:
    generator = np.random.default_rng(1)
    levels = generator.integers(0, 256, (3, 2, 2)).astype(np.float32)
    weight, mean = generator.normal(size=(5, 12, 1, 1)).astype(np.float32), np.zeros(5, np.float32)

    def response(pixels: Pixels, weight: np.ndarray, mean: np.ndarray) -> np.ndarray:
        values = pixels.planes(levels).astype(np.float64)
        corners = np.concatenate([values[:, row, column] for column in (0, 1) for row in (0, 1)])
        return np.asarray(weight[:, :, 0, 0] @ corners - mean)

    changed = folded(weight, mean, source, target)
    expected = response(source, weight, mean)
    assert np.allclose(response(target, *changed), expected, atol=1e-4 * max(1, float(np.abs(expected).max())))
