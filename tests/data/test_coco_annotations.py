"""Annotation files that are broken, foreign or hostile: one clear line each."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coco_sets import BROKEN, contents, write
from fuzzing import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from refusals import refuses

from cspbench.data.coco.annotations import read
from cspbench.data.coco.check import check
from cspbench.data.coco.source import open_coco, scan_coco
from cspbench.errors import DatasetError


def put(path: str, value: Any) -> Any:
    """The annotations with one value replaced; `path` like "annotations.0.bbox"."""
    data: Any = contents()
    *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
    place = data
    for parent in parents:
        place = place[parent]
    place[last] = value
    return data


def cut(path: str) -> Any:
    """The annotations without one key."""
    data = put(path, None)
    *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
    place = data
    for parent in parents:
        place = place[parent]
    del place[last]
    return data


DEEP = b"[" * 10_000 + b"]" * 10_000
HUGE = b"9" * 5000


@pytest.mark.parametrize(
    ("data", "code", "place", "found"),
    [
        (b"", "not-annotations", "", "Expecting value"),
        (b"{", "not-annotations", "", "Expecting property name"),
        (b"\xff\xfe\xff", "not-annotations", "", "utf-16-le"),
        (DEEP, "not-annotations", "", "nested"),
        (b'{"images": ' + DEEP + b"}", "not-annotations", "", "nested"),
        (b'{"images": [{"id": ' + HUGE + b"}]}", "not-annotations", "", "5000 digits"),
        (json.dumps(contents())[:-1].encode() + b',"annotations":[]}', "not-annotations", "", '"annotations"'),
        (b"[]", "not-annotations", "", "list"),
        (b"7", "not-annotations", "", "int"),
        (cut("images"), "missing-field", ", images", "categories, annotations"),
        (cut("categories"), "missing-field", ", categories", "images, annotations"),
        (cut("annotations"), "missing-field", ", annotations", "images, categories"),
        (put("images", {}), "unusable-field", ", images", "{}"),
        (put("images", []), "no-image-listed", "", "none"),
        (put("images.1", 5), "unusable-field", ", images[1]", "5"),
        (cut("images.0.id"), "missing-field", ", images[0].id", "file_name, width, height"),
        (put("images.0.id", "\ud800"), "unusable-field", ", images[0].id", r'"\ud800"'),
        (put("images.0.id", True), "unusable-field", ", images[0].id", "true"),
        (put("images.0.id", 1.5), "unusable-field", ", images[0].id", "1.5"),
        (put("images.0.id", 10**30), "unusable-field", ", images[0].id", str(10**30)),
        (put("images.2.file_name", "../.."), "unusable-field", ", images[2].file_name", '"../.."'),
        (put("images.0.file_name", "/etc/"), "unusable-field", ", images[0].file_name", '"/etc/"'),
        (put("images.0.file_name", "a\0b"), "unusable-field", ", images[0].file_name", r'"a\u0000b"'),
        (put("images.0.file_name", "\ud800"), "unusable-field", ", images[0].file_name", r'"\ud800"'),
        (put("images.0.file_name", None), "missing-field", ", image 139", "none"),
        (put("images.0.width", -1), "unusable-field", ", images[0].width", "-1"),
        (put("images.0.height", 40.5), "unusable-field", ", images[0].height", "40.5"),
        (put("categories.3.name", 5), "unusable-field", ", categories[3].name", "5"),
        (cut("annotations.1.bbox"), "missing-field", ", annotations[1].bbox", "id, image_id, category_id, area"),
        (put("annotations.0.bbox", [1, 2, 3]), "unusable-field", ", annotations[0].bbox", "[1, 2, 3]"),
        (put("annotations.0.bbox", [1, 2, 3, "4"]), "unusable-field", ", annotations[0].bbox[3]", '"4"'),
        (put("annotations.0.bbox", None), "unusable-field", ", annotations[0].bbox", "null"),
        (put("annotations.0.iscrowd", 2), "unusable-field", ", annotations[0].iscrowd", "2"),
        (put("annotations.0.iscrowd", []), "unusable-field", ", annotations[0].iscrowd", "[]"),
        (put("annotations.0.bbox", [0, 10**400, 1, 1]), "unusable-field", ", annotations[0].bbox[1]", "1" + "0" * 36),
        (put("annotations.0.area", 10**400), "unusable-field", ", annotations[0].area", "1" + "0" * 36),
        (put("annotations.0.area", "9"), "unusable-field", ", annotations[0].area", '"9"'),
        (put("annotations.0.area", {"a": list(range(99))}), "unusable-field", ", annotations[0].area", '{"a": [0, 1,'),
    ],
)  # fmt: skip
def test_hostile_files(tmp_path: Path, data: Any, code: str, place: str, found: str) -> None:
    root = write(tmp_path, data)
    with refuses(f"coco.{code}", where=BROKEN + place) as caught:
        scan_coco(root)
    assert found in str(caught.value.found)
    text = str(caught.value)
    assert "\n" not in text
    assert caught.value.remedy
    assert len(text) < 500


@pytest.mark.parametrize(
    ("data", "code", "place", "found"),
    [
        (put("annotations.0.image_id", 5), "unknown-image", "annotation 7", "5"),
        (put("annotations.0.category_id", 12), "unknown-category", "annotation 7", "12"),
        (put("annotations.0.id", 8), "repeated-id", "annotation id 8", "2 times"),
        (put("images.0.id", 285), "repeated-id", "image id 285", "2 times"),
        (put("categories.0.id", 2), "repeated-id", "category id 2", "2 times"),
        (put("annotations.0.bbox", [float("nan"), 0, 1, 1]), "unusable-box", "annotation 7", "[nan, 0.0, 1.0, 1.0]"),
        (put("annotations.0.bbox", [0, 0, float("inf"), 1]), "unusable-box", "annotation 7", "[0.0, 0.0, inf, 1.0]"),
        (put("annotations.0.bbox", [0, 0, -1, 1]), "unusable-box", "annotation 7", "[0.0, 0.0, -1.0, 1.0]"),
        (put("annotations.0.bbox", [0, 1e300, 1, 1]), "unusable-box", "annotation 7", "[0.0, 1e+300, 1.0, 1.0]"),
        (put("annotations.0.area", float("nan")), "unusable-area", "annotation 7", "nan"),
        (put("annotations.0.area", -1), "unusable-area", "annotation 7", "-1.0"),
        (put("annotations.0.area", 1e300), "unusable-area", "annotation 7", "1e+300"),
    ],
)  # fmt: skip
def test_contradictions(tmp_path: Path, data: Any, code: str, place: str, found: str) -> None:
    root = write(tmp_path, data)
    with refuses(f"coco.{code}", where=f"{BROKEN}, {place}", found=found):
        open_coco(root)
    report = check(scan_coco(root))
    assert not report.usable
    assert report.faults


def test_all_contradictions_are_counted(tmp_path: Path) -> None:
    data = put("annotations.0.image_id", 5)
    data["annotations"][1]["category_id"] = 1000
    with refuses("coco.unknown-image", where=f"{BROKEN}, annotation 7", found="5") as caught:
        open_coco(write(tmp_path, data))
    assert re.findall(r"\d+", str(caught.value.remedy)) == ["1"]  # how many others there are
    assert len(check(scan_coco(tmp_path)).faults) == 2


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)
_paths = [
    "images", "images.0", "images.1.id", "images.1.file_name", "images.0.width", "categories", "categories.0",
    "categories.0.id", "categories.2.name", "annotations", "annotations.0", "annotations.1.bbox", "annotations.1.area",
    "annotations.2.image_id", "annotations.2.category_id", "annotations.0.iscrowd", "annotations.0.bbox.2",
]  # fmt: skip


@given(st.sampled_from(_paths), _values)
@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_value_anywhere(tmp_path: Path, path: str, value: Any) -> None:
    file = tmp_path / BROKEN
    file.write_text(json.dumps(put(path, value)))
    refused = ""
    try:
        result = read(file)
    except DatasetError as error:
        refused = str(error)
    assert "\n" not in refused
    if not refused and not result.faults:
        assert result.truth is not None
        assert np.isfinite(result.truth.boxes).all()
        assert np.isin(result.truth.images, result.truth.image_ids).all()


# --- supercategories


def test_a_parent_without_objects_is_no_class(tmp_path: Path) -> None:
    """As Roboflow writes it: category 0 is the parent of the others."""
    data = contents()
    data["categories"] = [
        {"id": 0, "name": "things", "supercategory": "none"},
        {"id": 1, "name": "person", "supercategory": "things"},
        {"id": 90, "name": "toothbrush", "supercategory": "things"},
    ]
    file = write(tmp_path, data) / "annotations" / BROKEN
    annotations = read(file)
    assert annotations.categories == {1: "person", 90: "toothbrush"}
    assert annotations.truth is not None
    assert annotations.truth.categories == {1: "person", 90: "toothbrush"}
    assert annotations.faults == ()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"id": 1, "name": "person", "supercategory": "none"}, {"id": 90, "name": "x", "supercategory": "person"}),
        ({"id": 5, "name": "car", "supercategory": "car"}, {"id": 1, "name": "person"}),
        ({"id": 5, "name": "car", "supercategory": ["x"]}, {"id": 1, "name": "person", "supercategory": {"a": 1}}),
    ],
    ids=["a parent with objects", "its own parent", "no texts"],
)
def test_other_categories_stay(tmp_path: Path, first: dict[str, Any], second: dict[str, Any]) -> None:
    data = contents()
    data["categories"] = [first, second]
    assert read(write(tmp_path, data) / "annotations" / BROKEN).categories.keys() == {first["id"], second["id"]}
