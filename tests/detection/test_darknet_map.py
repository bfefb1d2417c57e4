"""Darknet's mean average precision, worked by hand, and against a plain rendering of its rule."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cspbench.detection.ap.darknet_map import (
    POINTS,
    AtConfidence,
    DarknetMap,
    MapDetections,
    Objects,
    darknet_map,
    iou,
    together,
)

# width of a box at the same place as one of width 0.4, with the IoU of the two
SAME, NEARLY, HALF, LESS = 0.4, 0.36, 0.2, 0.18  # 1, 0.9, 0.5, 0.45

Row = tuple[int, int, float, float]
"""Image, class, left edge, width; all boxes have one height."""


def objects(rows: list[Row], difficult: tuple[int, ...] = ()) -> Objects:
    hard = np.isin(np.arange(len(rows)), difficult)
    return Objects(np.array([row[0] for row in rows], int), np.array([row[1] for row in rows], int), _boxes(rows), hard)


def found(rows: list[tuple[int, int, float, float, float]]) -> MapDetections:
    """Rows with their scores."""
    images, classes = (np.array([row[column] for row in rows], int) for column in (0, 1))
    return MapDetections(
        images, classes, _boxes([row[:4] for row in rows]), np.array([row[4] for row in rows], np.float32)
    )


def _boxes(rows: list[Row]) -> np.ndarray:
    boxes = [(left + width / 2, 0.5, width, 0.25) for _, _, left, width in rows]
    return np.array(boxes, np.float32).reshape(-1, 4)


def counts(result: DarknetMap) -> list[tuple[int, int, int]]:
    return [(each.true, each.false, each.missed) for each in result.per_class]


# --- by hand

ONE_CLASS = objects([(0, 0, 0.1, SAME), (0, 0, 0.6, SAME), (1, 0, 0.1, SAME), (2, 0, 0.1, SAME)])
FOUR = found(
    [
        (0, 0, 0.1, NEARLY, 0.9),  # right
        (0, 0, 0.1, SAME, 0.7),  # the object above again: wrong, though it fits better
        (1, 0, 0.1, SAME, 0.6),  # right
        (2, 0, 0.1, LESS, 0.8),  # overlaps too little
        (2, 0, 0.1, SAME, 0.2),  # right
    ]
)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        # by score: right, wrong, wrong, right, right; recall 1/4, 1/4, 1/4, 2/4, 3/4; precision 1, 1/2, 1/3, 1/2, 3/5,
        # which from the right is at least 3/5: 1/4 * 1 + 1/4 * 3/5 + 1/4 * 3/5
        ("area", Fraction(1, 4) + Fraction(1, 2) * Fraction(3, 5)),
        # recalls 0, .1, .2: 1; .3 to .7: 3/5; .8, .9, 1: 0
        ("voc11", (3 + 5 * Fraction(3, 5)) / 11),
        # recalls 0 to .25: 26 times 1; .26 to .75: 50 times 3/5
        ("coco101", (26 + 50 * Fraction(3, 5)) / 101),
    ],
)
def test_average_precision_by_hand(points: str, expected: Fraction) -> None:
    result = darknet_map(ONE_CLASS, FOUR, 1, points=POINTS[points])
    assert result.ap[0] == pytest.approx(float(expected), abs=1e-12)


def test_counts_at_a_confidence_by_hand() -> None:
    """Above .25: .9 and .6 are right with IoU .9 and 1; .7 and .8 are wrong. Two of four objects are missed."""
    result = darknet_map(ONE_CLASS, FOUR, 1, confidence=0.25)
    assert counts(result) == [(2, 2, 2)]
    total = together(result.per_class)
    assert (total.precision, total.recall, total.f1) == (0.5, 0.5, 0.5)
    assert total.average_iou == pytest.approx(1.9 / 4, abs=1e-6)
    # .6 is not above .6 in float32
    assert counts(darknet_map(ONE_CLASS, FOUR, 1, confidence=0.6)) == [(1, 2, 3)]


def test_the_threshold_is_strict_and_the_best_overlap_counts() -> None:
    truth = objects([(0, 0, 0.0, 0.5), (0, 0, 0.0, 0.25)])
    detected = found([(0, 0, 0.0, 0.25, 0.9)])
    # it overlaps the first object by exactly 1/2, and is the second
    assert counts(darknet_map(truth, detected, 1)) == [(1, 0, 1)]
    alone = objects([(0, 0, 0.0, 0.5)])
    assert counts(darknet_map(alone, detected, 1)) == [(0, 1, 1)]
    assert counts(darknet_map(alone, detected, 1, iou_threshold=0.49)) == [(1, 0, 0)]


def test_objects_of_other_classes_and_images_do_not_count() -> None:
    truth = objects([(0, 0, 0.1, SAME), (1, 1, 0.1, SAME)])
    detected = found([(0, 1, 0.1, SAME, 0.9), (1, 0, 0.1, SAME, 0.8), (1, 1, 0.1, SAME, 0.5)])
    result = darknet_map(truth, detected, 2)
    assert result.ap == [0.0, 0.5]
    assert counts(result) == [(0, 1, 1), (1, 1, 0)]


def test_classes_without_objects_count_as_zero() -> None:
    truth = objects([(0, 0, 0.1, SAME)])
    result = darknet_map(truth, found([(0, 0, 0.1, SAME, 0.9), (0, 2, 0.1, SAME, 0.9)]), 3)
    assert result.ap == [1.0, 0.0, 0.0]
    assert counts(result) == [(1, 0, 0), (0, 0, 0), (0, 1, 0)]


def test_at_a_confidence_the_first_box_of_an_object_finds_it() -> None:
    """In the order of the boxes, not of the scores: the second box is the better one, and counts as wrong."""
    truth = objects([(0, 0, 0.1, SAME)])
    detected = found([(0, 0, 0.1, NEARLY, 0.1), (0, 0, 0.1, SAME, 0.9)])
    result = darknet_map(truth, detected, 1)
    assert counts(result) == [(0, 1, 1)]
    assert result.ap == [1.0]


def test_difficult_objects_need_not_be_found() -> None:
    """Their detections are left out of AP, and are wrong at a confidence, as in Darknet."""
    truth = objects([(0, 0, 0.0, 0.4), (0, 0, 0.5, 0.4)], difficult=(1,))
    detected = found([(0, 0, 0.5, 0.4, 0.9), (0, 0, 0.0, 0.4, 0.8), (0, 1, 0.5, 0.4, 0.7)])
    result = darknet_map(truth, detected, 2)
    assert result.ap == [1.0, 0.0]
    assert counts(result) == [(1, 1, 0), (0, 1, 0)]


def test_nothing_found_and_nothing_there() -> None:
    empty = darknet_map(objects([]), found([]), 2)
    assert (empty.ap, counts(empty)) == ([0, 0], [(0, 0, 0)] * 2)
    total = together(empty.per_class)
    assert (total.precision, total.recall, total.f1, total.average_iou) == (None,) * 4
    assert counts(darknet_map(ONE_CLASS, found([]), 1)) == [(0, 0, 4)]


def test_overlaps_by_hand() -> None:
    """Two boxes that share a quarter of each: 1 / 7. Boxes that touch, or have no extent: 0."""
    first = np.array([[0.5, 0.5, 0.5, 0.5]], np.float32)
    second = np.array([[0.75, 0.75, 0.5, 0.5], [1.0, 0.5, 0.5, 0.5], [0.5, 0.5, 0, 0.5]], np.float32)
    np.testing.assert_allclose(iou(first, second), [[1 / 7, 0, 0]], rtol=1e-6)


# --- against the rule, step by step

grid = st.integers(0, 8).map(lambda step: step / 10)
rows = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), grid, st.sampled_from([0.2, 0.3, 0.4])), max_size=8)


@given(rows, rows, st.data(), st.sampled_from(sorted(POINTS)))
def test_the_numbers_are_those_of_the_rule_in_its_own_steps(
    truth: list[Row], detected: list[Row], data: st.DataObject, points: str
) -> None:
    truth, detected = sorted(truth, key=lambda row: row[0]), sorted(detected, key=lambda row: row[0])
    order = data.draw(st.permutations(range(len(detected))))
    scored = [(*row, 0.05 + 0.1 * place) for row, place in zip(detected, order, strict=True)]
    result = darknet_map(objects(truth), found(scored), 2, points=POINTS[points])
    expected = [_by_rule(objects(truth), found(scored), number, POINTS[points]) for number in (0, 1)]
    assert result.ap == pytest.approx(expected, abs=1e-12)


def _by_rule(truth: Objects, detected: MapDetections, number: int, points: int) -> float:
    """AP of a class rank by rank, with a flag on each object that is taken."""
    taken = set()
    curve = []
    true = false = 0
    total = sum(label == number for label in truth.classes.tolist())
    for row in np.argsort(-detected.scores, kind="stable").tolist():
        if detected.classes[row] != number:
            continue
        best, most = None, 0.5
        for index, label in enumerate(truth.classes.tolist()):
            value = float(iou(detected.boxes[row : row + 1], truth.boxes[index : index + 1])[0, 0])
            if label == number and truth.images[index] == detected.images[row] and value > most:
                best, most = index, value
        if best is not None and best not in taken:
            taken.add(best)
            true += 1
        else:
            false += 1
        curve.append((true / total if total else 0.0, true / (true + false)))
    if not points:
        area = reached = 0.0
        for place, (recall, _) in enumerate(curve):
            area += (recall - reached) * max(precision for _, precision in curve[place:])
            reached = recall
        return area
    steps = [step / (points - 1) for step in range(points)]
    return sum(max((p for recall, p in curve if recall >= step), default=0.0) for step in steps) / points


def test_the_ratios_of_counts() -> None:
    """3 of 4 detections are right, 3 of 5 objects are found; F1 is 6 / (6 + 1 + 2)."""
    counts = AtConfidence(true=3, false=1, missed=2, iou=2.0)
    assert (counts.precision, counts.recall, counts.average_iou) == (0.75, 0.6, 0.5)
    assert counts.f1 == pytest.approx(2 / 3)
