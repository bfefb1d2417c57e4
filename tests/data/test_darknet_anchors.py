"""Anchors by Darknet's k-means, on boxes whose clusters can be seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusals import refuses

from cspbench.data.darknet.anchors import anchors_of, overlaps

SMALL_AND_LARGE = np.array([[0.5, 0.5], [0.1, 0.2], [0.12, 0.2], [0.7, 0.5]])


def test_the_centres_are_the_means_of_their_boxes() -> None:
    """Two clusters: (10, 20) and (12, 20) with mean (11, 20), and (50, 50) and (70, 50) with mean (60, 50).

    IoU with the means: 200 / 220, 220 / 240, 2500 / 3000 and 3000 / 3500.
    """
    for seed in range(8):
        result = anchors_of(SMALL_AND_LARGE, 2, (100, 100), seed)
        np.testing.assert_allclose(result.sizes, [[11, 20], [60, 50]], rtol=1e-12)
        assert result.average_iou == pytest.approx((200 / 220 + 220 / 240 + 2500 / 3000 + 3000 / 3500) / 4)
        assert result.counts.tolist() == [2, 2]
        assert result.cfg() == "11,20, 60,50"


def test_one_anchor_is_the_mean_and_sizes_are_of_the_input() -> None:
    result = anchors_of(SMALL_AND_LARGE, 1, (200, 100))
    np.testing.assert_allclose(result.sizes, [[71, 35]], rtol=1e-12)  # (.5 + .1 + .12 + .7) / 4 * 200, ... * 100


def test_as_many_anchors_as_boxes_are_the_boxes() -> None:
    result = anchors_of(SMALL_AND_LARGE, 4, (100, 100), 3)
    np.testing.assert_allclose(result.sizes, [[10, 20], [12, 20], [50, 50], [70, 50]], rtol=1e-12)
    assert result.average_iou == pytest.approx(1)


def test_equal_boxes_leave_centres_without_boxes() -> None:
    result = anchors_of(np.full((5, 2), 0.5), 3, (416, 416))
    np.testing.assert_array_equal(result.sizes, np.full((3, 2), 208))
    assert result.counts.tolist() == [5, 0, 0]


def test_numbers_out_of_range() -> None:
    with refuses("darknet.few-boxes", expected="5 boxes at least", found="4"):
        anchors_of(SMALL_AND_LARGE, 5, (416, 416))
    for number in (0, 65):
        with refuses("usage.out-of-range", found=str(number)):
            anchors_of(SMALL_AND_LARGE, number, (416, 416))


boxes = st.lists(st.tuples(*[st.floats(0.01, 1)] * 2), min_size=4, max_size=40)


@given(boxes, st.integers(1, 4), st.integers(0, 5))
def test_a_seed_gives_the_same_anchors_and_no_box_has_a_better_one(
    sizes: list[tuple[float, float]], number: int, seed: int
) -> None:
    values = np.array(sizes)
    first, second = (anchors_of(values, number, (320, 416), seed) for _ in range(2))
    np.testing.assert_array_equal(first.sizes, second.sizes)
    assert (np.diff(first.sizes.prod(1)) >= 0).all()
    assert first.counts.sum() == len(values)
    assert 0 < first.average_iou <= 1 + 1e-12
    assert first.average_iou == pytest.approx(overlaps(values * [320, 416], first.sizes).max(1).mean())


def test_an_anchor_without_boxes_stays() -> None:
    result = anchors_of(np.array([[0.5, 0.25]] * 3), 2, (100, 200))
    assert result.sizes.tolist() == [[50, 50], [50, 50]]
    assert result.counts.tolist() == [3, 0]
