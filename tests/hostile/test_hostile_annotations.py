"""Hostile COCO annotations, image lists and server answers: deep, huge, damaged, and folders that change."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from contract import chosen, fuzz, kept, refused
from hypothesis import given
from PIL import Image

from cspbench.data.coco import CocoSource, open_coco, scan_coco
from cspbench.data.coco_annotations import COCO_CATEGORIES, Annotations, read
from cspbench.data.coco_check import CocoReport, check
from cspbench.detection.coco_server import import_server
from cspbench.io import write_json

NAMES = ("000000000139.jpg", "a b\n\x1b[31m鱼.jpg", "sub/c.jpg")


def contents() -> dict[str, Any]:
    """Three images and two objects."""
    return {
        "images": [
            {"id": at, "file_name": name, "width": 30, "height": 20} for at, name in enumerate(NAMES)
        ],
        "categories": [{"id": key, "name": name} for key, name in COCO_CATEGORIES.items() if key < 4],
        "annotations": [
            {"id": 7, "image_id": 0, "category_id": 1, "bbox": [1, 2.5, 10, 9], "area": 50.5, "iscrowd": 0},
            {"id": 8, "image_id": 2, "category_id": 3, "bbox": [0, 0, 30, 20], "area": 600, "iscrowd": 1},
        ],
    }  # fmt: skip


def write(root: Path, data: bytes) -> Path:
    """A data set with these annotations, and where they lie."""
    stream = io.BytesIO()
    Image.new("RGB", (30, 20)).save(stream, "JPEG")
    for name in NAMES:
        path = root / "val2017" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(stream.getvalue())
    path = root / "annotations" / "instances_val2017.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The annotation file of a whole data set."""
    return write(tmp_path_factory.mktemp("coco"), json.dumps(contents()).encode())


def test_the_whole_set_is_usable(tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps(contents()).encode())
    found = kept(lambda: open_coco(path))
    assert isinstance(found, CocoSource)
    report = check(found)
    assert report.usable
    write_json(tmp_path / "run.json", {**found.as_json(), **report.as_json()})


@fuzz(200)
@given(data=chosen([json.dumps(contents()).encode(), json.dumps(contents(), indent=1).encode("utf-8-sig")]))
def test_damaged_annotations(place: Path, data: bytes) -> None:
    place.write_bytes(data)
    found = kept(lambda: scan_coco(place))
    if isinstance(found, CocoSource):
        kept(lambda: check(found))
        kept(lambda: open_coco(place))
        json.dumps(found.as_json(), ensure_ascii=False).encode()


def changed(**columns: Any) -> bytes:
    """The annotations with the first object's values replaced."""
    data = contents()
    data["annotations"][0].update(columns)
    return json.dumps(data).encode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"[" * 10_000 + b"]" * 10_000, "nested too deep"),
        (b'{"images":' * 10_000, "nested too deep"),
        (b'{"images": [{"id": ' + b"9" * 1_000_000 + b"}]}", "expected JSON"),
        (b'{"' + b"k" * 1_000_000 + b'": 1}', 'has no "images"'),
        (changed(bbox=[-5, -5, -1, 3]), "unusable box"),
        (changed(bbox=[float("nan"), 0, 1, 1]), "unusable box"),
        (changed(bbox=[0, 0, float("inf"), 1]), "unusable box"),
        (changed(bbox=[0, 0, 10**400, 1]), "unusable box"),
        (changed(area=float("-inf")), "unusable area"),
        (changed(area=[[]] * 1000), '"area" is not usable'),
        (changed(image_id="two\nlines" * 1000), '"image_id" is not usable'),
        (changed(iscrowd=float("nan")), '"iscrowd" is not usable'),
        (changed(category_id=2**53 + 1), '"category_id" is not usable'),
        (changed().replace(b"sub/c.jpg", b"../c.jpg"), "a file name inside the image folder"),
        (changed().replace(b"sub/c.jpg", b"sub/../../c.jpg"), "a file name inside the image folder"),
        (changed().replace(b"sub/c.jpg", b"/etc/passwd"), "a file name inside the image folder"),
        (changed().replace(b"sub/c.jpg", b"\\ud800.jpg"), "a file name inside the image folder"),
        (changed().replace(b"sub/c.jpg", b"c" * 5000), "are not there"),
    ],
)
def test_annotations_that_are_refused(data: bytes, words: str, tmp_path: Path) -> None:
    path = write(tmp_path, data)
    refused(lambda: open_coco(path), words)


