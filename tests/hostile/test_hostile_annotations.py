"""Hostile COCO annotations, image lists and server answers: deep, huge, damaged, and folders that change."""

from __future__ import annotations

import errno
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from contract import chosen, fuzz, refused, result_of
from hypothesis import given
from PIL import Image

from cspbench.data.coco.annotations import COCO_CATEGORIES, Annotations, read
from cspbench.data.coco.check import CocoReport, check
from cspbench.data.coco.source import CocoSource, open_coco, scan_coco
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
    result = result_of(lambda: open_coco(path))
    assert isinstance(result, CocoSource)
    report = check(result)
    assert report.usable
    write_json(tmp_path / "run.json", {**result.as_json(), **report.as_json()})


@fuzz(200)
@given(data=chosen([json.dumps(contents()).encode(), json.dumps(contents(), indent=1).encode("utf-8-sig")]))
def test_damaged_annotations(place: Path, data: bytes) -> None:
    place.write_bytes(data)
    result = result_of(lambda: scan_coco(place))
    if isinstance(result, CocoSource):
        result_of(lambda: check(result))
        result_of(lambda: open_coco(place))
        json.dumps(result.as_json(), ensure_ascii=False).encode()


def changed(**columns: Any) -> bytes:
    """The annotations with the first object's values replaced."""
    data = contents()
    data["annotations"][0].update(columns)
    return json.dumps(data).encode()


@pytest.mark.parametrize(
    ("data", "code", "place", "found"),
    [
        (b"[" * 10_000 + b"]" * 10_000, "not-annotations", "", "nested"),
        (b'{"images":' * 10_000, "not-annotations", "", "nested"),
        (b'{"images": [{"id": ' + b"9" * 1_000_000 + b"}]}", "not-annotations", "", "1000000 digits"),
        (b'{"' + b"k" * 1_000_000 + b'": 1}', "missing-field", ", images", "k" * 37 + "..."),
        (changed(bbox=[-5, -5, -1, 3]), "unusable-box", ", annotation 7", "[-5.0, -5.0, -1.0, 3.0]"),
        (changed(bbox=[float("nan"), 0, 1, 1]), "unusable-box", ", annotation 7", "[nan, 0.0, 1.0, 1.0]"),
        (changed(bbox=[0, 0, float("inf"), 1]), "unusable-box", ", annotation 7", "[0.0, 0.0, inf, 1.0]"),
        (changed(bbox=[0, 0, 10**400, 1]), "unusable-field", ", annotations[0].bbox[2]", "1000000"),
        (changed(area=float("-inf")), "unusable-area", ", annotation 7", "-inf"),
        (changed(area=[[]] * 1000), "unusable-field", ", annotations[0].area", "[[], [], "),
        (changed(image_id="two\nlines" * 1000), "unusable-field", ", annotations[0].image_id", '"two\\nlinestwo'),
        (changed(iscrowd=float("nan")), "unusable-field", ", annotations[0].iscrowd", "NaN"),
        (changed(category_id=2**53 + 1), "unusable-field", ", annotations[0].category_id", "9007199254740993"),
        (changed(image_id="two\nlines" * 10), "unknown-image", ", annotation 7", "two\\nlinestwo"),
        (changed().replace(b"sub/c.jpg", b"a/../.."), "unusable-field", ", images[2].file_name", '"a/../.."'),
        (changed().replace(b"sub/c.jpg", b"\\ud800.jpg"), "unusable-field", ", images[2].file_name", '"\\ud800.jpg"'),
    ],
)
def test_annotations_that_are_refused(data: bytes, code: str, place: str, found: str, tmp_path: Path) -> None:
    path = write(tmp_path, data)
    refused(lambda: open_coco(path), f"coco.{code}", found=found, where=f"{path.name}{place}")


@pytest.mark.parametrize("name", ["../c.jpg", "a/../../c.jpg", "/etc/c.jpg", "C:\\\\etc\\\\c.jpg", "file:///etc/c.jpg"])
def test_a_path_out_of_the_folder_is_not_followed(name: str, tmp_path: Path) -> None:
    path = write(tmp_path, changed().replace(b"sub/c.jpg", name.encode()))
    (tmp_path / "c.jpg").write_bytes(b"")
    refused(lambda: open_coco(path), "coco.images-missing", found="c.jpg", where=str(tmp_path / "val2017"))


def test_an_image_with_a_name_of_5000_characters(tmp_path: Path) -> None:
    path = write(tmp_path, changed().replace(b"sub/c.jpg", b"c" * 5000))
    refused(lambda: open_coco(path), "coco.images-missing", found="c" * 37 + "...", where=str(tmp_path / "val2017"))


def test_what_is_not_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    os.mkfifo(path)
    refused(lambda: read(path), "coco.unreadable", path, found="pipe")
    path.unlink()
    path.symlink_to(path)
    refused(lambda: read(path), "coco.unreadable", path, found=os.strerror(errno.ELOOP))
    path.unlink()
    path.write_bytes(b"")
    os.truncate(path, 2**40)
    refused(lambda: read(path), "coco.unreadable", path, found="1,073,741,824 bytes")


def test_a_name_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"two\nlines\xff.json")
    path.write_bytes(write(tmp_path, json.dumps(contents()).encode()).read_bytes())
    (tmp_path / "val2017").rename(tmp_path / "images")
    result = result_of(lambda: open_coco(path))
    assert isinstance(result, CocoSource)
    assert result.as_json()["annotations"] == "two\nlines\\xff.json"
    write_json(tmp_path / "run.json", result.as_json())
    path.write_bytes(b"{}")
    refused(lambda: open_coco(path), "coco.missing-field", path, where=f"{path.name}, images")


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("pipe", "pipe"),
        ("folder", os.strerror(errno.EISDIR)),
        ("loop", os.strerror(errno.ELOOP)),
        ("gone", os.strerror(errno.ENOENT)),
    ],
)
def test_an_image_that_changes_after_the_list_was_read(kind: str, fault: str, tmp_path: Path) -> None:
    source = open_coco(write(tmp_path, json.dumps(contents()).encode()))
    path = tmp_path / "val2017" / NAMES[0]
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    refused(lambda: source.sample(0), "image.unreadable", path, found=fault)
    report = result_of(lambda: check(source))
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
    result_of(lambda: open_coco(listed))


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
    result = result_of(lambda: import_server(path), path)
    assert result


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
    refused(lambda: import_server(path), "server.not-an-answer", path)


def test_an_answer_out_of_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "answer.json"
    os.mkfifo(path)
    refused(lambda: import_server(path), "server.not-an-answer", path, found="pipe")


@fuzz(100)
@given(data=chosen([json.dumps(contents()["annotations"]).encode()]))
def test_a_list_of_detections_is_not_an_annotation_file(place: Path, data: bytes) -> None:
    path = place.with_name("detections.json")
    path.write_bytes(data)
    assert not isinstance(result_of(lambda: read(path), path), Annotations)
