"""Which form a data set has, from its path."""

from __future__ import annotations

from pathlib import Path

import pytest
from coco_sets import write as write_coco
from darknet_sets import write
from pictures import fill
from refusals import refuses

from cspbench.data.darknet.check import check, scan
from cspbench.data.darknet.opening import darknet_path, open_detection_data

NAMES = ("person", "car", "dog")


def test_a_data_file_a_list_and_their_folder(tmp_path: Path) -> None:
    data = write(tmp_path)
    for path in (data, tmp_path / "valid.txt", tmp_path):
        source = open_detection_data(path)
        assert (source.kind, len(source)) == ("darknet", 3)
    assert darknet_path(tmp_path) == data
    with refuses("usage.split-of-darknet"):
        open_detection_data(data, "val2017")


def test_a_folder_of_images_and_labels(tmp_path: Path) -> None:
    write(tmp_path, obj_data=None)
    source = open_detection_data(tmp_path / "obj", classes=3)
    assert [image.file_name for image in source.images] == ["a.jpg", "b.jpg", "c.jpg"]
    assert source.ground_truth is not None
    assert source.ground_truth.categories == {1: "0", 2: "1", 3: "2"}
    named = open_detection_data(tmp_path / "obj", names=NAMES)
    assert named.annotations.categories[3] == "dog"


def test_a_folder_as_darknet_is_run_from(tmp_path: Path) -> None:
    """data/obj.data names data/valid.txt, and that names data/obj/a.jpg."""
    write(tmp_path / "data", valid_txt="data/obj/a.jpg\ndata/obj/c.jpg\n")
    (tmp_path / "data" / "obj.data").write_text("classes=3\nvalid=data/valid.txt\nnames=data/obj.names\n")
    fill(tmp_path, {"cfg/coco.data": b"classes=80\nvalid=coco_testdev\n"})  # an example of Darknet's
    assert len(open_detection_data(tmp_path)) == 2
    fill(tmp_path, {"cfg/other.data": b"valid=data/valid.txt\n"})
    with refuses("darknet.several-sets", where=str(tmp_path), found="data/obj.data, cfg/other.data"):
        open_detection_data(tmp_path)


def test_coco_stays_coco(tmp_path: Path) -> None:
    root = write_coco(tmp_path)
    fill(root, {"coco.data": b"classes=80\nvalid=val.txt\n", "val.txt": b"val2017/000000000139.jpg\n"})
    assert darknet_path(root) is None
    assert darknet_path(root / "annotations" / "instances_val2017.json") is None
    assert darknet_path(root / "val.txt") is None
    assert darknet_path(root / "nothing") is None
    assert darknet_path(root / "coco.data") == root / "coco.data"


def test_images_without_objects_have_nothing_to_find(tmp_path: Path) -> None:
    data = write(tmp_path, obj__a_txt="", obj__c_txt="")
    with refuses("coco.nothing-to-find"):
        open_detection_data(data)


@pytest.mark.parametrize("path", ["", "\0"])
def test_paths_that_are_none(path: str) -> None:
    with refuses("coco.not-a-data-set"):
        open_detection_data(path)


def test_labels_beside_a_folder_of_images_named_from_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, obj_data=None, obj_names=None)
    (tmp_path / "obj").rename(tmp_path / "images")
    (tmp_path / "labels").mkdir()
    for label in (tmp_path / "images").glob("*.txt"):
        label.rename(tmp_path / "labels" / label.name)
    monkeypatch.chdir(tmp_path)
    source = open_detection_data("images", classes=3)
    assert source.ground_truth is not None
    assert len(source.ground_truth) == 3


def test_a_check_names_lists_that_are_not_there(tmp_path: Path) -> None:
    data = write(tmp_path, obj_data="classes=3\nvalid=valid.txt\ntrain=t.txt\ntest=x.txt\ndifficult=\n")
    report = check(scan(data, None), data)
    assert (report.other_lists, report.usable) == (["train = t.txt", "test = x.txt"], True)