def test_what_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    os.mkfifo(path)
    refused(lambda: read(path), "a pipe", path)
    path.unlink()
    path.symlink_to(path)
    refused(lambda: read(path), "symbolic links", path)
    path.unlink()
    path.write_bytes(b"")
    os.truncate(path, 2**40)
    refused(lambda: read(path), "more than 1,073,741,824 bytes", path)


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"two\nlines\xff.json")
    path.write_bytes(write(tmp_path, json.dumps(contents()).encode()).read_bytes())
    (tmp_path / "val2017").rename(tmp_path / "images")
    found = kept(lambda: open_coco(path))
    assert isinstance(found, CocoSource)
    assert found.as_json()["annotations"] == "two\nlines\\xff.json"
    write_json(tmp_path / "run.json", found.as_json())
    path.write_bytes(b"{}")
    refused(lambda: open_coco(path), "two\\nlines\\udcff.json: has no")


@pytest.mark.parametrize("kind", ["pipe", "folder", "loop", "gone"])
def test_an_image_that_changes_after_the_list_was_read(kind: str, tmp_path: Path) -> None:
    source = open_coco(write(tmp_path, json.dumps(contents()).encode()))
    path = tmp_path / "val2017" / NAMES[0]
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    refused(lambda: source.sample(0), "cannot be read", path)
    report = kept(lambda: check(source))
    assert isinstance(report, CocoReport)
    assert list(report.unreadable) == [NAMES[0]]


LIST = f"/home/me/coco/val2014/{NAMES[0]}\nD:\\coco\\{NAMES[0]}\n"


@fuzz(60)
@given(data=chosen([LIST.encode(), b"sub/c.jpg\r\n\r\n"]))
def test_damaged_lists(place: Path, data: bytes) -> None:
    place.write_bytes(json.dumps(contents()).encode())
    place.with_name("instances_val2014.json").write_bytes(place.read_bytes())
    listed = place.parent.parent / "5k.txt"
    listed.write_bytes(data)
    kept(lambda: open_coco(listed))


ANSWERS = [
    b" Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = 0.412\n"
    b" Average Recall     (AR) @[ IoU=0.50:0.95 | area= large | maxDets=100 ] = -1.000\n",
    b'[{"AP": 0.412, "AP_50": 0.6, "AR_small": 0.2}]',
    b"AP: 0.412\nAP_50: 0.6\n'AR@100' = 0.5,\n",
]


@fuzz(150)
@given(data=chosen(ANSWERS))
def test_damaged_answers_of_the_server(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "answer.txt"
    path.write_bytes(data)
    found = kept(lambda: import_server(path), path)
    assert found


@pytest.mark.parametrize(
    "data",
    [
        b"\n" * 900_000,
        b"a " * 450_000,
        b"a" + b" " * 900_000,
        b"'" * 900_000,
        b"Average Precision (AP) @[ IoU=0.50:0.95 |" * 20_000,
        b"[" * 900_000,
        b'{"AP": ' + b"9" * 900_000 + b"}",
        b'{"AP": 1e999999999}',
        b'{"AP": NaN}',
        b'{"AP": [1]}',
        b"x" * 2_000_000,
    ],
)
def test_answers_that_are_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "answer.json"
    path.write_bytes(data)
    refused(lambda: import_server(path), "is no answer of COCO's server", path)


def test_an_answer_out_of_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "answer.json"
    os.mkfifo(path)
    refused(lambda: import_server(path), "a pipe", path)


@fuzz(100)
@given(data=chosen([json.dumps(contents()["annotations"]).encode()]))
def test_a_list_of_detections_is_no_annotation_file(place: Path, data: bytes) -> None:
    path = place.with_name("detections.json")
    path.write_bytes(data)
    assert not isinstance(kept(lambda: read(path), path), Annotations)
