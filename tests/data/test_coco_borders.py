"""COCO's annotations at the last value that is allowed and the first that is not; and what a set's digest covers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from coco_sets import BROKEN, NAMES, contents, write
from refusals import refuses

from cspbench.data.coco import records
from cspbench.data.coco import source as coco
from cspbench.data.coco.annotations import COCO_CATEGORIES, read
from cspbench.data.coco.check import check
from cspbench.data.coco.source import open_coco, scan_coco


def put(path: str, value: Any) -> Any:
    """The annotations with one value replaced; `path` like "annotations.0.bbox"."""
    data: Any = contents()
    *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
    place = data
    for parent in parents:
        place = place[parent]
    place[last] = value
    return data


def saved(folder: Path, data: Any) -> Path:
    path = folder / BROKEN
    path.write_text(json.dumps(data))
    return path


def test_coco_has_80_categories_of_90() -> None:
    """As in Darknet's coco_ids: 1 to 11, 13 to 25, 27, 28, 31 to 44, 46 to 65, 67, 70, 72 to 82, 84 to 90."""
    runs = ((1, 11), (13, 25), (27, 28), (31, 44), (46, 65), (67, 67), (70, 70), (72, 82), (84, 90))
    assert list(COCO_CATEGORIES) == [key for first, last in runs for key in range(first, last + 1)]
    assert (COCO_CATEGORIES[1], COCO_CATEGORIES[13], COCO_CATEGORIES[90]) == ("person", "stop sign", "toothbrush")


IDS = ("images.0.id", "categories.0.id", "annotations.0.id", "annotations.0.image_id", "annotations.0.category_id")
ALLOWED: list[tuple[str, Any]] = [
    *((path, value) for path in IDS for value in (0, 2**53, 1.0, "1", "a-1")),
    *((f"images.0.{side}", value) for side in ("width", "height") for value in (0, 1, 1_000_000, 640.0, None)),
    *(("images.0.file_name", value) for value in ("a", "a/b.jpg", "..a", "a..", "a/..b/c", "a b", ".jpg", "", None)),
    *(("annotations.0.iscrowd", value) for value in (0, 1, 1.0, True, None)),
    *(("annotations.0.area", value) for value in (None, 0, 0.0, 1e-300, 1e18)),
    *(("annotations.0.bbox", [at, at, 1, 1]) for at in (-1e9, 1e9, 0)),
    *(("annotations.0.bbox", [0, 0, side, 1e9]) for side in (0, 0.0, 1e9)),
]
BROKEN_VALUES: list[tuple[str, Any]] = [
    *((path, value) for path in IDS for value in (-1, 2**53 + 1, True, None, "")),
    *((path, 1.5) for path in IDS[:3]),
    *((f"images.0.{side}", value) for side in ("width", "height") for value in (-1, 1_000_001, 1.5, True, "5")),
    *(("images.0.file_name", value) for value in (".", "..", "a/..", "/", "a/", "a\\", "C:\\", "a\0", "\ud800", 5)),
    *(("annotations.0.iscrowd", value) for value in (2, -1, 0.5, "0")),
    *(("annotations.0.area", value) for value in ("1", True, [1])),
    *(("annotations.0.bbox", value) for value in ([0, 0, 1], [0, 0, 1, 1, 1], [0, 0, 1, True], "0,0,1,1", None)),
]
FAULTY: list[tuple[str, Any]] = [
    *(("annotations.0.area", value) for value in (-1e-300, 1.0001e18, float("nan"), float("inf"), -1)),
    *(
        ("annotations.0.bbox", [1.0 if at != place else value for at in range(4)])
        for place in range(4)
        for value in (1.0001e9, -1.0001e9, float("nan"), float("inf"))
    ),
    *(("annotations.0.bbox", box) for box in ([0, 0, -1e-9, 1], [0, 0, 1, -1e-9])),
    ("annotations.0.image_id", 8),
    ("annotations.0.image_id", 285.5),
    ("annotations.0.image_id", "285x"),
    ("annotations.0.category_id", 12),  # one of the ten ids that COCO leaves out
    ("annotations.1.id", 7),
    ("images.2.id", 139),
    ("categories.1.id", 1),
]


@pytest.mark.parametrize("at", range(len(ALLOWED)), ids=lambda at: f"{ALLOWED[at][0]}-{at}")
def test_the_last_value_that_is_allowed(at: int, tmp_path: Path) -> None:
    path, value = ALLOWED[at]
    result = read(saved(tmp_path, put(path, value)))
    # another id is of nothing, which is a contradiction; but it is an id
    assert {fault.code for fault in result.faults} <= {"coco.unknown-image", "coco.unknown-category"}
    assert result.faults == () or path.endswith("id")


@pytest.mark.parametrize("at", range(len(BROKEN_VALUES)), ids=lambda at: f"{BROKEN_VALUES[at][0]}-{at}")
def test_what_breaks_the_structure(at: int, tmp_path: Path) -> None:
    path, value = BROKEN_VALUES[at]
    group, number, field = path.split(".")
    with refuses("coco.unusable-field") as caught:
        read(saved(tmp_path, put(path, value)))
    assert str(caught.value.where).partition(field)[0] == f"{BROKEN}, {group}[{number}]."


