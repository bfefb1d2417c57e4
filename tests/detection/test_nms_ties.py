"""Suppression where a value meets its threshold exactly, on every path and for every kind; and where scores are equal.

All numbers are powers of two, so that floats are exact: what is expected is worked out by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from cspbench.detection import nms as module
from cspbench.detection.candidates import Candidates
from cspbench.detection.nms import nms, nms_many
from cspbench.detection.overlaps import PLAIN, Criterion
from cspbench.detection.soft_nms import suppress
from cspbench.zoo.detector_protocol import HardNms, SoftNms

F = np.float32
Box = tuple[float, float, float, float]

WHOLE: Box = (8, 8, 16, 16)
LOWER: Box = (8, 12, 16, 8)
"""The lower half of WHOLE: IoU 1/2; the centres are 4 apart, the diagonal's square is 512: 16 / 512 = 1/32."""
MIDDLE: Box = (8, 8, 16, 8)
"""The middle of WHOLE: IoU 1/2, and no distance."""
SLIM: Box = (8, 12, 4, 8)
"""Of WHOLE one eighth; the same distance as LOWER."""

GREEDY, DIOU, LINEAR = 0.6, float(np.float32(0.6)), 1.0
TIES = [
    (PLAIN, LOWER, 1 / 2),
    (PLAIN, MIDDLE, 1 / 2),
    (PLAIN, SLIM, 1 / 8),
    (GREEDY, MIDDLE, 1 / 2),
    (DIOU, MIDDLE, 1 / 2),
    (LINEAR, MIDDLE, 1 / 2),
    (GREEDY, LOWER, 1 / 2 - 1 / 8),  # (1/32) ** 0.6 is 1/8
    (DIOU, LOWER, 1 / 2 - 1 / 8),
    (LINEAR, LOWER, 1 / 2 - 1 / 32),
    (LINEAR, SLIM, 1 / 8 - 1 / 32),
]


def image(boxes: Sequence[Box], scores: Sequence[float], categories: Sequence[int] | None = None) -> Candidates:
    """One box per candidate, all of class 0 unless said otherwise."""
    return Candidates(
        np.array(boxes, F).reshape(-1, 4),
        np.arange(len(boxes), dtype=np.int32),
        np.array(categories or [0] * len(boxes), np.int16),
        np.array(scores, F),
    )


def few(pair: list[Box], scores: list[float]) -> Candidates:
    """The pair alone: neighbours are compared step by step."""
    return image(pair, scores)


def tail(pair: list[Box], scores: list[float]) -> Candidates:
    """The pair, then many boxes far apart, and four that begin between its left edges: such a pair is picked out."""
    between: list[Box] = [(0.5, 1000 * at, 1, 1) for at in range(1, 5)]
    far: list[Box] = [(5000 + 100 * at, 8, 16, 16) for at in range(60)]
    return image([pair[0], *between, pair[1], *far], [scores[0], *[0.25] * 4, scores[1], *[0.25] * 60])


def negative(pair: list[Box], scores: list[float]) -> Candidates:
    """Beside a box of a negative side, which a negative anchor gives, candidates go one by one."""
    return image([*pair, (500, 500, -4, 4)], [*scores, 0.25], [0, 0, 1])


PATHS: dict[str, tuple[Callable[[list[Box], list[float]], Candidates], int]] = {
    "steps": (few, 1),
    "picked": (tail, 5),
    "one by one": (negative, 1),
}
"""By path what makes an image, and the place of the pair's second box in it."""


def stays(
    path: str, pair: list[Box], scores: Sequence[float], thresholds: list[float], by: Criterion
) -> list[list[bool]]:
    """Whether each of a pair stays at each threshold; whatever stands beside it must."""
    make, second = PATHS[path]
    result = []
    for (mask,) in nms_many([make(pair, list(scores))], thresholds, by):
        result.append([bool(mask[0]), bool(mask[second])])
        assert np.delete(mask, [0, second]).all()
    return result


