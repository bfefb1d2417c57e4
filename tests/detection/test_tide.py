"""Types of errors and what each costs: cases worked out by hand, and properties of any detections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_average_precision import detections, truth

from cspbench.data.coco.annotations import GroundTruth
from cspbench.detection.analysis import nearest as pairing
from cspbench.detection.analysis.confusion import confusion
from cspbench.detection.analysis.tide import SPECIALS, TYPES, Area, analysed
from cspbench.detection.ap.average_precision import average_precision
from cspbench.detection.ap.matching import AREAS, Detections, match


def errors(objects: Sequence[Sequence[float]], found: Sequence[Sequence[float]], area: str = "all") -> Area:
    return analysed(truth(objects), detections(found))[area]


def counts(area: Area) -> dict[str, int]:
    """The types that there are."""
    return {name: int(number.sum()) for name, number in area.counts.items() if number.any()}


def gains(area: Area) -> dict[str, float]:
    """The dAP in percent of the types that have one."""
    return {name: 100 * gain for name, (gain, _) in area.gains.items() if abs(gain) > 1e-9}


# an object of class 1 at the origin, and detections of width 100 at heights that make IoU = height / 100
A = (1, 1, 0, 0, 100, 100, 0)


def test_a_hit_is_no_error() -> None:
    area = errors([A], [(1, 1, 0, 0, 100, 50, 0.9)])  # 5000 / 10000 is 0.5
    assert (counts(area), gains(area)) == ({}, {})
    assert area.mean_ap == pytest.approx(1)


def test_a_loose_box_is_a_localisation_error_and_its_object_is_not_missed() -> None:
    """IoU 0.49: AP 0; with it corrected the only object is found by the only detection."""
    area = errors([A], [(1, 1, 0, 0, 100, 49, 0.9)])
    assert counts(area) == {"loc": 1, "fp": 1, "fn": 1}
    assert gains(area) == pytest.approx({"loc": 100.0})  # without the object the detection would still be wrong


@pytest.mark.parametrize(
    ("height", "category", "kind"),
    [
        (49, 1, "loc"),
        (10, 1, "loc"),
        (9, 1, "bkg"),
        (50, 2, "cls"),
        (49, 2, "both"),
        (10, 2, "both"),
        (9, 2, "bkg"),
    ],
)
def test_types_by_overlap_at_their_borders(height: int, category: int, kind: str) -> None:
    area = errors([A], [(1, category, 0, 0, 100, height, 0.9)])
    expected = {kind: 1, "fp": 1, "fn": 1} | ({"miss": 1} if kind not in ("loc", "cls") else {})
    assert counts(area) == expected


def test_a_detection_in_an_image_without_objects_is_on_the_background() -> None:
    area = errors([A], [(1, 1, 0, 0, 100, 100, 0.9), (2, 1, 0, 0, 100, 100, 0.8)])
    assert (counts(area), gains(area)) == ({"bkg": 1, "fp": 1}, {})  # behind the last hit it costs nothing


def test_a_wrong_class_costs_both_classes() -> None:
    """Class 1: a hit (0.9) and a false positive (0.95) that is a class 2: AP 1/2. Class 2: nothing found: AP 0.

    Corrected: both 1, so dAP is 100 - 25. Without the false positive class 1 gains 1/2: 25.
    """
    two = (1, 2, 200, 0, 100, 100, 0)
    area = errors([A, two], [(1, 1, 0, 0, 100, 100, 0.9), (1, 1, 200, 0, 100, 100, 0.95)])
    assert area.mean_ap == pytest.approx(0.25)
    assert counts(area) == {"cls": 1, "fp": 1, "fn": 1}
    # without its object class 2 has nothing to detect and nothing detected: fn gives it AP 1
    assert gains(area) == pytest.approx({"cls": 75.0, "fp": 25.0, "fn": 50.0})
    assert [100 * float(gain) for gain in area.gains["cls"][1][:2]] == pytest.approx([50, 100])


def test_a_duplicate_between_two_hits() -> None:
    """Hit 0.9, duplicate 0.8, hit 0.7: precision 1 at the recalls to 0.5, 2/3 from there: (51 + 50 * 2/3) / 101."""
    two = (2, 1, 0, 0, 100, 100, 0)
    area = errors([A, two], [(1, 1, 0, 0, 100, 100, 0.9), (1, 1, 0, 0, 100, 90, 0.8), (2, 1, 0, 0, 100, 100, 0.7)])
    ap = (51 + 50 * 2 / 3) / 101
    assert area.mean_ap == pytest.approx(ap)
    assert counts(area) == {"dupe": 1, "fp": 1}
    assert gains(area) == pytest.approx({"dupe": 100 * (1 - ap), "fp": 100 * (1 - ap)})


def test_a_missed_object_stretches_the_curve() -> None:
    """One of two objects: precision 1 at 51 of 101 recalls, and at all without the other."""
    area = errors([A, (2, 1, 0, 0, 100, 100, 0)], [(1, 1, 0, 0, 100, 100, 0.9)])
    assert counts(area) == {"miss": 1, "fn": 1}
    assert gains(area) == pytest.approx({"miss": 100 * 50 / 101, "fn": 100 * 50 / 101})


def test_background_and_both_before_a_hit() -> None:
    """Background 0.95, both 0.9, hit 0.8 of the only object: precision 1/3; without one of the two 1/2."""
    result = [(1, 1, 500, 500, 10, 10, 0.95), (1, 1, 200, 0, 100, 40, 0.9), (1, 1, 0, 0, 100, 100, 0.8)]
    area = errors([A, (1, 2, 200, 0, 100, 100, 0)], [*result, (1, 2, 200, 0, 100, 100, 0.8)])
    assert counts(area) == {"bkg": 1, "both": 1, "fp": 2}
    assert gains(area) == pytest.approx({"bkg": 50 * (1 / 2 - 1 / 3), "both": 50 * (1 / 2 - 1 / 3), "fp": 50 * 2 / 3})


def test_the_best_error_of_an_object_is_corrected_and_the_others_are_removed() -> None:
    """Loose boxes 0.9 and 0.6 on the only object: one hit remains. So the second costs nothing."""
    area = errors([A], [(1, 1, 0, 0, 100, 40, 0.9), (1, 1, 0, 0, 100, 45, 0.6)])
    assert counts(area) == {"loc": 2, "fp": 2, "fn": 1}
    assert area.corrected(["loc"])[0] == pytest.approx(np.ones(101))


def test_a_loose_box_beside_a_hit_is_removed() -> None:
    """It comes first, and its object has a hit: AP 1/2, corrected 1, not by a second hit."""
    area = errors([A], [(1, 1, 0, 0, 100, 40, 0.9), (1, 1, 0, 0, 100, 100, 0.6)])
    assert counts(area) == {"loc": 1, "fp": 1}
    assert gains(area) == pytest.approx({"loc": 50.0, "fp": 50.0})


def test_each_type_is_corrected_alone() -> None:
    """A wrong class (0.9) and a loose box (0.8) at one object: either alone finds it."""
    area = errors([A], [(1, 2, 0, 0, 100, 100, 0.9), (1, 1, 0, 0, 100, 40, 0.8)])
    assert counts(area) == {"cls": 1, "loc": 1, "fp": 2, "fn": 1}
    assert gains(area) == pytest.approx({"cls": 100.0, "loc": 100.0})


def test_crowds_are_no_objects_and_detections_on_them_no_errors() -> None:
    crowd = (1, 1, 200, 0, 100, 100, 1)
    area = errors([A, crowd], [(1, 1, 0, 0, 100, 100, 0.9), (1, 1, 210, 10, 50, 50, 0.95)])
    assert counts(area) == {}
    assert area.mean_ap == pytest.approx(1)
    other = errors([A, crowd], [(1, 1, 0, 0, 100, 100, 0.9), (1, 2, 210, 10, 50, 50, 0.95)])
    assert counts(other) == {"bkg": 1, "fp": 1}


def test_sizes_as_cocos() -> None:
    """Areas are 0.7 of the boxes': a small object of 30 x 30, a large one of 200 x 200.

    The loose box of the small object is 30 x 120, of medium size: it is an error of the small objects, too.
    """
    objects = [(1, 1, 0, 0, 30, 30, 0), (2, 1, 0, 0, 200, 200, 0)]
    areas = analysed(truth(objects), detections([(1, 1, 0, 0, 30, 120, 0.9), (2, 1, 0, 0, 200, 200, 0.8)]))
    assert {name: counts(area) for name, area in areas.items()} == {
        "all": {"loc": 1, "fp": 1, "fn": 1},
        "small": {"loc": 1, "fn": 1},
        "medium": {"loc": 1, "fp": 1},
        "large": {},
    }
    assert [round(area.mean_ap, 3) for area in areas.values()] == [round(51 / 101 / 2, 3), 0.0, -1.0, 1.0]
    assert gains(areas["small"])["loc"] == pytest.approx(100)


def test_nothing_at_all() -> None:
    area = errors([], [])
    assert (area.mean_ap, counts(area), gains(area)) == (-1.0, {}, {})
    alone = errors([A], [])
    assert (counts(alone), gains(alone)) == ({"miss": 1, "fn": 1}, {"miss": 100.0, "fn": 100.0})
    assert counts(errors([], [(1, 1, 0, 0, 9, 9, 0.5)])) == {"bkg": 1, "fp": 1}


def test_confusion_by_hand() -> None:
    """Class 1 found; 2 taken for 3; 3 missed; a duplicate and one on the background; scores below 0.5 do not count."""
    objects = [A, (1, 2, 200, 0, 100, 100, 0), (1, 3, 400, 0, 100, 100, 0), (1, 1, 600, 0, 100, 100, 1)]
    result = [
        (1, 1, 0, 0, 100, 100, 0.9),
        (1, 1, 0, 0, 100, 90, 0.8),
        (1, 3, 200, 0, 100, 100, 0.7),
        (1, 1, 200, 0, 100, 60, 0.6),
        (1, 3, 400, 0, 100, 100, 0.4),
        (1, 2, 900, 0, 100, 100, 0.5),
        (1, 1, 610, 0, 10, 10, 0.9),
    ]
    one, other = truth(objects), detections(result)
    assert confusion(one, other, match(one, other), 0.5).tolist() == [
        [0, 0, 1],
        [1, 2, 1],
        [2, 3, 1],
        [3, 0, 2],
        [3, 1, 1],
    ]
    assert [2, 2, 1] in confusion(one, other, match(one, other), 0.3).tolist()
    assert confusion(one, detections([]), match(one, detections([])), 0.3).tolist() == [[0, 3, 1], [1, 3, 1], [2, 3, 1]]


SIDES = st.sampled_from([0, 3, 5, 10, 12, 20, 31, 40, 90, 100])
OBJECT = st.tuples(st.integers(1, 3), st.integers(1, 3), SIDES, SIDES, SIDES, SIDES, st.sampled_from([0, 0, 0, 1]))
FOUND = st.tuples(
    st.integers(1, 3), st.integers(1, 3), SIDES, SIDES, SIDES, SIDES, st.sampled_from([0.1, 0.3, 0.5, 0.9])
)
SETS = (st.lists(OBJECT, max_size=8), st.lists(FOUND, max_size=12))


@settings(max_examples=150, deadline=None)
@given(*SETS)
def test_properties_of_any_detections(objects: list[Any], found: list[Any]) -> None:
    """AP50 is the engine's; no dAP is negative; each false positive has one type; with all corrected AP50 is 1."""
    one, other = truth(objects), detections(found)
    measured = average_precision(one, other)
    for number, area in enumerate(analysed(one, other).values()):
        precision = measured.precision[0, :, :, number]
        assert area.curves[area.defined].tolist() == precision[area.defined].tolist()
        if not number:
            assert area.mean_ap == measured.stats[1]
        for gain, by_class in area.gains.values():
            assert gain >= -1e-12
            assert (by_class[area.defined] >= -1e-12).all()
        assert (area.corrected(TYPES)[area.defined] > 1 - 1e-12).all()
        assert (area.corrected(SPECIALS)[area.defined] > 1 - 1e-12).all()
        assert (area.types[area.false] >= 0).all()
        every = area.counts
        if not number:
            assert sum(every[name].sum() for name in TYPES if name != "miss") == every["fp"].sum()
        assert (every["miss"] <= every["fn"]).all()


