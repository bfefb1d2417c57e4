"""Average precision: against pycocotools, float by float, and against numbers worked out by hand."""

from __future__ import annotations

import builtins
import gzip
import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from refusals import refuses

from cspbench.data.coco.annotations import GroundTruth
from cspbench.data.coco.source import open_coco
from cspbench.detection.ap.average_precision import ENGINES, METRICS, as_percent, average_precision, by_library
from cspbench.detection.ap.matching import Detections

GOLDEN = {
    "head": "15.324 32.755 11.650 3.861 14.117 26.420",
    "readme-nms0.45": "15.480 35.099 11.201 3.570 13.264 27.121",
    "readme-nms0.60": "15.578 33.893 11.683 3.378 14.051 26.943",
    "letterbox-nms0.45": "13.909 31.481 10.900 4.370 9.969 27.403",
}
"""AP, AP50, AP75, APS, APM, APL of Darknet's own result files under pycocotools."""


def truth(objects: Sequence[Sequence[float]], images: int = 4, categories: int = 3) -> GroundTruth:
    """Objects as (image, category, left, top, width, height, crowd); area 0.7 of the box."""
    rows = np.array(objects, np.float64).reshape(-1, 7)
    return GroundTruth(
        image_ids=np.arange(1, images + 1),
        categories={key: f"class {key}" for key in range(1, categories + 1)},
        images=rows[:, 0].astype(np.int64),
        category_ids=rows[:, 1].astype(np.int64),
        boxes=rows[:, 2:6],
        areas=0.7 * rows[:, 4] * rows[:, 5],
        crowd=rows[:, 6] > 0,
    )


def detections(found: Sequence[Sequence[float]]) -> Detections:
    """Detections as (image, category, left, top, width, height, score)."""
    rows = np.array(found, np.float64).reshape(-1, 7)
    return Detections(rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64), rows[:, 2:6], rows[:, 6])


def same(one: GroundTruth, other: Detections, most: int = 100) -> None:
    """Assert that the engines agree in every float."""
    results = {engine: average_precision(one, other, engine, most) for engine in ENGINES}
    referee, ours = (results[engine] for engine in ("pycocotools", "cspbench"))
    assert ours.stats.tolist() == referee.stats.tolist()
    assert ours.precision.tolist() == referee.precision.tolist()
    assert ours.recall.tolist() == referee.recall.tolist()
    assert ours.per_class() == referee.per_class()
    assert (ours.first is None) is (referee.first is None) is (most == 100)
    if ours.first is not None and referee.first is not None:
        assert ours.first.tolist() == referee.first.tolist()


def golden(shared: Path, name: str) -> Detections:
    """One of Darknet's result files."""
    records = json.loads(
        gzip.decompress((shared / "golden" / "eval" / f"yolo-fastest-1.1.{name}.json.gz").read_bytes())
    )
    columns = ([record[key] for record in records] for key in ("image_id", "category_id", "bbox", "score"))
    return Detections(*map(np.array, columns))


# few values of each, so that overlaps, equal scores and equal overlaps are common; areas on both sides of 32² and 96²
_side = st.sampled_from([0, 8, 16, 38, 40, 115, 120, 200])
_corner = st.integers(-3, 6).map(lambda step: 10 * step)
_box = st.tuples(_corner, _corner, _side, _side)
_place = st.tuples(st.integers(1, 4), st.integers(1, 3))
_objects = st.lists(st.tuples(_place, _box, st.sampled_from([0, 0, 0, 1])), max_size=25)
_found = st.lists(st.tuples(_place, _box, st.integers(0, 9)), max_size=60)


@given(_objects, _found)
@settings(max_examples=60)
def test_the_engines_agree(objects: list[Any], found: list[Any]) -> None:
    same(
        truth([(*place, *box, crowd) for place, box, crowd in objects]),
        detections([(*place, *box, score / 10) for place, box, score in found]),
    )


def crowded(seed: int) -> tuple[GroundTruth, Detections]:
    """More than 100 detections of a category in an image, up to 20 objects, areas of every range."""
    rng = np.random.default_rng(seed)
    boxes = np.column_stack((rng.uniform(0, 200, (40, 2)), np.exp(rng.uniform(2, 5.5, (40, 2)))))
    objects = [(1 + place % 2, 1 + place % 3 % 2, *box, rng.random() < 0.1) for place, box in enumerate(boxes)]
    result = [
        (image, category, *(boxes[rng.integers(40)] + rng.normal(0, 6, 4)), round(rng.random(), 2))
        for image in (1, 2, 3)
        for category in (1, 2)
        for _ in range(150)
    ]
    return truth(objects), detections(result)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("most", [100, 120, 1000])
def test_crowded_images_agree(seed: int, most: int) -> None:
    same(*crowded(seed), most)


