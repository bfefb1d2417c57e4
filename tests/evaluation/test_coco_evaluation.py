"""What a detector's run is asked for: thresholds, a part of the images, and classes by their ids."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path

import pytest
from refusals import refuses

from cspbench.data.coco.annotations import COCO_CATEGORIES
from cspbench.data.coco.source import CocoSource, open_coco
from cspbench.data.detection_presets import detection_preset
from cspbench.errors import DatasetError
from cspbench.evaluation.detection_data import categories
from cspbench.evaluation.execution import SILENT
from cspbench.evaluation.part import part_of
from cspbench.evaluation.scoring import ScoringOptions, thresholds_of


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, (0.45,)),
        ("0.6", (0.6,)),
        ("0", (0.0,)),
        ("1", (1.0,)),
        ("0.7,0.45", (0.7, 0.45)),
        ("0.5,0.50,0.6,0.5", (0.5, 0.6)),
    ],
)
def test_thresholds(text: str | None, found: tuple[float, ...]) -> None:
    assert thresholds_of(text, detection_preset("readme")) == found


@pytest.mark.parametrize("text", ["", ",", "0.5,", "-0.001", "1.001", "nan", "inf", "x", "0.5;0.6"])
def test_thresholds_that_are_none(text: str) -> None:
    with refuses("usage.nms") as caught:
        thresholds_of(text, detection_preset("readme"))
    assert caught.value.exit_code == 2


def test_thresholds_as_numbers() -> None:
    preset = detection_preset("readme")
    assert thresholds_of([0.6, 0.45, 0.6], preset) == (0.6, 0.45)
    assert thresholds_of(0, preset) == (0.0,)
    for values in ([], [-0.1], [1.1], [float("nan")], [0.5, float("inf")]):
        with refuses("usage.nms"):
            thresholds_of(values, preset)


def test_what_does_not_go_together() -> None:
    with refuses("usage.unknown-engine", expected="one of cspbench, pycocotools", found="mine"):
        ScoringOptions((0.5,), "default", "mine")
    with refuses("usage.bootstrap-engine", found="pycocotools"):
        ScoringOptions((0.5,), "default", "pycocotools", bootstrap=True)
    assert ScoringOptions((0.5,), "default", "pycocotools", bootstrap=False).engine == "pycocotools"


def drawn(
    folder: Path, categories: list[int], objects: list[int], names: Mapping[int, str] | None = None
) -> CocoSource:
    """Ten images, with an object in those named."""
    (folder / "annotations").mkdir(parents=True)
    (folder / "val2017").mkdir()
    images = [{"id": 10 * at, "file_name": f"{10 * at:012d}.jpg", "width": 9, "height": 9} for at in range(1, 11)]
    for image in images:
        (folder / "val2017" / str(image["file_name"])).touch()
    result = [
        {"id": at, "image_id": 10 * at, "category_id": categories[-1], "bbox": [1, 1, 5, 5], "area": 25, "iscrowd": 0}
        for at in objects
    ]
    named = [{"id": category, "name": (names or {}).get(category, f"class {category}")} for category in categories]
    text = json.dumps({"images": images, "categories": named, "annotations": result})
    (folder / "annotations" / "instances_val2017.json").write_text(text)
    return open_coco(folder)


def test_a_network_of_the_catalogue_with_other_classes_than_cocos(tmp_path: Path) -> None:
    coco = drawn(tmp_path / "coco", list(COCO_CATEGORIES), [1], COCO_CATEGORIES)
    assert categories(coco, 80, None, False, SILENT) == tuple(COCO_CATEGORIES)
    with refuses("coco.other-classes", expected="10 categories, as in the network", found="80"):
        categories(coco, 10, None, False, SILENT)
    own = drawn(tmp_path / "own", [7, 2, 90], [1])
    assert categories(own, 3, None, False, SILENT) == (2, 7, 90)
    for other in (2, 4):
        with refuses("coco.other-classes") as caught:
            categories(own, other, None, False, SILENT)
        assert caught.value.exit_code == 3


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_a_part_is_drawn_by_its_seed(tmp_path: Path, count: int, seed: int) -> None:
    whole = drawn(tmp_path, [1], list(range(1, 11)))
    part = part_of(whole, str(count), seed)
    ids = [10 * (at + 1) for at in sorted(random.Random(seed).sample(range(10), count))]
    assert [image.id for image in part.images] == ids
    assert part.ground_truth is not None
    assert part.ground_truth.image_ids.tolist() == ids
    # it is a part of the set that it says it is
    assert part.as_json() == {**whole.as_json(), "limit": count, "seed": seed}
    assert part.split == whole.split


@pytest.mark.parametrize("limit", [None, "10", "11", "100%"])
def test_all_of_a_set_is_not_a_part(tmp_path: Path, limit: str | None) -> None:
    whole = drawn(tmp_path, [1], [1])
    assert part_of(whole, limit, 7) is whole
    assert "limit" not in whole.as_json()


def test_a_part_without_objects_is_refused(tmp_path: Path) -> None:
    # of ten, seed 0 draws 6 first: the seventh image
    assert random.Random(0).sample(range(10), 1) == [6]
    source = drawn(tmp_path, [1], [2])
    with pytest.raises(DatasetError):
        part_of(source, "1", 0)
    assert len(part_of(source, "10", 0)) == 10
