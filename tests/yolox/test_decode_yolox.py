"""YOLOX's boxes and suppression as Megvii's code and torchvision compute them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from refusals import refuses
from replay_yolox import postprocess

from cspbench.detection.decode_yolox import activated, decode, limit, points, selected

GOLDEN = Path(__file__).parents[1] / "golden" / "yolox"
CASES = ("small", "demo", "agnostic", "vanilla", "nano", "edge")
Floats = NDArray[np.float32]


def test_postprocessing_is_the_originals() -> None:
    with np.load(GOLDEN / "postprocess.npz") as arrays:
        differences = list(postprocess("", dict(arrays)))
        assert all(len(arrays[f"{case}_det0"]) > 0 for case in CASES)
    assert len(differences) == 9
    assert [each.key for each in differences if not each.good] == []


def test_the_largest_case_has_more_boxes_than_torchvision_takes_together() -> None:
    with np.load(GOLDEN / "postprocess.npz") as arrays:
        assert len(arrays["vanilla_pred"][0]) > 1000


@pytest.mark.parametrize(
    ("shared", "union", "threshold", "suppressed"),
    [(3, 5, 0.6, True), (13, 20, 0.65, False), (1, 2, 0.5, False), (9, 20, 0.45, False)],
)
def test_the_threshold_is_a_double(shared: int, union: int, threshold: float, suppressed: bool) -> None:
    overlap = np.float32(shared) / np.float32(union)
    assert (float(overlap) > threshold) is suppressed
    assert bool(overlap > np.float32(limit(threshold))) is suppressed


@given(st.floats(0, 1, exclude_max=True), st.floats(0, 1, width=32))
def test_every_threshold_is_compared_as_a_double(threshold: float, overlap: float) -> None:
    for value in (np.float32(overlap), np.float32(threshold), np.nextafter(np.float32(threshold), np.float32(2))):
        assert bool(value > np.float32(limit(threshold))) is (float(value) > threshold)


def test_nothing_is_above_a_threshold_of_one() -> None:
    assert not np.nextafter(np.float32(1), np.float32(2)) > np.float32(limit(1.0))
    assert limit(float(np.nextafter(1.0, 0.0))) < 1


def test_points_by_hand() -> None:
    result = points((32, 64))
    assert len(result) == 4 * 8 + 2 * 4 + 1 * 2
    assert result[:10].tolist() == [*([column, 0, 8] for column in range(8)), [0, 1, 8], [1, 1, 8]]
    assert result[32:37].tolist() == [[0, 0, 16], [1, 0, 16], [2, 0, 16], [3, 0, 16], [0, 1, 16]]
    assert result[-2:].tolist() == [[0, 0, 32], [1, 0, 32]]
    assert len(points((416, 416))) == 3549
    assert len(points((640, 640))) == 8400


def raw_outputs(images: int, classes: int = 2) -> Floats:
    return np.zeros((images, 42, 5 + classes), np.float32)


def test_boxes_by_hand() -> None:
    at = points((32, 64))
    raw = raw_outputs(1)
    raw[0, 9] = [0.5, -0.25, np.log(2), np.log(3), 0, np.log(3), -np.log(3)]  # column 1, row 1 of stride 8
    rows = activated(raw, at)
    np.testing.assert_allclose(rows[0, 9], [12, 6, 16, 24, 0.5, 0.75, 0.25], rtol=1e-6)
    np.testing.assert_allclose(rows[0, 41], [32, 0, 32, 32, 0.5, 0.5, 0.5], rtol=1e-6)
    (image,) = decode(raw, at, 0.3, [(2.0, 4.0)], ["a"])
    np.testing.assert_allclose(image.boxes, [[6, 1.5, 8, 6]], rtol=1e-6)
    assert (image.category.tolist(), image.score.tolist(), image.box.tolist()) == ([0], [0.375], [0])


def test_a_score_at_the_threshold_is_enough_and_the_first_class_wins() -> None:
    rows = np.array([[9, 9, 4, 4, 0.5, 0.25, 0.25], [9, 9, 4, 4, 0.5, 0.24, 0.2]], np.float32)
    result = selected(rows, 0.125)
    assert (len(result), result.category.tolist(), result.score.tolist()) == (1, [0], [0.125])
    assert (selected(rows, 0.1).box.tolist(), len(selected(rows, 0.2))) == ([0, 1], 0)


def test_an_image_that_is_too_thin_has_no_candidates() -> None:
    at, raw = points((32, 64)), raw_outputs(2)
    images = decode(raw, at, 0.001, [None, (1.0, 1.0)], ["a", "b"])
    assert [len(image) for image in images] == [0, 42]
    assert decode(raw[:0], at, 0.001, [], []) == []


def test_outputs_that_are_not_finite() -> None:
    at, raw = points((32, 64)), raw_outputs(2)
    raw[1, 3, 6] = np.nan
    with refuses("network.not-finite", where="b", found="nan"):
        decode(raw, at, 0.001, [(1, 1)] * 2, ["a", "b"])
    raw[1, 3, 6] = 0
    raw[0, 5, 3] = 100  # e^100
    with refuses("network.not-finite", where="a", found="inf"):
        decode(raw, at, 0.001, [(1, 1)] * 2, ["a", "b"])
    raw[0, 5, 4] = -100  # a box below the threshold does not matter, nor does a probability of 0
    images = decode(raw, at, 0.001, [(1, 1)] * 2, ["a", "b"])
    assert [len(image) for image in images] == [41, 42]
