"""Annotations as other programs write them, read as pycocotools reads them; folders with more than annotations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from coco_sets import BROKEN, NAMES, contents, write
from pictures import fill, jpeg
from refusals import refuses

from cspbench.data.coco.annotations import read
from cspbench.data.coco.check import check
from cspbench.data.coco.source import open_coco, scan_coco
from cspbench.data.darknet.opening import darknet_path


def floats(data: Any) -> Any:
    """Every whole number as a float, as pandas writes a column with gaps."""
    if isinstance(data, dict):
        return {key: floats(value) for key, value in data.items()}
    if isinstance(data, list):
        return [floats(value) for value in data]
    return float(data) if type(data) is int else data


def test_whole_floats_are_whole_numbers(tmp_path: Path) -> None:
    whole = open_coco(write(tmp_path / "whole"))
    assert open_coco(write(tmp_path / "floats", floats(contents()))).as_json() == whole.as_json()


def test_ids_that_are_texts(tmp_path: Path) -> None:
    data = contents()
    for image in data["images"]:
        image["id"] = f"img-{image['id']}"
    for each in data["annotations"]:
        each.update(id=f"a-{each['id']}", image_id=f"img-{each['image_id']}", category_id=str(each["category_id"]))
    annotations = open_coco(write(tmp_path, data)).annotations
    truth = annotations.truth
    assert truth is not None
    assert annotations.texts[0] == {1: "img-139", 2: "img-285", 3: "img-7"}  # in the order of the file
    assert (truth.images.tolist(), truth.category_ids.tolist()) == ([2, 1, 1], [90, 1, 1])
    assert truth.ids is None


def test_the_box_stands_in_for_a_missing_area(tmp_path: Path) -> None:
    data = contents()
    del data["annotations"][0]["area"]
    data["annotations"][1]["area"] = None
    annotations = read(write(tmp_path, data) / "annotations" / BROKEN)
    assert annotations.truth is not None
    assert annotations.truth.areas.tolist() == [200, 2000, 9]  # 10 x 20, 50 x 40, and the third's own
    (note,) = annotations.notes
    assert note.startswith("2 of 3 annotations")


def test_an_annotation_of_id_0_is_said(tmp_path: Path) -> None:
    data = contents()
    data["annotations"][1]["id"] = 0.0
    (note,) = read(write(tmp_path, data) / "annotations" / BROKEN).notes
    assert "--engine pycocotools" in note


def test_sizes_are_not_needed(tmp_path: Path) -> None:
    data = contents()
    for image, sides in zip(
        data["images"], ({}, {"width": None, "height": 40}, {"width": 0, "height": 0}), strict=True
    ):
        del image["width"], image["height"]
        image |= sides
    source = scan_coco(write(tmp_path, data))
    assert [(image.width, image.height) for image in source.images] == [(0, 0), (0, 0), (0, 40)]
    report = check(source)
    assert (report.usable, report.other_size, report.objects_outside) == (True, [], 0)


def test_scoring_needs_neither_images_nor_names(tmp_path: Path) -> None:
    data = contents()
    for image in data["images"]:
        del image["file_name"]
    file = tmp_path / "objects.json"
    file.write_text(json.dumps(data))
    source = open_coco(file, images=False)
    assert (len(source), source.folder, source.missing) == (3, None, [])
    with refuses("coco.missing-field", where="objects.json, image 7", expected="file_name"):
        open_coco(file)


@pytest.mark.parametrize("place", ["val2017", "images", "images/set/pics", "pics"])
@pytest.mark.parametrize(
    "pattern",
    ["/home/me/set/pics/{}", "C:\\me\\set\\pics\\{}", "../../set/pics/{}", "pics\\{}"],
    ids=["absolute", "drive", "above", "backslash"],
)
def test_images_of_foreign_paths_are_found(tmp_path: Path, pattern: str, place: str) -> None:
    data = contents()
    for image in data["images"]:
        image["file_name"] = pattern.format(image["file_name"])
    inside = "images/pics" if pattern.startswith("pics") else place
    root = write(tmp_path, data, images=inside)
    fill(root / inside, {name: jpeg(0) for name in NAMES})
    source = open_coco(root)
    assert source.sample(0).data == (root / inside / NAMES[2]).read_bytes()


def test_only_annotations_are_taken_for_annotations(tmp_path: Path) -> None:
    root = write(tmp_path, images="images")
    (root / "annotations" / BROKEN).rename(root / "mine.json")
    (root / "annotations" / "readme.json").write_text("{}")
    for name, content in (
        ("results", [{"image_id": 139, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 1}]),
        ("package", {"name": "x", "images": 3}),
        ("report", {"images": [], "bad": []}),
        ("empty", None),
    ):
        (root / f"{name}.json").write_text(json.dumps(content))
    (root / "broken.json").write_bytes(b'\xff{"images"')
    assert open_coco(root).annotations.path == root / "mine.json"
    assert darknet_path(root) is None
    (root / "mine.json").rename(root / "yours.json")
    (root / "other.json").write_text('\ufeff {"images": [ {}, "annotations" : [')
    with refuses("coco.not-a-data-set", found="other.json, yours.json"):
        open_coco(root)
    (root / "other.json").unlink()
    (root / "yours.json").unlink()
    with refuses("coco.not-a-data-set", found="no annotations"):
        open_coco(root)


def test_the_folder_above_is_not_searched(tmp_path: Path) -> None:
    root = write(tmp_path)
    (root / "other").mkdir()
    with refuses("coco.not-a-data-set", where=str(root / "other"), found="no annotations"):
        open_coco(root / "other")
    (root / "set" / "annotations").mkdir(parents=True)
    (root / "set" / "stray.json").write_text(json.dumps(contents()))
    with refuses("coco.not-a-data-set", found="no annotations"):
        open_coco(root / "set" / "annotations")


def test_images_in_data_as_fiftyone_exports_them(tmp_path: Path) -> None:
    root = write(tmp_path)
    (root / "val2017").rename(root / "data")
    (root / "annotations" / "instances_val2017.json").rename(root / "labels.json")
    (root / "annotations").rmdir()
    assert open_coco(root).missing == []
