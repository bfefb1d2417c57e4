"""What a detector's run is asked for: thresholds, a part of the images, and classes by their ids."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from refusals import refuses

from cspbench.data.coco import CocoSource, open_coco
from cspbench.data.detection_presets import detection_preset
from cspbench.errors import DatasetError
from cspbench.evaluation.coco import category_ids, limited, parse_thresholds


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, [0.45]),
        ("0.6", [0.6]),
        ("0", [0.0]),
        ("1", [1.0]),
        ("0.7,0.45", [0.7, 0.45]),
        ("0.5,0.50,0.6,0.5", [0.5, 0.6]),
    ],
)
def test_thresholds(text: str | None, found: list[float]) -> None:
    assert parse_thresholds(text, detection_preset("readme")) == found


@pytest.mark.parametrize("text", ["", ",", "0.5,", "-0.001", "1.001", "nan", "inf", "x", "0.5;0.6"])
def test_thresholds_that_are_none(text: str) -> None:
    with refuses("usage.nms") as caught:
        parse_thresholds(text, detection_preset("readme"))
    assert caught.value.exit_code == 2


def drawn(folder: Path, categories: list[int], objects: list[int]) -> CocoSource:
    """Ten images, with an object in those named."""
    (folder / "annotations").mkdir(parents=True)
    (folder / "val2017").mkdir()
    images = [{"id": 10 * at, "file_name": f"{10 * at:012d}.jpg", "width": 9, "height": 9} for at in range(1, 11)]
    for each in images:
        (folder / "val2017" / str(each["file_name"])).touch()
    found = [
        {"id": at, "image_id": 10 * at, "category_id": categories[-1], "bbox": [1, 1, 5, 5], "area": 25, "iscrowd": 0}
        for at in objects
    ]
    named = [{"id": each, "name": f"class {each}"} for each in categories]
    text = json.dumps({"images": images, "categories": named, "annotations": found})
    (folder / "annotations" / "instances_val2017.json").write_text(text)
    return open_coco(folder)


def test_classes_are_the_categories_in_the_order_of_their_ids(tmp_path: Path) -> None:
    source = drawn(tmp_path, [7, 2, 90], [1])
    assert category_ids(source, 3) == {0: 2, 1: 7, 2: 90}
    for other in (2, 4):
        with refuses("coco.other-classes") as caught:
            category_ids(source, other)
        assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("count", "ids"), [(1, [10]), (2, [10, 60]), (3, [10, 40, 70]), (10, [10 * at for at in range(1, 11)])]
)
def test_a_part_is_evenly_spread_and_no_published_split(tmp_path: Path, count: int, ids: list[int]) -> None:
    part = limited(drawn(tmp_path, [1], list(range(1, 11))), count)
    assert [image.id for image in part.images] == ids
    assert part.as_json()["split"] == "custom"
    assert part.ground_truth is not None
    assert part.ground_truth.image_ids.tolist() == ids


def test_a_part_without_objects_is_refused(tmp_path: Path) -> None:
    source = drawn(tmp_path, [1], [2])
    with pytest.raises(DatasetError):
        limited(source, 1)
    assert len(limited(source, 10)) == 10
