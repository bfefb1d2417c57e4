"""Matching at its borders: by hand, and float by float as pycocotools has it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refuses
from test_average_precision import detections, same

from cspbench.data.coco.annotations import GroundTruth
from cspbench.detection.ap.average_precision import average_precision
from cspbench.detection.ap.matching import Detections

Object = tuple[float, float, float, float, float, float]
"""Left, top, width, height, area, crowd."""


def truth(*objects: Object | tuple[int, Object], categories: int = 1, images: int = 3) -> GroundTruth:
    """Objects of category 1 in image 1, or in another image where that is given; with areas of their own."""
    pairs = [each if isinstance(each[1], tuple) else (1, each) for each in objects]
    rows = np.array([pair[1] for pair in pairs], np.float64).reshape(-1, 6)
    return GroundTruth(
        image_ids=np.arange(1, images + 1),
        categories={key: f"class {key}" for key in range(1, categories + 1)},
        images=np.array([each[0] for each in pairs], np.int64),
        category_ids=np.ones(len(rows), np.int64),
        boxes=rows[:, :4],
        areas=rows[:, 4],
        crowd=rows[:, 5] > 0,
    )


def numbers(one: GroundTruth, found: Sequence[Sequence[float]]) -> dict[str, float | None]:
    """COCO's twelve numbers of detections (left, top, width, height, score) in image 1, agreed upon by the engines."""
    own = detections([(1, 1, *each) for each in found])
    same(one, own)
    measured = average_precision(one, own).percent()
    return {name: None if value is None else float(value) for name, value in measured.items()}


def part(measured: dict[str, float | None], *names: str) -> list[float | None]:
    return [None if (value := measured[name]) is None else round(value, 6) for name in names]


# --- IoU


@pytest.mark.parametrize("twentieths", range(10, 20))
def test_an_overlap_of_exactly_a_threshold_hits(twentieths: int) -> None:
    """A part of k / 20 of an object, for each threshold k / 20; the lowest by hand, and the one that AP75 names."""
    one = truth((0, 0, 20, 20, 400, 0))
    measured = numbers(one, [(0, 0, 20, twentieths, 0.5)])
    if twentieths in (10, 15):  # both are floats
        assert part(measured, "ap", "ap50", "ap75") == [10 * (twentieths - 9), 100, 100 if twentieths == 15 else 0]
    if twentieths != 15:
        assert part(measured, "ap75") == [100 if twentieths > 15 else 0]
    less = numbers(one, [(0, 0, 20, twentieths * (1 - 1e-9), 0.5)])
    assert part(less, "ap", "ap50", "ap75") == [
        10 * (twentieths - 10),
        0 if twentieths == 10 else 100,
        100 if twentieths > 15 else 0,
    ]


@pytest.mark.parametrize("share", [(1, 2), (3, 4), (4, 5), (9, 10), (13, 20), (17, 20), (19, 20)])
def test_a_union_of_exactly_a_threshold_hits(share: tuple[int, int]) -> None:
    """Neither box inside the other: two of side 100 + x moved apart, in both directions of the row."""
    # side s, moved by m: IoU (s - m) / (s + m) = n / d, so m / s = (d - n) / (d + n)
    side, move = sum(share), share[1] - share[0]
    for left in (move, -move):
        numbers(truth((0, 0, side, side, side**2, 0)), [(left, 0, side, side, 0.5)])


def test_of_equal_overlaps_the_last_object_is_taken() -> None:
    # D lies 5 from either object: IoU 15 / 25. It takes the second, so that a copy of the first still hits, and one
    # of the second finds nothing left
    one = truth((0, 0, 20, 20, 400, 0), (0, 10, 20, 20, 400, 0))
    between = (0, 5, 20, 20, 0.9)
    assert part(numbers(one, [between, (0, 0, 20, 20, 0.8)]), "ap50", "ar100") == [100, 65]
    # of the hits the first alone: half of the recall, 51 of 101 points
    assert part(numbers(one, [between, (0, 10, 20, 20, 0.8)]), "ap50") == [round(5100 / 101, 6)]


def test_a_better_object_that_is_taken_leaves_the_next() -> None:
    one = truth((0, 0, 20, 20, 400, 0), (0, 4, 20, 20, 400, 0))  # IoU 2/3 with each other
    both = numbers(one, [(0, 0, 20, 20, 0.9), (0, 0, 20, 20, 0.8)])
    assert part(both, "ap50", "ar100") == [100, round((4 * 100 + 6 * 50) / 10, 6)]


def test_boxes_that_touch_or_have_no_area_do_not_overlap() -> None:
    one = truth((0, 0, 20, 20, 400, 0))
    for box in ((20, 0, 20, 20), (0, 20, 20, 20), (0, 0, 0, 20), (5, 5, 0, 0), (30, 30, -20, -20)):
        assert part(numbers(one, [(*box, 0.5)]), "ap50") == [0]


# --- areas

