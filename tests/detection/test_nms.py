"""Suppression against the specification's words, one pair at a time, in float32 as C computes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cspbench.detection import nms as module
from cspbench.detection.candidates import Candidates
from cspbench.detection.nms import criterion, nms, nms_many
from cspbench.detection.overlaps import PLAIN, Criterion
from cspbench.network.layers import Region, Yolo

F = np.float32
ANCHORS = ((10.0, 10.0),)
GREEDY = 0.6
KINDS = (PLAIN, GREEDY, float(F(0.6)), float(F(0.9)))


def candidates(boxes: Sequence[Sequence[float]], category: Sequence[int], score: Sequence[float]) -> Candidates:
    """One box per candidate."""
    return Candidates(
        np.array(boxes, F).reshape(-1, 4),
        np.arange(len(score), dtype=np.int32),
        np.array(category, np.int16),
        np.array(score, F),
    )


def edges(box: np.ndarray[Any, Any]) -> tuple[F, F, F, F]:
    x, y, w, h = (F(value) for value in box)
    return x - w / F(2), y - h / F(2), x + w / F(2), y + h / F(2)


def value(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any], by: Criterion) -> F:
    """What is held against the threshold: the specification's b.3, every operation rounded to float32."""
    (al, at, ar, ab), (bl, bt, br, bb) = edges(a), edges(b)
    width, height = min(ar, br) - max(al, bl), min(ab, bb) - max(at, bt)
    intersection = F(0) if width < 0 or height < 0 else width * height
    union = a[2] * a[3] + b[2] * b[3] - intersection
    iou = F(0) if intersection == 0 or union == 0 else intersection / union
    if by is None:
        return F(iou)
    outer_width, outer_height = max(ar, br) - min(al, bl), max(ab, bb) - min(at, bt)
    diagonal = outer_width * outer_width + outer_height * outer_height
    if diagonal == 0:
        return F(iou)
    distance = (a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1])
    return F(iou - F(float(distance / diagonal) ** by))


def brute_force(image: Candidates, threshold: float, by: Criterion) -> list[bool]:
    """Class by class, by falling score, ties in order: each that is left removes the later ones that overlap it."""
    keep = [True] * len(image)
    for category in set(image.category.tolist()):
        members = [at for at in range(len(image)) if image.category[at] == category]
        members.sort(key=lambda at: -image.score[at])
        for place, first in enumerate(members):
            if keep[first]:
                for second in members[place + 1 :]:
                    if value(image.boxes[image.box[first]], image.boxes[image.box[second]], by) > F(threshold):
                        keep[second] = False
    return keep


lengths = st.one_of(st.sampled_from([0.0, 1e-25, 1e-3, 1.0, 10.0, 16.0, -8.0]), st.floats(0, 60), st.floats(0, 1e-18))
places = st.one_of(st.sampled_from([-5.0, 0.0, 8.0, 12.0, 600.0]), st.floats(-40, 60))
THRESHOLDS = st.sampled_from([0.0, 0.2, 0.45, 0.5, 0.6, 1.0])


@st.composite
def images(draw: st.DrawFn) -> Candidates:
    """Few places, sizes and scores, so that boxes are equal, touch, and tie; degenerate ones among them."""
    boxes = draw(st.lists(st.tuples(places, places, lengths, lengths), min_size=1, max_size=6))
    pairs = st.tuples(
        st.integers(0, len(boxes) - 1), st.integers(0, 2), st.one_of(st.sampled_from([0.5, 0.25]), st.floats(0, 1))
    )
    result = sorted(draw(st.lists(pairs, max_size=24)), key=lambda pair: pair[0])
    box, category, score = ([pair[at] for pair in result] for at in range(3))
    return Candidates(
        np.array(boxes, F), np.array(box, np.int32), np.array(category, np.int16), np.array(score, np.float32)
    )


@settings(max_examples=300)
@given(st.lists(images(), max_size=4), st.lists(THRESHOLDS, min_size=1, max_size=4), st.sampled_from(KINDS))
def test_as_the_specification_says(some: list[Candidates], thresholds: list[float], by: Criterion) -> None:
    kept = nms_many(some, thresholds, by)
    assert [len(each) for each in kept] == [len(some)] * len(thresholds)
    with np.errstate(all="ignore"):
        for threshold, masks in zip(thresholds, kept, strict=True):
            assert [mask.tolist() for mask in masks] == [brute_force(image, threshold, by) for image in some]