@settings(max_examples=80, deadline=None)
@given(*SETS, st.permutations([1, 2, 3]))
def test_the_order_of_images_changes_nothing(objects: list[Any], found: list[Any], order: list[int]) -> None:
    # distinct scores: equal ones are in the order of the images, as in pycocotools
    found = [(*each[:6], 0.9 - 0.01 * number) for number, each in enumerate(found)]
    moved = [[(order[int(row[0]) - 1], *row[1:]) for row in rows] for rows in (objects, found)]
    for before, after in zip(
        analysed(truth(objects), detections(found)).values(),
        analysed(truth(moved[0]), detections(moved[1])).values(),
        strict=True,
    ):
        assert {name: gain for name, (gain, _) in before.gains.items()} == {
            name: gain for name, (gain, _) in after.gains.items()
        }
        assert {name: number.tolist() for name, number in before.counts.items()} == {
            name: number.tolist() for name, number in after.counts.items()
        }


@settings(max_examples=80, deadline=None)
@given(*SETS)
def test_confusion_counts_every_object_and_detection_once(objects: list[Any], found: list[Any]) -> None:
    one, other = truth(objects), detections(found)
    matches = match(one, other)
    area = analysed(one, other, matches)["all"]
    table = np.zeros((4, 4), int)
    for of, by, count in confusion(one, other, matches, 0.0).tolist():
        table[of, by] = count
    assert table[:-1].sum(1).tolist() == area.totals.tolist()
    assert table[:, :-1].sum() == area.hits.sum() + area.false.sum()
    assert np.trace(table) == area.hits.sum()