SIDES = {"aps": 16, "apm": 64, "apl": 128}
"""An object's side that is surely small, medium or large."""


@pytest.mark.parametrize(
    ("area", "ranges"),
    [
        (0, ["aps"]),
        (1023.9999, ["aps"]),
        (1024, ["aps", "apm"]),
        (1024.0001, ["apm"]),
        (9215.9999, ["apm"]),
        (9216, ["apm", "apl"]),
        (9216.0001, ["apl"]),
        (1e10, ["apl"]),
    ],
)
def test_an_object_at_the_border_of_two_ranges_is_in_both(area: float, ranges: list[str]) -> None:
    measured = numbers(truth((0, 0, 64, 64, area, 0)), [(0, 0, 64, 64, 0.5)])
    assert part(measured, "ap", *SIDES) == [100, *[100 if name in ranges else None for name in SIDES]]


@pytest.mark.parametrize(
    ("box", "ranges"),
    [
        ((31, 32), ["aps"]),
        ((32, 32), ["aps", "apm"]),
        ((16, 64), ["aps", "apm"]),
        ((33, 32), ["apm"]),
        ((95, 96), ["apm"]),
        ((96, 96), ["apm", "apl"]),
        ((97, 96), ["apl"]),
        ((1e5, 1e5), ["apl"]),
    ],
)
def test_a_miss_at_the_border_of_two_ranges_is_one_in_both(box: tuple[float, float], ranges: list[str]) -> None:
    """An object of each size that is hit, and a better detection elsewhere: precision 1/2 where it counts."""
    objects = [(0, 1000.0 * at, side, side, side**2, 0) for at, side in enumerate(SIDES.values())]
    hits = [(*each[:4], 0.5) for each in objects]
    measured = numbers(truth(*objects), [(5000, 5000, *box, 0.9), *hits])
    assert part(measured, *SIDES) == [50 if name in ranges else 100 for name in SIDES]


def test_the_size_of_a_hit_is_the_objects() -> None:
    """A detection of another range that hits counts; one that hits an object of another range is ignored."""
    large = truth((0, 0, 100, 100, 1024, 0))  # an area of its own, as a mask has: small and medium
    assert part(numbers(large, [(0, 0, 100, 100, 0.5)]), *SIDES) == [100, 100, None]
    both = truth((0, 0, 100, 100, 10_000, 0), (500, 500, 20, 20, 400, 0))
    measured = numbers(both, [(0, 0, 100, 60, 0.9), (500, 500, 20, 20, 0.8)])
    assert part(measured, "aps") == [100]  # what hits the large one is no miss among the small


# --- crowds


def test_a_crowd_takes_any_number_and_none_of_them_counts() -> None:
    one = truth((0, 0, 20, 20, 400, 0), (100, 0, 100, 100, 10_000, 1))
    inside = [(100 + 20 * at, 0, 20, 20, 0.9) for at in range(4)]
    assert part(numbers(one, [*inside, (0, 0, 20, 20, 0.5)]), "ap", "ar1", "ar10") == [100, 0, 100]
    assert part(numbers(truth((0, 0, 50, 50, 2500, 1)), [(0, 0, 20, 20, 0.9)]), "ap") == [None]


def test_half_of_a_detection_in_a_crowd_is_enough_at_one_half() -> None:
    one = truth((0, 0, 20, 20, 400, 0), (100, 0, 100, 100, 10_000, 1))
    hit = (0, 0, 20, 20, 0.5)
    measured = numbers(one, [(190, 0, 20, 20, 0.9), hit])
    assert part(measured, "ap50", "ap75", "ap") == [100, 50, 55]
    assert part(numbers(one, [(190.5, 0, 20, 20, 0.9), hit]), "ap50") == [50]


def test_an_object_that_counts_goes_before_a_better_one_that_does_not() -> None:
    # both overlap the detection, the crowd wholly
    one = truth((0, 0, 20, 20, 400, 0), (0, 0, 100, 100, 10_000, 1))
    assert part(numbers(one, [(0, 0, 20, 12, 0.5)]), "ap50", "ap75") == [100, 0]


# --- as many as count


@pytest.mark.parametrize(
    ("place", "recalls"),
    [(1, [100, 100, 100]), (2, [0, 100, 100]), (10, [0, 100, 100]), (11, [0, 0, 100]), (100, [0, 0, 100]),
     (101, [0, 0, 0])],
)  # fmt: skip
@pytest.mark.parametrize("falling", [True, False])
def test_the_best_1_10_and_100_count(place: int, recalls: list[float], falling: bool) -> None:
    """The hit at that place among 150; by falling scores, and by equal ones, which keep their order."""
    result = [(0 if at == place else 500, 0, 20, 20, 1 - at / 1000 if falling else 0.5) for at in range(1, 151)]
    measured = numbers(truth((0, 0, 20, 20, 400, 0)), result)
    assert part(measured, "ar1", "ar10", "ar100") == recalls
    assert part(measured, "ap") == [0 if place > 100 else round(100 / place, 6)]