def scaled(box: Box, scale: float) -> Box:
    x, y, width, height = box
    return x * scale, y * scale, width * scale, height * scale


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("scale", [1, 1 / 64], ids=["pixels", "parts of a pixel"])
@pytest.mark.parametrize(("by", "other", "value"), TIES)
def test_what_meets_the_threshold_stays(path: str, scale: float, by: Criterion, other: Box, value: float) -> None:
    pair = [scaled(WHOLE, scale), scaled(other, scale)]
    below, above = (float(np.nextafter(F(value), F(end))) for end in (0, 1))
    for scores, best in (((0.75, 0.5), [True, False]), ((0.5, 0.75), [False, True])):
        both = [True, True]
        assert stays(path, pair, scores, [value, below, above], by) == [both, best, both]
        assert stays(path, pair, scores, [below], by) == [best]
        assert stays(path, pair, scores, [value], by) == [both]


def test_the_exponent_of_greedynms_is_a_double_and_that_of_a_cfg_a_float() -> None:
    # 1/8 - (1/32) ** 0.6 is 0 for the double; the float 0.6 is a little more, its power a little less than 1/8
    pair = image([WHOLE, SLIM], [0.75, 0.5])
    assert nms(pair, 0.0, GREEDY).tolist() == [True, True]
    assert nms(pair, 0.0, DIOU).tolist() == [True, False]


@pytest.mark.parametrize("by", [PLAIN, GREEDY, DIOU])
def test_thresholds_of_nothing_and_of_all(by: Criterion) -> None:
    touching = image([WHOLE, (8, 24, 16, 16)], [0.75, 0.5])  # an edge in common
    assert nms(touching, 0.0, by).tolist() == [True, True]
    same = image([WHOLE, WHOLE], [0.75, 0.5])
    assert nms(same, 1.0, by).tolist() == [True, True]
    assert nms(same, float(np.nextafter(F(1), F(0))), by).tolist() == [True, False]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("scores", [(0.5, 0.5), (0.0, 0.0), (-0.0, 0.0), (0.0, -0.0)])
def test_of_equal_scores_the_first_stays(path: str, scores: tuple[float, float]) -> None:
    for pair in ([WHOLE, LOWER], [LOWER, WHOLE]):
        assert stays(path, pair, scores, [0.25], PLAIN) == [[True, False]]


def test_what_is_gone_removes_nothing_and_what_stays_does() -> None:
    # neighbours overlap by 3/5, the next but one by 1/3
    row = image([(8 + 4 * at, 8, 16, 16) for at in range(5)], [0.5] * 5)
    assert nms(row, 0.5).tolist() == [True, False, True, False, True]
    assert nms(image(row.boxes.tolist(), [0.1, 0.2, 0.3, 0.4, 0.5]), 0.5).tolist() == [True, False, True, False, True]
    assert nms(image(row.boxes.tolist(), [0.1, 0.5, 0.3, 0.4, 0.2]), 0.5).tolist() == [False, True, False, True, False]


def test_classes_and_images_do_not_meet() -> None:
    """The last class of one image beside the first of the next, an image without any candidate between them."""
    pair = [WHOLE, WHOLE]
    some = [image(pair, [0.5, 0.4], [2, 7]), image([], []), image(pair, [0.3, 0.2], [0, 7]), image(pair, [0.3, 0.2])]
    (masks,) = nms_many(some, [0.5])
    assert [mask.tolist() for mask in masks] == [[True, True], [], [True, True], [True, False]]
    assert [mask.tolist() for mask in nms_many([image([], [])] * 2, [0.5])[0]] == [[], []]