def crowd(count: int, classes: int, seed: int = 0) -> Candidates:
    """Boxes around a few objects of every class."""
    rng = np.random.default_rng(seed)
    category = rng.integers(0, classes, count)
    objects = rng.uniform(0, 1, (4 * classes, 2)) * [640, 480]
    sizes = np.exp(rng.normal(4, 0.8, (4 * classes, 2)))
    at = 4 * category + rng.integers(0, 4, count)
    centre = objects[at] + rng.normal(0, 0.2, (count, 2)) * sizes[at]
    extent = sizes[at] * np.exp(rng.normal(0, 0.3, (count, 2)))
    boxes = np.concatenate((centre, extent), 1).astype(F)
    score = (rng.integers(1, 40, count) / 40).astype(F)
    return Candidates(boxes, np.arange(count, dtype=np.int32), category.astype(np.int16), score)


@pytest.mark.parametrize("by", KINDS)
def test_crowds(by: Criterion) -> None:
    # large enough for every way of finding pairs; of one class, and of several
    for image in (crowd(160, 1), crowd(300, 4, 1)):
        for threshold, (mask,) in zip((0.3, 0.6), nms_many([image], (0.3, 0.6), by), strict=True):
            assert mask.tolist() == brute_force(image, threshold, by)


@pytest.mark.parametrize("by", KINDS)
def test_blocks_and_too_many_pairs_change_nothing(by: Criterion, monkeypatch: pytest.MonkeyPatch) -> None:
    some = [crowd(400, 8), crowd(1, 1), candidates([], [], []), crowd(50, 3, 2)]
    expected = nms_many(some, (0.45, 0.6), by)
    for name, small in (("BLOCK", 60), ("MOST_PAIRS", 100), ("BLOCK_IMAGES", 1)):
        monkeypatch.setattr(module, name, small)
        for masks, before in zip(nms_many(some, (0.45, 0.6), by), expected, strict=True):
            for mask, other in zip(masks, before, strict=True):
                np.testing.assert_array_equal(mask, other)
    monkeypatch.setattr("cspbench.detection.overlaps.CHUNK", 7)
    np.testing.assert_array_equal(nms(some[0], 0.45, by), expected[0][0])


def test_many_equal_boxes_leave_one() -> None:
    count = 3000  # 4.5 million pairs
    image = candidates([[50, 50, 20, 20]] * count, [0] * count, [0.5] * (count - 1) + [0.75])
    for by in KINDS:
        assert np.flatnonzero(nms(image, 0.45, by)).tolist() == [count - 1]


def test_the_pair_of_the_specification() -> None:
    # Appendix B, 4
    image = candidates([(100, 100, 80, 40), (110, 102, 80, 40)], [0, 0], [0.9, 0.8])
    assert value(image.boxes[0], image.boxes[1], PLAIN) == pytest.approx(0.7112299)
    assert value(image.boxes[0], image.boxes[1], GREEDY) == pytest.approx(0.6460989)
    assert nms(image, 0.65).tolist() == [True, False]
    assert nms(image, 0.65, GREEDY).tolist() == [True, True]
    assert nms(image, 0.6).tolist() == nms(image, 0.6, GREEDY).tolist() == [True, False]


def test_the_comparison_is_strict() -> None:
    # half of a box: IoU 0.5 exactly
    image = candidates([(10, 10, 20, 20), (10, 15, 20, 10)], [3, 3], [0.25, 0.5])
    assert nms(image, 0.5).tolist() == [True, True]
    assert nms(image, float(np.nextafter(F(0.5), F(0)))).tolist() == [False, True]


def test_there_may_be_no_thresholds_and_no_images() -> None:
    image = crowd(5, 1)
    assert nms_many([image], []) == []
    assert nms_many([], [0.5]) == [[]]


def test_the_criterion_of_a_network() -> None:
    def yolo(kind: str) -> Yolo:
        return Yolo(sources=(0,), anchors=ANCHORS, mask=(0,), nms_kind=kind, beta_nms=0.8)

    assert criterion("cfg", yolo("greedynms")) == 0.6  # beta_nms= is not for it
    assert criterion("cfg", yolo("diounms")) == float(F(0.8))
    assert criterion("diou", yolo("default")) == float(F(0.8))
    for kind in ("default", "cornersnms", "unheard-of"):
        assert criterion("cfg", yolo(kind)) == PLAIN
    assert criterion("default", yolo("greedynms")) == PLAIN
    assert criterion("greedy", Region(sources=(0,), anchors=ANCHORS)) == GREEDY
    assert criterion("cfg", Region(sources=(0,), anchors=ANCHORS)) == PLAIN