def test_what_counts_is_of_each_image_and_category() -> None:
    """100 misses of another image and 100 of another category leave the hit its place."""
    one = truth((1, (0, 0, 20, 20, 400, 0)), categories=2)
    rows = [(2, 1, 0, 0, 20, 20, 0.9)] * 100 + [(1, 2, 0, 0, 20, 20, 0.9)] * 100 + [(1, 1, 0, 0, 20, 20, 0.5)]
    same(one, detections(rows))
    measured = average_precision(one, detections(rows)).percent()
    assert measured["ar1"] == 100
    assert float(measured["ap"] or 0) == pytest.approx(100 / 101)


def test_equal_scores_keep_their_order_within_an_image_and_images_theirs_among_each_other() -> None:
    one = truth((2, (0, 0, 20, 20, 400, 0)))
    hit, miss = (2, 1, 0, 0, 20, 20, 0.5), (2, 1, 100, 0, 20, 20, 0.5)
    before, after = (1, 1, 0, 0, 20, 20, 0.5), (3, 1, 0, 0, 20, 20, 0.5)
    for rows, share in (
        ([hit, miss], 1),
        ([miss, hit], 1 / 2),
        ([hit, before], 1 / 2),  # the first image goes first, whatever the order of the detections
        ([after, hit], 1),
        ([after, miss, before, hit], 1 / 3),
    ):
        same(one, detections(rows))
        ap = average_precision(one, detections(rows)).percent()["ap"]
        assert float(ap or 0) == pytest.approx(100 * share)


def test_images_and_categories_without_objects() -> None:
    """Misses in an image without objects count for its category; a category without any object has no number."""
    one = truth((1, (0, 0, 20, 20, 400, 0)), categories=3)
    rows = [(3, 1, 0, 0, 9, 9, 0.9), (1, 1, 0, 0, 20, 20, 0.5), (2, 3, 0, 0, 9, 9, 0.5)]
    same(one, detections(rows))
    classes = average_precision(one, detections(rows)).per_class()
    assert [classes[f"class {key}"]["ap"] for key in (1, 2, 3)] == [50, None, None]


def test_a_length_as_large_as_may_be_is_a_box() -> None:
    from cspbench.detection.ap.matching import LARGEST_LENGTH

    one = truth((0, 0, 20, 20, 400, 0))
    for length in (1e9, 1.4e30, LARGEST_LENGTH):
        same(one, detections([(1, 1, -length / 2, 0, length, 200, 0.75), (1, 1, 0, 0, 20, 20, 0.5)]))
    assert part(numbers(one, [(0, 0, LARGEST_LENGTH, 1, 0.5)]), "ap") == [0]
    with refuses("detections.unusable-box"):
        average_precision(one, detections([(1, 1, 0, 0, np.nextafter(LARGEST_LENGTH, np.inf), 1, 0.5)]))


# --- whatever comes: boxes that are shares of objects, so that IoUs meet thresholds and each other

_cut = st.tuples(st.integers(0, 5), st.sampled_from([10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]), st.booleans())
_objects = st.lists(
    st.tuples(
        st.integers(1, 3), st.integers(0, 2), st.sampled_from([400.0, 1024.0, 9216.0]), st.sampled_from([0, 0, 1])
    ),
    min_size=1,
    max_size=6,
)


@given(_objects, st.lists(st.tuples(_cut, st.integers(0, 3)), max_size=20))
@settings(max_examples=80)
def test_ties_as_pycocotools_has_them(
    objects: list[tuple[int, int, float, int]], cuts: list[tuple[tuple[int, int, bool], int]]
) -> None:
    rows = [(image, (10.0 * place, 0, 20, 20, area, crowd)) for image, place, area, crowd in objects]
    result = []
    for (which, share, upright), score in cuts:
        image, (left, top, width, height, _, _) = rows[which % len(rows)]
        size = (width, height * share / 20) if upright else (width * share / 20, height)
        result.append((image, 1, left, top, *size, score / 4))
    same(truth(*rows), detections(result))


def test_thresholds_are_pycocotools_own() -> None:
    from pycocotools.cocoeval import Params

    from cspbench.detection.ap import matching, precision

    known = Params("bbox")
    assert matching.THRESHOLDS.tolist() == known.iouThrs.tolist()
    assert precision.RECALLS.tolist() == known.recThrs.tolist()
    assert list(precision.CAPS) == known.maxDets
    assert known.maxDets[-1] == matching.MOST
    assert [list(area[1:]) for area in matching.AREAS] == [list(map(float, each)) for each in known.areaRng]
    assert [each[0] for each in matching.AREAS] == known.areaRngLbl


def test_no_detections_at_all() -> None:
    nothing = Detections(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0))
    same(truth((0, 0, 20, 20, 400, 0)), nothing)
    same(truth(), nothing)
