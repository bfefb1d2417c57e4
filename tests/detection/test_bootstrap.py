"""Bootstrap intervals against the same draws evaluated by pycocotools, image by copied image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from refusals import refuses

from cspbench.data.coco.annotations import GroundTruth
from cspbench.detection.ap.average_precision import AveragePrecision, average_precision
from cspbench.detection.ap.bootstrap import NAMES, intervals, paired
from cspbench.detection.ap.matching import Detections

IMAGES, CATEGORIES = 12, 3


def scene(seed: int) -> tuple[GroundTruth, Detections]:
    """Objects of every size in a few images, and detections around them; every score is its own."""
    rng = np.random.default_rng(0)
    boxes = np.column_stack((rng.uniform(0, 300, (60, 2)), np.exp(rng.uniform(2.5, 5.5, (60, 2)))))
    images, kinds = rng.integers(1, IMAGES + 1, 60), rng.integers(1, CATEGORIES + 1, 60)
    truth = GroundTruth(
        image_ids=np.arange(1, IMAGES + 1),
        categories={key: str(key) for key in range(1, CATEGORIES + 1)},
        images=images,
        category_ids=kinds,
        boxes=boxes,
        areas=boxes[:, 2] * boxes[:, 3],
        crowd=rng.random(60) < 0.1,
    )
    rng = np.random.default_rng(seed)
    near = rng.integers(0, 60, 200)
    result = boxes[near] + rng.normal(0, 4, (200, 4))
    return truth, Detections(images[near], kinds[near], result, rng.permutation(200) / 200)


def copied(truth: GroundTruth, detections: Detections, chosen: np.ndarray) -> AveragePrecision:
    """Pycocotools on the chosen images, each copy an image of its own; copies of one image lie side by side."""
    chosen = np.sort(chosen)
    objects = [np.flatnonzero(truth.images == image) for image in chosen]
    result = [np.flatnonzero(detections.image_ids == image) for image in chosen]
    new = np.arange(1, len(chosen) + 1)
    which, others = np.concatenate(objects), np.concatenate(result)
    drawn = replace(
        truth,
        image_ids=new,
        images=np.repeat(new, [len(each) for each in objects]),
        **{name: getattr(truth, name)[which] for name in ("category_ids", "boxes", "areas", "crowd")},
    )
    ids = np.repeat(new, [len(each) for each in result])
    columns = (getattr(detections, name)[others] for name in ("category_ids", "boxes", "scores"))
    return average_precision(drawn, Detections(ids, *columns), "pycocotools")


def naive(truth: GroundTruth, detections: Detections, draws: int, seed: int) -> np.ndarray:
    """The six numbers of each draw, in percent."""
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(draws):
        chosen = truth.image_ids[rng.integers(0, IMAGES, IMAGES)]
        values.append(copied(truth, detections, chosen).stats[:6])
    return np.where(np.array(values) < 0, np.nan, 100 * np.array(values))


def test_intervals_are_those_of_copied_images() -> None:
    truth, detections = scene(1)
    result = average_precision(truth, detections)
    values = naive(truth, detections, 25, seed=3)
    found = intervals(result, draws=25, seed=3)
    for place, name in enumerate(NAMES):
        assert found[name] == pytest.approx(np.nanpercentile(values[:, place], (2.5, 97.5)), abs=1e-9)


def test_differences_are_those_of_copied_images() -> None:
    truth, first = scene(1)
    _, second = scene(2)
    results = average_precision(truth, first), average_precision(truth, second)
    result = paired(*results, draws=25, seed=3)
    values = naive(truth, second, 25, seed=3) - naive(truth, first, 25, seed=3)
    for place, name in enumerate(NAMES):
        difference = result[name]
        assert difference is not None
        measured = 100 * (results[1].stats[place] - results[0].stats[place])
        assert difference.delta == pytest.approx(measured)
        assert difference.interval == pytest.approx(np.nanpercentile(values[:, place], (2.5, 97.5)), abs=1e-9)
        rarer = min((values[:, place] <= 0).sum(), (values[:, place] >= 0).sum())
        assert difference.p == pytest.approx(min(1, 2 * (rarer + 1) / 26))
        assert set(difference.as_json()) == {"delta", "interval", "p"}


def test_the_same_seed_gives_the_same_interval() -> None:
    result = average_precision(*scene(1))
    steps: list[int] = []
    first = intervals(result, draws=40, step=steps.append)
    assert first == intervals(result, draws=40)
    assert first != intervals(result, draws=40, seed=1)
    assert steps == list(range(1, 41))
    ap = first["ap"]
    assert ap is not None
    assert ap[0] < 100 * result.stats[0] < ap[1]


def test_a_run_does_not_differ_from_itself() -> None:
    result = average_precision(*scene(1))
    for difference in paired(result, result, draws=10).values():
        assert difference is not None
        assert (difference.delta, difference.interval, difference.p) == (0, (0, 0), 1)


def test_nothing_to_find_has_no_interval() -> None:
    truth, detections = scene(1)
    small = truth.areas < 32**2
    without = replace(
        truth,
        **{name: getattr(truth, name)[~small] for name in ("images", "category_ids", "boxes", "areas", "crowd")},
    )
    result = average_precision(without, detections)
    assert intervals(result, draws=5)["aps"] is None
    assert paired(result, result, draws=5)["aps"] is None
    assert intervals(result, draws=5)["ap"] is not None


@pytest.mark.parametrize(
    "other",
    [
        "image_ids",
        "categories",
        "images",
        "category_ids",
        "crowd",
        "areas",
    ],
)
def test_runs_on_other_objects_are_not_paired(other: str) -> None:
    """As many images, objects and categories, and other ones among them."""
    truth, detections = scene(1)
    changed: dict[str, Any] = {
        # the last image, which nothing is in, under another id
        "image_ids": np.append(truth.image_ids, IMAGES + 2),
        "categories": {**truth.categories, CATEGORIES + 2: "other"},
        "images": np.where(truth.images < 3, 3 - truth.images, truth.images),
        "category_ids": np.where(truth.category_ids < 3, 3 - truth.category_ids, truth.category_ids),
        "crowd": ~truth.crowd,
        "areas": np.where(np.arange(len(truth.areas)) == 7, 5e4, truth.areas),
    }
    own = replace(
        truth,
        image_ids=np.append(truth.image_ids, IMAGES + 1),
        categories={**truth.categories, CATEGORIES + 1: "empty"},
    )
    assert not np.array_equal(changed[other], getattr(own, other))
    first = average_precision(own, detections)
    paired(first, average_precision(own, detections), draws=2)
    second = average_precision(replace(own, **{other: changed[other]}), detections)
    with refuses("detections.different-images"):
        paired(first, second, draws=2)
    with refuses("detections.different-images"):
        paired(second, first, draws=2)


def simple_truth() -> GroundTruth:
    """Two images with one object each."""
    return GroundTruth(
        image_ids=np.array([1, 2]),
        categories={1: "one"},
        images=np.array([1, 2]),
        category_ids=np.ones(2, np.int64),
        boxes=np.array([[0.0, 0, 20, 20]] * 2),
        areas=np.array([400.0] * 2),
        crowd=np.zeros(2, np.bool_),
    )


def simple(*found: Sequence[float]) -> AveragePrecision:
    """The two objects found by detections (image, score)."""
    rows = np.array(found, np.float64).reshape(-1, 2)
    return average_precision(
        simple_truth(),
        Detections(
            rows[:, 0].astype(np.int64),
            np.ones(len(rows), np.int64),
            np.array([[0.0, 0, 20, 20]] * len(rows)).reshape(-1, 4),
            rows[:, 1],
        ),
    )


@pytest.mark.parametrize(
    ("images", "categories"), [([1, 1], [1, 1]), ([2, 2], [1, 1]), ([1, 2], [1, 2]), ([1, 2], [2, 2])]
)
def test_equal_objects_elsewhere_are_other_objects(images: list[int], categories: list[int]) -> None:
    """As many, as large and none of them a crowd: in other images, or of other categories."""
    own = replace(simple_truth(), categories={1: "one", 2: "two"})
    nothing = Detections(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0))
    other = replace(own, images=np.array(images), category_ids=np.array(categories))
    first, second = average_precision(own, nothing), average_precision(other, nothing)
    paired(first, first, draws=1)
    with refuses("detections.different-images"):
        paired(first, second, draws=1)


@pytest.mark.parametrize("draws", [1, 5, 40])
def test_the_p_value_by_hand(draws: int) -> None:
    """One run finds the object of image 1 alone, the other both: a draw of image 1 twice makes no difference."""
    half, both = simple((1, 0.9)), simple((1, 0.9), (2, 0.9))
    generator = np.random.default_rng(0)
    drawn = [generator.integers(0, 2, 2).tolist() for _ in range(draws)]
    # 100 against 51 of 101 points, or against nothing where image 2 alone is drawn
    gains = [{0: 0.0, 1: 100 * 50 / 101, 2: 100.0}[sum(each)] for each in drawn]
    result, back = paired(half, both, draws=draws)["ap"], paired(both, half, draws=draws)["ap"]
    assert result is not None
    assert back is not None
    assert [result.delta, back.delta] == pytest.approx([100 * 50 / 101, -100 * 50 / 101])
    # at least 0 all are; at most 0 those without a difference
    assert result.p == back.p == pytest.approx(min(1, 2 * (gains.count(0) + 1) / (draws + 1)))
    assert result.interval == pytest.approx(np.percentile(gains, (2.5, 97.5)), abs=1e-9)
    assert list(back.interval) == pytest.approx([-result.interval[1], -result.interval[0]])


def test_an_interval_of_one_draw_is_that_draw() -> None:
    bounds = intervals(simple((1, 0.9), (2, 0.9)), draws=1)["ap"]
    assert bounds is not None
    assert list(bounds) == pytest.approx([100, 100])
    assert intervals(simple(), draws=3)["ap"] == (0, 0)
    assert intervals(simple((1, 0.9)), draws=3)["apm"] is None


def test_what_cannot_be_resampled() -> None:
    truth, detections = scene(1)
    with refuses("detections.no-matches", found="pycocotools"):
        intervals(average_precision(truth, detections, "pycocotools"))
    fewer = truth.only(truth.image_ids[:5])
    inside = np.isin(detections.image_ids, fewer.image_ids)
    part = average_precision(fewer, Detections(*(column[inside] for column in detections)))
    with refuses("detections.different-images", found="12 and 5 images"):
        paired(average_precision(truth, detections), part)


def test_ap_alone_is_of_the_best_hundred() -> None:
    """With one image every draw is the set itself."""
    box = np.array([[10.0, 10, 50, 50]])
    own = GroundTruth(
        image_ids=np.array([1]),
        categories={1: "a"},
        images=np.array([1]),
        category_ids=np.array([1]),
        boxes=box,
        areas=np.array([2500.0]),
        crowd=np.array([False]),
    )
    # the only hit is the 120th detection
    boxes = np.repeat([[100.0, 100, 5, 5]], 120, 0)
    boxes[119] = box
    found = Detections(np.full(120, 1), np.full(120, 1), boxes, np.linspace(1, 0.5, 120))
    result = average_precision(own, found, most=1000)
    percent = 100 / 120
    assert result.stats[:6].tolist() == pytest.approx([0, percent / 100, percent / 100, -1, 1, -1])
    assert intervals(result, draws=3) == {
        **dict.fromkeys(("aps", "apl")),
        "ap": (0, 0),
        **dict.fromkeys(("ap50", "ap75"), pytest.approx((percent, percent))),
        "apm": pytest.approx((100, 100)),
    }
