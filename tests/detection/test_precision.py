"""Precision over recall where a recall is met exactly: by hand, and float by float as pycocotools has it."""

from __future__ import annotations

import pytest
from test_average_precision import detections
from test_matching_ties import numbers, part, truth

from cspbench.detection.ap.average_precision import average_precision


@pytest.mark.parametrize("objects", [1, 2, 3, 4, 5, 7, 8, 10, 20, 25, 29, 50, 58, 99, 100])
def test_precision_where_a_recall_is_met(objects: int) -> None:
    """A hit after each miss, and the other way round; for numbers of objects that meet recalls or miss them."""
    one = truth(*[(40.0 * at, 0, 20, 20, 400, 0) for at in range(objects)])
    for first in (0, 1):
        result = []
        for at in range(objects):
            pair = [(40.0 * at, 0, 20, 20), (40.0 * at, 500, 20, 20)]
            result += [(*pair[(first + each) % 2], 1 - (2 * at + each) / 1000) for each in range(2)][: 100 - 2 * at]
        numbers(one, result)


def test_precision_between_two_recalls_by_hand() -> None:
    # three objects; hit, miss, hit: recalls 1/3 and 2/3 at precisions 1 and 2/3: 34 points (0 to 0.33) and 33 (to 0.66)
    one = truth(*[(40.0 * at, 0, 20, 20, 400, 0) for at in range(3)])
    result = [(0, 0, 20, 20, 0.9), (0, 500, 20, 20, 0.8), (40, 0, 20, 20, 0.7)]
    assert part(numbers(one, result), "ap50") == [round(100 * (34 + 33 * 2 / 3) / 101, 6)]
    # a hit of the only object after a miss: 1/2 at every recall, 0 among them
    assert part(numbers(truth((0, 0, 20, 20, 400, 0)), [(0, 500, 9, 9, 0.9), (0, 0, 20, 20, 0.8)]), "ap50") == [50]
    # four objects, one hit: recall 0.25 is met exactly: 26 points
    four = truth(*[(40.0 * at, 0, 20, 20, 400, 0) for at in range(4)])
    assert part(numbers(four, [(0, 0, 20, 20, 0.9)]), "ap50") == [round(100 * 26 / 101, 6)]


def test_a_precision_of_nothing_is_zero_and_not_unknown() -> None:
    one = truth((0, 0, 20, 20, 400, 0))
    measured = numbers(one, [])
    assert part(measured, "ap", "ap75", "aps", "apm", "ar1", "ars") == [0, 0, 0, None, 0, 0]
    missed = average_precision(one, detections([(1, 1, 500, 0, 9, 9, 0.5)])).as_json()
    assert (missed["ap"], missed["apm"]) == (0.0, None)