@settings(max_examples=40, deadline=None)
@given(*SETS)
def test_parts_of_the_pairs_give_the_same_as_all_at_once(objects: list[Any], found: list[Any]) -> None:
    one, other = truth(objects), detections(found)
    whole = analysed(one, other)["all"].types
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairing, "CHUNK", 2)
        assert analysed(one, other)["all"].types.tolist() == whole.tolist()


def by_the_rules(one: GroundTruth, other: Detections) -> dict[str, int]:
    """The numbers of errors by type in plain loops, without crowds."""
    numbers = dict.fromkeys(TYPES, 0)
    for image in one.image_ids.tolist():
        objects = [
            (category, box)
            for where, category, box in zip(one.images, one.category_ids, one.boxes, strict=True)
            if where == image
        ]
        mine = np.flatnonzero(other.image_ids == image)
        used: set[int] = set()
        aimed: set[int] = set()
        wrong = []
        for row in mine[np.argsort(-other.scores[mine], kind="stable")].tolist():
            shares = [iou(other.boxes[row], box) for _, box in objects]
            same = [category == other.category_ids[row] for category, _ in objects]
            options = [at for at in range(len(objects)) if same[at] and at not in used and shares[at] >= 0.5]
            if options:
                used.add(max(options, key=lambda at: (shares[at], at)))
            else:
                wrong.append((shares, same))
        for shares, same in wrong:
            own = max((share for share, mine in zip(shares, same, strict=True) if mine), default=0.0)
            others = max((share for share, mine in zip(shares, same, strict=True) if not mine), default=0.0)
            kind = (
                "loc"
                if 0.1 <= own < 0.5
                else "cls"
                if others >= 0.5
                else "dupe"
                if own >= 0.5
                else "bkg"
                if max(own, others) < 0.1
                else "both"
            )
            numbers[kind] += 1
            if kind in ("loc", "cls"):
                best = own if kind == "loc" else others
                aimed.add(next(at for at, share in enumerate(shares) if share == best and same[at] == (kind == "loc")))
        numbers["miss"] += len(objects) - len(used | aimed)
    return numbers


def iou(one: Any, other: Any) -> float:
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    return float(width * height / (one[2] * one[3] + other[2] * other[3] - width * height))


@settings(max_examples=150, deadline=None)
@given(st.lists(OBJECT, max_size=8), SETS[1])
def test_types_as_plain_loops_have_them(objects: list[Any], found: list[Any]) -> None:
    """With objects sorted by class, since the first of equal overlaps is then the same in both."""
    one = truth(sorted((*each[:6], 0) for each in objects))
    other = detections(found)
    area = analysed(one, other)["all"]
    assert {name: int(area.counts[name].sum()) for name in TYPES} == by_the_rules(one, other)


def test_every_range_is_cocos() -> None:
    assert list(analysed(truth([A]), detections([]))) == [name for name, *_ in AREAS]
