"""Annotation files that are broken, foreign or hostile: one clear line each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coco_sets import BROKEN, contents, write
from fuzzing import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cspbench.data.coco import open_coco, scan_coco
from cspbench.data.coco_annotations import read
from cspbench.data.coco_check import check
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
    ("data", "words"),
    [
        (b"", "expected JSON, found Expecting value"),
        (b"{", "expected JSON"),
        (b"\xff\xfe\xff", "expected JSON"),
        (DEEP, "nested too deep"),
        (b'{"images": ' + DEEP + b"}", "nested too deep"),
        (b'{"images": [{"id": ' + HUGE + b"}]}", "expected JSON"),
        (json.dumps(contents())[:-1].encode() + b',"annotations":[]}', 'the key "annotations" twice in one object'),
        (b"[]", "expected an object with images and categories, found a list"),
        (b"7", "found a number"),
        (cut("images"), 'has no "images"'),
        (cut("categories"), 'has no "categories"'),
        (cut("annotations"), 'has no "annotations"'),
        (put("images", {}), '"images" is no list'),
        (put("images", []), "lists no image"),
        (put("images.1", 5), r'"images" holds something else'),
        (cut("images.0.id"), r'images\[0\]: lacks "id"'),
        (put("images.0.id", "139"), '"id" is not usable .* found "139"'),
        (put("images.0.id", True), '"id" is not usable'),
        (put("images.0.id", 1.5), '"id" is not usable'),
        (put("images.0.id", 10**30), '"id" is not usable'),
        (put("images.2.file_name", "../../secret.jpg"), r'images\[2\]: "file_name" is not usable'),
        (put("images.0.file_name", "/etc/passwd"), "a file name inside the image folder"),
        (put("images.0.file_name", "a\0b"), "a file name inside the image folder"),
        (put("images.0.file_name", "\ud800"), "a file name inside the image folder"),
        (put("images.0.file_name", None), "found null"),
        (put("images.0.width", 0), "a whole number of pixels"),
        (put("images.0.height", 40.0), "a whole number of pixels"),
        (put("categories.3.name", 5), r'categories\[3\]: "name" is not usable'),
        (cut("annotations.1.area"), r'annotations\[1\]: lacks "area"'),
        (put("annotations.0.bbox", [1, 2, 3]), "four numbers"),
        (put("annotations.0.bbox", [1, 2, 3, "4"]), "four numbers"),
        (put("annotations.0.bbox", None), "four numbers"),
        (put("annotations.0.iscrowd", 2), "expected 0 or 1"),
        (put("annotations.0.iscrowd", []), "expected 0 or 1"),
        (put("annotations.0.area", "9"), '"area" is not usable'),
        (put("annotations.0.area", {"a": list(range(99))}), '"area" is not usable'),
    ],
)  # fmt: skip
def test_hostile_files(tmp_path: Path, data: Any, words: str) -> None:
    root = write(tmp_path, data)
    with pytest.raises(DatasetError, match=words) as caught:
        scan_coco(root)
    text = str(caught.value)
    assert text.startswith(BROKEN)
    assert "\n" not in text
    assert caught.value.remedy
    assert len(text) < 500


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (put("annotations.0.image_id", 5), r"annotation 7: annotation of an unknown image \(.* found 5"),
        (put("annotations.0.category_id", 12), "annotation of an unknown category"),
        (put("annotations.0.id", 8), r"annotation id used twice \(expected an id of its own, found 2 times"),
        (put("images.0.id", 285), "image id used twice"),
        (put("categories.0.id", 2), "category id used twice"),
        (put("annotations.0.bbox", [float("nan"), 0, 1, 1]), "unusable box"),
        (put("annotations.0.bbox", [0, 0, float("inf"), 1]), "unusable box"),
        (put("annotations.0.bbox", [0, 0, -1, 1]), "unusable box"),
        (put("annotations.0.bbox", [0, 10**400, 1, 1]), "unusable box"),
        (put("annotations.0.area", float("nan")), "unusable area"),
        (put("annotations.0.area", -1), "unusable area"),
        (put("annotations.0.area", 10**400), "unusable area"),
    ],
)  # fmt: skip
def test_contradictions(tmp_path: Path, data: Any, words: str) -> None:
    root = write(tmp_path, data)
    with pytest.raises(DatasetError, match=words):
        open_coco(root)
    report = check(scan_coco(root))
    assert not report.usable
    assert report.faults


def test_all_contradictions_are_counted(tmp_path: Path) -> None:
    data = put("annotations.0.image_id", 5)
    data["annotations"][1]["category_id"] = 1000
    with pytest.raises(DatasetError, match="There are 1 more: cspbench data check coco lists them"):
        open_coco(write(tmp_path, data))
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
        found = read(file)
    except DatasetError as error:
        refused = str(error)
    assert "\n" not in refused
    if not refused and not found.faults:
        assert found.truth is not None
        assert np.isfinite(found.truth.boxes).all()
        assert np.isin(found.truth.images, found.truth.image_ids).all()
