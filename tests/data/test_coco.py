"""COCO data sets: where they lie, which split they are, and what a check finds in them."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest
from coco_sets import BROKEN, NAMES, contents, write
from pictures import fill, jpeg
from refusals import refuses
from typer.testing import CliRunner

from cspbench.data.coco import source as coco
from cspbench.data.coco.annotations import COCO_CATEGORIES
from cspbench.data.coco.check import check
from cspbench.data.coco.source import CocoSource, open_coco, scan_coco
from cspbench.detection.ap.average_precision import ENGINES, average_precision
from cspbench.detection.ap.matching import Detections
from cspbench.evaluation.part import part_of, random_indices


def published(monkeypatch: pytest.MonkeyPatch, images: int = 3) -> None:
    """Pretend that the published splits are this small."""
    monkeypatch.setattr(coco, "PUBLISHED", {split: (name, images) for split, (name, _) in coco.PUBLISHED.items()})


def test_samples_come_by_id(tmp_path: Path) -> None:
    source = open_coco(write(tmp_path))
    assert [image.id for image in source.images] == [7, 139, 285]
    sample, image = source.sample(1), source.images[1]
    assert (sample.key, image.width, image.height) == (NAMES[0], 50, 40)
    assert sample.data == (tmp_path / "val2017" / NAMES[0]).read_bytes()
    truth = source.ground_truth
    assert truth is not None
    assert truth.image_ids.tolist() == [7, 139, 285]
    assert truth.images.tolist() == [285, 139, 139]
    assert truth.category_ids.tolist() == [90, 1, 1]
    assert truth.boxes.tolist() == [[1, 2.5, 10, 20], [0, 0, 50, 40], [40, 30, 20, 30]]
    assert truth.areas.tolist() == [150.5, 900, 9]
    assert truth.crowd.tolist() == [False, True, False]
    assert list(truth.categories.items()) == list(COCO_CATEGORIES.items())
    part = truth.only([139, 7, 5000])
    assert (part.image_ids.tolist(), part.images.tolist(), len(part)) == ([7, 139], [139, 139], 2)


def test_the_ids_decide_the_order_and_not_the_names(tmp_path: Path) -> None:
    data = contents()
    for image, key in zip(data["images"], (3, 2, 1), strict=True):
        image["id"] = key
    data["annotations"] = [{**data["annotations"][0], "image_id": 3}]
    source = open_coco(write(tmp_path, data))
    assert [source.sample(index).key for index in range(3)] == list(reversed(NAMES))
    assert source.sample(0).data == (tmp_path / "val2017" / NAMES[2]).read_bytes()


@pytest.mark.parametrize("images", ["val2017", "images/val2017", "images", ".", "annotations"])
def test_where_images_may_lie(tmp_path: Path, images: str) -> None:
    root = write(tmp_path / "coco", images=images)
    assert len(open_coco(root)) == 3
    assert len(open_coco(root / "annotations" / BROKEN)) == 3
    assert len(open_coco(root / "annotations")) == 3


def test_a_mistyped_path_is_not_a_folder_beside_it(tmp_path: Path) -> None:
    root = write(tmp_path)
    for name in ("val2071", "val2017/nothing", "annotation"):
        with refuses("coco.not-a-data-set", where=str(root / name), found="nothing"):
            open_coco(root / name)
    with refuses("coco.not-a-data-set", where=str(root / "val2017"), found="no annotations"):
        open_coco(root / "val2017")  # the folder above it is not searched


@pytest.mark.parametrize("crowds", [0, 1])
def test_annotations_without_an_object_to_find(tmp_path: Path, crowds: int) -> None:
    data = contents()
    data["annotations"] = [each for each in data["annotations"] if each.get("iscrowd")][:crowds]
    root = write(tmp_path, data)
    with refuses("coco.nothing-to-find", where=str(root / "annotations" / BROKEN)) as caught:
        open_coco(root)
    assert re.findall(r"\d+", str(caught.value.found)) == [str(crowds), "3"]
    report = check(scan_coco(root))
    assert (report.usable, report.faults) == (False, [f"{caught.value.what}: {caught.value.found}"])


def test_a_part_without_an_object_to_find(tmp_path: Path) -> None:
    source = open_coco(write(tmp_path))
    seed = next(seed for seed in range(100) if random_indices(3, 1, seed) == [0])  # the first image by id has none
    with refuses("coco.nothing-to-find"):
        part_of(source, "1", seed)


def test_names_with_folders(tmp_path: Path) -> None:
    data = contents()
    for image in data["images"]:
        image["file_name"] = f"val2017/{image['file_name']}"
    assert open_coco(write(tmp_path, data)).sample(0).key == f"val2017/{NAMES[2]}"


def test_an_object_of_id_0_counts(tmp_path: Path) -> None:
    # pycocotools takes a match with id 0 for no match
    data = contents()
    data["annotations"] = [{**data["annotations"][0], "id": 0}]
    truth = open_coco(write(tmp_path, data)).ground_truth
    assert truth is not None
    result = Detections(truth.images, truth.category_ids, truth.boxes, truth.areas / 1000)
    assert [average_precision(truth, result, engine).stats[0] for engine in ENGINES] == [pytest.approx(1), 0]


def test_a_part_of_a_split_is_custom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(tmp_path)
    file = str(root / "annotations" / BROKEN)
    assert open_coco(root).split == "custom"
    published_set = f"{BROKEN} with 5,000 images"
    with refuses("coco.other-split", where=file, expected=published_set, found="custom, 3 images"):
        open_coco(root, "val2017")
    published(monkeypatch)
    assert open_coco(root).split == open_coco(root, "val2017").split == "val2017"
    with refuses("coco.other-split", where=file, found="val2017, 3 images"):
        open_coco(file, "custom")
    with refuses("coco.not-a-data-set", expected="annotations/image_info_test-dev2017.json", found=BROKEN):
        open_coco(root, "test-dev2017")
    with refuses("usage.unknown-split", expected="one of val2017, val2014-5k, test-dev2017, custom", found="val"):
        open_coco(root, "val")


def test_other_categories_are_custom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published(monkeypatch)
    data = contents()
    data["categories"][1]["name"] = "tricycle"
    assert open_coco(write(tmp_path, data)).split == "custom"


def test_a_test_set_has_no_ground_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published(monkeypatch)
    data = contents()
    del data["annotations"]
    root = write(tmp_path, data, "image_info_test-dev2017.json", "test2017")
    source = open_coco(root, "test-dev2017")
    assert (source.split, source.ground_truth, source.as_json()["objects"]) == ("test-dev2017", None, None)
    assert check(source).usable
    write(tmp_path)
    assert open_coco(root).split == "val2017"
    assert open_coco(root, "test-dev2017").split == "test-dev2017"


def test_darknets_list_of_5000(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(tmp_path, name="instances_val2014.json", images="images/val2014")
    listed = root / "5k.txt"
    listed.write_text(f"/home/me/coco/images/val2014/{NAMES[1]}\n\nD:\\coco\\val2014\\{NAMES[2]}\r\n")
    source = open_coco(root)
    assert (source.split, [image.id for image in source.images]) == ("custom", [7, 285])
    assert source.ground_truth is not None
    assert source.ground_truth.images.tolist() == [285]
    assert source.ignored == 1
    published(monkeypatch, 2)
    assert open_coco(root, "val2014-5k").split == "val2014-5k"
    assert [image.id for image in open_coco(listed).images] == [7, 285]
    listed.write_text(listed.read_text().replace("\n", "\r"), newline="")
    assert [image.id for image in open_coco(listed).images] == [7, 285]
    for lines, code, where, result in (
        (f"{NAMES[0]}\n{NAMES[0]}\n".encode(), "list-repeats", "5k.txt, line 2", NAMES[0]),
        (b"val2014/1.jpg\n", "list-unknown-image", "5k.txt, line 1", "val2014/1.jpg"),
        (b"\n", "list-unreadable", str(listed), "an empty list"),
    ):
        listed.write_bytes(lines)
        with refuses(f"coco.{code}", where=where, found=result):
            open_coco(root)
    listed.write_bytes(b"\xff\xfe")
    with refuses("coco.list-unreadable", where=str(listed)):
        open_coco(root)


def test_nothing_there_and_too_much(tmp_path: Path) -> None:
    with refuses("coco.not-a-data-set", where=str(tmp_path / "coco"), found="nothing"):
        open_coco(tmp_path / "coco")
    with refuses("coco.not-a-data-set", where=str(tmp_path), found="no annotations"):
        open_coco(tmp_path)
    write(tmp_path, name="instances_one.json", images="one")
    assert open_coco(tmp_path).split == "custom"
    write(tmp_path, name="instances_two.json", images="two")
    write(tmp_path, name="instances_train2017.json", images="train2017")
    with refuses("coco.not-a-data-set", found="instances_one.json, instances_two.json"):
        open_coco(tmp_path)
    (tmp_path / "list.txt").write_text(NAMES[0])
    place = tmp_path / "list.txt"
    with refuses("coco.not-a-data-set", where=str(place), expected="annotations/instances_val2014.json"):
        open_coco(place)


def test_a_path_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "coco")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for path in ("~/coco", Path("~/coco"), f"~/coco/annotations/{BROKEN}"):
        assert open_coco(path).folder == tmp_path / "coco" / "val2017"
    with refuses("coco.not-a-data-set", where="~nobody-of-that-name/coco") as caught:
        open_coco("~nobody-of-that-name/coco")
    assert "home directory" in str(caught.value.found)


def test_an_empty_path_is_not_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write(tmp_path))
    assert len(open_coco(".")) == 3
    with refuses("coco.not-a-data-set", where=None) as caught:
        open_coco("")
    assert "empty path" in str(caught.value)


def test_any_json_alone_will_do(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "annotations" / BROKEN).rename(tmp_path / "_annotations.coco.json")
    (tmp_path / "annotations").rmdir()
    (tmp_path / "val2017").rename(tmp_path / "images")
    assert len(open_coco(tmp_path)) == 3


def test_missing_images(tmp_path: Path) -> None:
    root = write(tmp_path)
    (root / "val2017" / NAMES[0]).unlink()
    with refuses("coco.images-missing", where=str(root / "val2017")) as caught:
        open_coco(root)
    assert {"1", NAMES[0]} <= set(str(caught.value.found).split())
    source = scan_coco(root)
    assert source.missing == [NAMES[0]]
    with refuses("image.unreadable", where=NAMES[0], found=os.strerror(errno.ENOENT)):
        source.sample(1)
    for name in NAMES[1:]:
        (root / "val2017" / name).unlink()
    with refuses("coco.no-images", where=str(root)) as caught:
        scan_coco(root)
    assert "val2017/, images/val2017/ or images/" in str(caught.value.expected)


def test_the_digest_covers_all_but_the_pixels(tmp_path: Path) -> None:
    first = open_coco(write(tmp_path / "one")).as_json()
    assert first == open_coco(write(tmp_path / "two", images="images")).as_json()
    assert {**first, "sha256": ""} == {
        "kind": "coco", "split": "custom", "images": 3, "objects": 3, "annotations": BROKEN, "sha256": ""
    }  # fmt: skip
    changed = contents()
    changed["annotations"][0]["area"] = 150.6
    assert open_coco(write(tmp_path / "three", changed)).as_json()["sha256"] != first["sha256"]


def test_the_check_of_a_whole_set(tmp_path: Path) -> None:
    root = write(tmp_path)
    fill(root / "val2017", {"other.jpg": jpeg(5), "notes.txt": b""})
    seen: list[str] = []
    facts = check(scan_coco(root), step=seen.append).as_json()
    assert seen == sorted(NAMES)
    assert facts == {
        "usable": True,
        "split": "custom",
        "images": 3,
        "images_read": 3,
        "other_images": 1,
        "missing": [],
        "unreadable": {},
        "other_size": [],
        "modes": {"RGB": 3},
        "categories": 80,
        "categories_differ": [],
        "objects": 3,
        "crowd": 1,
        "images_without_objects": 1,
        "objects_without_extent": 0,
        "objects_outside": 1,
        "listed_twice": [],
        "faults": [],
    }


def test_the_check_says_what_a_set_of_other_classes_is_usable_for(tmp_path: Path) -> None:
    from cspbench.cli.app import app

    data = contents()
    data["categories"] = [each for each in data["categories"] if each["name"] != "zebra"]
    done = CliRunner().invoke(app, ["data", "check", "coco", str(write(tmp_path, data))])
    assert "79, not COCO's 80: 1: 24: none instead of zebra" in done.stdout
    assert done.stdout.splitlines()[-1].endswith("usable, by a network of these 79 categories, not of COCO's 80")


def test_the_check_finds_bad_images(tmp_path: Path) -> None:
    data = contents()
    data["images"].append({"id": 1000, "file_name": "late.png", "width": 50, "height": 40})
    data["images"].append({"id": 1001, "file_name": "late.png", "width": 50, "height": 40})
    data["categories"] = data["categories"][:-1]
    data["annotations"][0].update(category_id=1, bbox=[1, 1, 0, 5])
    root = write(tmp_path, data)
    fill(root / "val2017", {NAMES[0]: b"", NAMES[1]: jpeg(0)[:-200], NAMES[2]: jpeg(0, "L", (40, 50))})
    report = check(scan_coco(root))
    assert not report.usable
    assert report.missing == ["late.png", "late.png"]
    assert report.listed_twice == ["late.png"]
    assert list(report.unreadable) == [NAMES[0], NAMES[1]]
    assert report.unreadable[NAMES[0]] == "the file is empty"
    assert report.other_size == [f"{NAMES[2]}: 40x50 instead of 50x40"]
    assert report.modes == {"L": 1}
    assert report.categories_differ == ["90: none instead of toothbrush"]
    assert report.objects_without_extent == 1


@pytest.mark.reference("data/coco-mini")
def test_the_mini_set(shared: Path) -> None:
    source = open_coco(shared / "data" / "coco-mini")
    assert isinstance(source, CocoSource)
    assert (source.split, len(source)) == ("custom", 79)
    report = check(source)
    assert report.usable
    assert (report.objects, report.crowd, report.categories_differ) == (624, 5, [])