def test_an_image_of_more_than_a_block_keeps_its_classes_together(monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = [WHOLE, LOWER] * 6
    categories = [at // 2 for at in range(12)]
    big = image(boxes, [0.5, 0.75] * 6, categories)
    order = [at for pair in zip(range(6), range(6, 12), strict=True) for at in pair]  # classes mixed among each other
    mixed = image([boxes[at] for at in order], [big.score[at] for at in order], [categories[at] for at in order])
    for block in (1, 2, 3, 5, 100):
        monkeypatch.setattr(module, "BLOCK", block)
        assert nms(big, 0.25).tolist() == [False, True] * 6
        assert nms(mixed, 0.25).tolist() == [bool(at % 2) for at in order]


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_the_ends_of_the_range_are_thresholds(threshold: float) -> None:
    assert nms(image([WHOLE], [0.5]), threshold).tolist() == [True]


# --- the quoted detectors' suppression


def test_hard_suppression_keeps_what_meets_the_overlap() -> None:
    pair = image([WHOLE, LOWER], [0.75, 0.5])
    below = float(np.nextafter(F(0.5), F(0)))
    assert len(suppress(pair, HardNms(0.5, considered=9, kept=9))) == 2
    assert len(suppress(pair, HardNms(below, considered=9, kept=9))) == 1


def scores(boxes: Sequence[Box], before: Sequence[float], rule: SoftNms) -> list[float]:
    return [float(each) for each in suppress(image(boxes, before), rule).score]


def test_soft_suppression_lowers_what_meets_the_overlap() -> None:
    above = float(np.nextafter(F(0.5), F(1)))
    assert scores([WHOLE, LOWER], [0.75, 0.5], SoftNms(0.5, floor=0.0, kept=9)) == [0.75, 0.25]
    assert scores([WHOLE, LOWER], [0.75, 0.5], SoftNms(above, floor=0.0, kept=9)) == [0.75, 0.5]


def test_soft_suppression_keeps_what_meets_the_floor() -> None:
    above = float(np.nextafter(F(0.25), F(1)))
    apart: Box = (500, 500, 16, 16)
    for floor, kept in ((0.25, [0.75, 0.25]), (above, [0.75])):
        assert scores([WHOLE, LOWER], [0.75, 0.5], SoftNms(0.5, floor=floor, kept=9)) == kept  # lowered to it
        assert scores([WHOLE, apart], [0.75, 0.25], SoftNms(0.5, floor=floor, kept=9)) == kept  # from the beginning


def test_what_is_kept_are_the_best_after_lowering() -> None:
    apart: Box = (500, 500, 16, 16)
    kept = suppress(image([WHOLE, LOWER, apart], [0.75, 0.5, 0.375]), SoftNms(0.5, floor=0.0, kept=2))
    assert kept.score.tolist() == [0.75, 0.375]


def test_what_fell_below_the_floor_lowers_no_other() -> None:
    # WHOLE lowers LOWER to 1/4, below the floor; LOWER's own lower half, IoU 1/2 with it and 1/4 with WHOLE, stays
    quarter: Box = (8, 14, 16, 4)
    rule = SoftNms(0.5, floor=0.375, kept=9)
    assert scores([WHOLE, LOWER, quarter], [0.75, 0.5, 0.5], rule) == [0.75, 0.5]
    assert scores([WHOLE, LOWER, quarter], [0.75, 0.5, 0.25], SoftNms(0.5, floor=0.125, kept=9)) == [0.75, 0.25, 0.125]


def test_of_equal_scores_the_first_lowers() -> None:
    rule = SoftNms(0.5, floor=0.0, kept=9)
    assert scores([WHOLE, LOWER], [0.5, 0.5], rule) == [0.5, 0.25]
    assert scores([LOWER, WHOLE], [0.5, 0.5], rule) == [0.5, 0.25]
    hard = suppress(image([LOWER, WHOLE], [0.5, 0.5]), HardNms(0.25, considered=9, kept=9))
    assert hard.boxes.tolist() == [list(LOWER)]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_of_equal_scores_the_first_are_kept(count: int) -> None:
    """As many as a rule keeps or considers, no more: in the order of the candidates."""
    apart: list[Box] = [(100 * at, 8, 16, 16) for at in range(3)]
    some = image(apart, [0.5] * 3)
    wanted = [list(map(float, box)) for box in apart[:count]]
    for rule in (
        SoftNms(0.5, floor=0.0, kept=count),
        HardNms(0.5, considered=9, kept=count),
        HardNms(0.5, considered=count, kept=9),
    ):
        assert suppress(some, rule).boxes.tolist() == wanted


def test_what_is_considered_is_counted_class_by_class_and_what_is_kept_is_not() -> None:
    apart: list[Box] = [(100 * at, 8, 16, 16) for at in range(6)]
    some = image(apart, [0.5, 0.5, 0.75, 0.25, 0.5, 0.5], [0, 1, 0, 1, 0, 1])
    assert suppress(some, HardNms(0.5, considered=2, kept=9)).score.tolist() == [0.5, 0.5, 0.75, 0.5]
    assert suppress(some, HardNms(0.5, considered=9, kept=2)).score.tolist() == [0.5, 0.75]
    assert suppress(some, SoftNms(0.5, floor=0.0, kept=2)).score.tolist() == [0.5, 0.75]