@pytest.mark.parametrize("at", range(len(FAULTY)), ids=lambda at: f"{FAULTY[at][0]}-{at}")
def test_what_contradicts_itself(at: int, tmp_path: Path) -> None:
    path, value = FAULTY[at]
    result = read(saved(tmp_path, put(path, value)))
    assert len(result.faults) == 1
    assert str(result.faults[0].where).endswith(("7", "139", "1"))


def test_the_largest_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, contents())
    monkeypatch.setattr(records, "LARGEST_FILE", path.stat().st_size)
    assert len(read(path).images) == 3
    monkeypatch.setattr(records, "LARGEST_FILE", path.stat().st_size - 1)
    with refuses("coco.unreadable", found=f"more than {path.stat().st_size - 1:,} bytes"):
        read(path)


# --- the check


@pytest.mark.parametrize(
    ("box", "outside"),
    [
        # images have 50x40 pixels; a pixel beyond the border is rounding
        *(([0, 0, 50, 40], False), ([-1, -1, 52, 42], False), ([49, 39, 2, 2], False), ([50, 40, 1, 1], False)),
        *(([-1.01, 0, 9, 9], True), ([0, -1.01, 9, 9], True), ([0, 0, 51.01, 9], True), ([0, 0, 9, 41.01], True)),
        *(([45, 0, 6.5, 9], True), ([0, 35, 9, 6.5], True), ([0, 0, 40, 50], True)),
    ],
)
def test_an_object_is_outside_by_more_than_a_pixel(tmp_path: Path, box: list[float], outside: bool) -> None:
    data = put("annotations.0.bbox", box)
    data["annotations"] = data["annotations"][:1]
    report = check(scan_coco(write(tmp_path, data)))
    assert report.objects_outside == int(outside)
    assert report.usable


@pytest.mark.parametrize(
    ("box", "area", "tiny"),
    [
        ([0, 0, 1e-9, 1e-9], 1e-9, False),
        ([0, 0, 0, 5], 5, True),
        ([0, 0, 5, 0], 5, True),
        ([0, 0, 5, 5], 0, True),
        ([0, 0, 0, 0], 0, True),
    ],
)
def test_an_object_without_extent(tmp_path: Path, box: list[float], area: float, tiny: bool) -> None:
    data = put("annotations.0.bbox", box)
    data["annotations"] = [{**data["annotations"][0], "area": area}]
    assert check(scan_coco(write(tmp_path, data))).objects_without_extent == int(tiny)


# --- splits and digests


def small(monkeypatch: pytest.MonkeyPatch, images: int) -> None:
    published = {split: (name, images) for split, (name, _) in coco.PUBLISHED.items()}
    monkeypatch.setattr(coco, "PUBLISHED", published)


@pytest.mark.parametrize(("images", "split"), [(2, "custom"), (3, "val2017"), (4, "custom")])
def test_a_split_has_exactly_its_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, images: int, split: str
) -> None:
    small(monkeypatch, images)
    assert open_coco(write(tmp_path)).split == split


def test_val2014_is_the_5k_split_by_its_list_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch, 3)
    root = write(tmp_path, name="instances_val2014.json", images="val2014")
    file = root / "annotations" / "instances_val2014.json"
    assert open_coco(file).split == "custom"
    for name in coco.LISTS:
        listed = root / name
        listed.write_text("\n".join(NAMES))
        assert open_coco(root).split == open_coco(listed).split == "val2014-5k"
        listed.rename(root / "mine.txt")
    assert open_coco(root / "mine.txt").split == "custom"


def test_val2017_by_a_list_is_custom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch, 3)
    root = write(tmp_path)
    (root / "5k.txt").write_text("\n".join(NAMES))
    assert open_coco(root).split == "val2017"


CHANGES: list[tuple[str, Any]] = [
    ("images.0.width", 51),
    ("images.0.height", 41),
    ("images.0.file_name", NAMES[1]),
    ("images.2.id", 8),
    ("categories.5.name", "tram"),
    ("categories.5.id", 91),
    ("annotations.0.image_id", 7),
    ("annotations.0.category_id", 1),
    *((f"annotations.0.bbox.{at}", 3) for at in range(4)),
    ("annotations.0.area", 150.25),
    ("annotations.2.iscrowd", 1),
]


def test_the_digest_covers_all_that_is_annotated(tmp_path: Path) -> None:
    digests = {"": scan_coco(write(tmp_path / "same")).as_json()["sha256"]}
    for at, (path, value) in enumerate(CHANGES):
        digests[path] = scan_coco(write(tmp_path / str(at), put(path, value))).as_json()["sha256"]
    for key in ("categories", "annotations"):
        data = contents()
        data[key].pop()
        digests[key] = scan_coco(write(tmp_path / f"fewer {key}", data)).as_json()["sha256"]
    assert len(set(digests.values())) == len(digests) == len(CHANGES) + 3


def test_the_digest_does_not_cover_what_counts_for_nothing(tmp_path: Path) -> None:
    base = scan_coco(write(tmp_path / "same")).as_json()
    data = contents()
    data["info"] = {"year": 2026}
    data["images"].reverse()
    data["categories"].reverse()
    for place, each in enumerate(data["annotations"]):
        each["id"] = 100 + place
        each["segmentation"] = []
    assert scan_coco(write(tmp_path / "other", data)).as_json() == base