@pytest.mark.parametrize("seed", range(3))
def test_a_maximum_of_1000_is_mmdetections(seed: int) -> None:
    """It hands pycocotools 100, 300 and 1000, and takes the summary as it comes."""
    ground, found = crowded(seed)

    class Summarised(COCOeval):  # type: ignore[misc]
        def accumulate(self) -> None:
            self.params.maxDets = [100, 300, 1000]
            super().accumulate()
            self.summarize()
            self.params.maxDets = [1, 10, 100, 1000]
            summaries.append(self.stats)
            super().accumulate()

        def evaluate(self) -> None:
            self.params.maxDets = [100, 300, 1000]
            super().evaluate()

    summaries: list[Any] = []
    by_library(ground, found, COCO, Summarised, 1000)
    stats = average_precision(ground, found, most=1000).stats
    assert stats[:6].tolist() == summaries[0][:6].tolist()
    assert stats[9:].tolist() == summaries[0][9:].tolist()
    assert stats[8] == summaries[0][6]  # AR of 100
    usual = average_precision(ground, found).stats
    assert (stats[0], stats[6:9].tolist()) == (usual[0], usual[6:9].tolist())
    assert (stats[1:6] >= usual[1:6]).all()
    assert (stats[1:6] > usual[1:6]).any()


@pytest.mark.reference("golden/eval", "data/coco-mini")
@pytest.mark.parametrize("name", GOLDEN)
def test_darknets_own_results(shared: Path, name: str) -> None:
    ground = open_coco(shared / "data" / "coco-mini").ground_truth
    assert ground is not None
    found = golden(shared, name)
    same(ground, found)
    result = average_precision(ground, found)
    assert " ".join(f"{100 * value:.3f}" for value in result.stats[:6]) == GOLDEN[name]


def test_by_hand() -> None:
    # one class, two objects; the better of two detections misses: precision 1/2 up to recall 1/2, 51 of 101 points
    objects = [(1, 1, 0, 0, 50, 50, 0), (2, 1, 0, 0, 50, 50, 0)]
    found = [(1, 1, 100, 100, 50, 50, 0.9), (1, 1, 0, 0, 50, 50, 0.8)]
    result = average_precision(truth(objects), detections(found))
    numbers = result.percent()
    assert numbers["ap"] is not None
    assert float(numbers["ap"]) == pytest.approx(100 * 51 / 101 / 2)
    assert numbers["ar100"] == 50
    assert numbers["ar1"] == 0
    # 0.7 * 50 * 50 = 1750 pixels: medium; nothing is small
    assert numbers["apm"] == numbers["ap"]
    assert numbers["aps"] is None
    assert result.per_class()["class 2"]["ap"] is None
    assert result.as_json()["aps"] is None
    assert set(result.per_class()) == {"class 1", "class 2", "class 3"}


def test_nothing_found_and_nothing_to_find() -> None:
    objects = [(1, 1, 0, 0, 50, 50, 0)]
    for engine in ENGINES:
        assert average_precision(truth(objects), detections([]), engine).stats.tolist()[:3] == [0, 0, 0]
        none = average_precision(truth([]), detections([(1, 1, 0, 0, 50, 50, 0.5)]), engine)
        assert none.stats.tolist() == [-1] * 12
        assert set(none.percent().values()) == {None}
        assert average_precision(truth([]), detections([]), engine).stats.tolist() == [-1] * 12
        assert average_precision(truth([], images=0), detections([]), engine).stats.tolist() == [-1] * 12


def test_the_order_of_the_detections_does_not_matter() -> None:
    rng = np.random.default_rng(5)
    objects = [(rng.integers(1, 5), rng.integers(1, 4), *rng.uniform(20, 90, 4), 0) for _ in range(20)]
    result = [(rng.integers(1, 5), rng.integers(1, 4), *rng.uniform(20, 90, 4), rng.random()) for _ in range(80)]
    first = average_precision(truth(objects), detections(result)).stats
    rng.shuffle(result)
    assert average_precision(truth(objects), detections(result)).stats.tolist() == first.tolist()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("row", "code", "found"),
    [
        ((9, 1, 0, 0, 5, 5, 0.5), "unknown-image", "9"),
        ((1, 9, 0, 0, 5, 5, 0.5), "unknown-category", "9"),
        ((1, 1, 0, float("nan"), 5, 5, 0.5), "unusable-box", "[0.0, nan, 5.0, 5.0]"),
        ((1, 1, 0, 0, float("inf"), 5, 0.5), "unusable-box", "[0.0, 0.0, inf, 5.0]"),
        ((1, 1, 0, 0, 5, 5, float("nan")), "unusable-score", "nan"),
    ],
)
def test_foreign_detections(engine: str, row: tuple[float, ...], code: str, found: str) -> None:
    with refuses(f"detections.{code}", where="detection 0") as caught:
        average_precision(truth([(1, 1, 0, 0, 5, 5, 0)]), detections([row, row]), engine)
    assert str(caught.value.found).startswith(f"{found}, and 1 more")
    assert caught.value.exit_code == 3


def test_engines_are_silent_and_never_replaced(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for engine in ENGINES:
        average_precision(truth([(1, 1, 0, 0, 9, 9, 0)]), detections([(1, 1, 0, 0, 9, 9, 1)]), engine)
    assert capfd.readouterr() == ("", "")
    real = builtins.__import__

    def without(name: str, *arguments: Any, **keywords: Any) -> Any:
        if name.startswith("pycocotools"):
            raise ImportError(f"No module named {name!r}")
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    for engine in ENGINES[1:]:
        with refuses("usage.no-engine", found="No module named 'pycocotools.coco'"):
            average_precision(truth([]), detections([]), engine)


def test_percent() -> None:
    assert as_percent(-1.0) is None
    assert as_percent(0.38) == Decimal("38.00")
    assert len(METRICS) == 12
