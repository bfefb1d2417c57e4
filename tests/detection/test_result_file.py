"""Files of detections as other programs write them, and the scores that pycocotools itself gives them."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from refusals import refuses

from cspbench.data.coco.annotations import read as read_annotations
from cspbench.detection import result_file
from cspbench.evaluation.execution import Listener
from cspbench.evaluation.result_files import score_file

BOX = [10, 10, 20, 20]


class Notes(Listener):
    """What a listener is told."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


def objects(images: Any = (1, 2), categories: Any = (1, 2)) -> dict[str, Any]:
    """One object of the first category in each image; nothing that scoring does not need."""
    return {
        "images": [{"id": image} for image in images],
        "categories": [{"id": key, "name": f"c{at}"} for at, key in enumerate(categories)],
        "annotations": [
            {"id": at, "image_id": image, "category_id": categories[0], "bbox": BOX}
            for at, image in enumerate(images, 1)
        ],
    }


def found(image: Any, category: Any = 1, score: float = 0.5) -> dict[str, Any]:
    return {"image_id": image, "category_id": category, "bbox": BOX, "score": score}


def put(folder: Path, name: str, data: Any) -> Path:
    path = folder / name
    path.write_text(json.dumps(data))
    return path


def scored(folder: Path, truth: Any, detections: Any, engine: str = "cspbench") -> tuple[float | None, list[str]]:
    notes = Notes()
    annotations, results = put(folder, "objects.json", truth), put(folder, "found.json", detections)
    ap = score_file(results, annotations, engine=engine, listener=notes).threshold.ap["ap"]
    return None if ap is None else float(ap), notes.texts


HALF = pytest.approx(100 * 51 / 101)
"""One of two objects found: the precision is 1 at the recalls 0, .01, ... .5, which are 51 of 101."""


@pytest.mark.parametrize(
    ("truth", "image", "category"),
    [
        (objects(), 1, 1),
        (objects(), 1.0, 1.0),
        (objects(), "1", "1"),
        (objects(), 1, "c0"),
        (objects(("a", "b")), "a", 1),
        (objects(("01", "02"), ("x", "y")), 1, "x"),
        (objects((1.0, 2.0)), 1, 1),
    ],
)
def test_one_of_two_objects(tmp_path: Path, truth: Any, image: Any, category: Any) -> None:
    ap, _ = scored(tmp_path, truth, [found(image, category)])
    assert ap == HALF


def test_images_named_by_their_files(tmp_path: Path) -> None:
    truth = objects()
    for image, name in zip(truth["images"], ("p/one.jpg", "two.jpg"), strict=True):
        image["file_name"] = name
    for name in ("one", "one.jpg", "p/one.jpg"):
        ap, notes = scored(tmp_path, truth, [found(name)])
        assert ap == HALF
        assert any("1 images are named by their files" in note for note in notes)


def test_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "found.json").write_text(json.dumps([found(1)]), encoding="utf-8-sig")
    annotations = read_annotations(put(tmp_path, "objects.json", objects()))
    assert result_file.read(tmp_path / "found.json", annotations).detections.image_ids.tolist() == [1]


def test_detections_of_a_parent_are_left_out(tmp_path: Path) -> None:
    truth = objects(categories=(1, 2))
    truth["categories"] += [{"id": 0, "name": "all"}]
    truth["categories"][0]["supercategory"] = "all"
    ap, notes = scored(tmp_path, truth, [found(1), found(1, 0), found(2, 0)])
    assert ap == HALF
    assert any("2 of 3 detections are left out" in note for note in notes)


@pytest.mark.parametrize(
    ("detections", "code", "text"),
    [
        ([found(1), found(3), found(4)], "unknown-image", "2 of 3 detections, the first of 3"),
        ([found(7), found("x")], "unknown-image", "all 2 detections, the first of 7"),
        ([found(1, 1.5)], "unknown-category", "all 1 detections, the first of 1.5"),
        ([found(1), found(1, "tram\n")], "unknown-category", '1 of 2 detections, the first of "tram\\n"'),
    ],
)
def test_unknown_ids_are_counted(tmp_path: Path, detections: Any, code: str, text: str) -> None:
    results = put(tmp_path, "found.json", detections)
    with refuses(f"detections.{code}", found=text, expected="ids of the data set, such as 1, 2"):
        score_file(results, put(tmp_path, "objects.json", objects()))


def test_ids_that_are_texts_are_written_as_they_were(tmp_path: Path) -> None:
    truth = objects(("a", "b"), ("x", "y"))
    annotations = read_annotations(put(tmp_path, "objects.json", truth))
    results = put(tmp_path, "found.json", [found("b", "y")])
    result_file.write(result_file.read(results, annotations).detections, tmp_path / "again.json", annotations)
    (again,) = json.loads((tmp_path / "again.json").read_text())
    assert (again["image_id"], again["category_id"]) == ("b", "y")


def library(truth: Path, results: Path) -> float:
    """AP by pycocotools from the files themselves."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(truth))
        evaluation = COCOeval(coco, coco.loadRes(str(results)), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(100 * evaluation.stats[0])


@pytest.mark.parametrize("first", [0, 1])
def test_the_engine_pycocotools_gives_its_number_of_an_id_0(tmp_path: Path, first: int) -> None:
    truth = objects()
    for at, each in enumerate(truth["annotations"]):
        each.update(id=first + at, area=400, iscrowd=0)
    detections = [found(1, score=0.9), found(2, score=0.8)]
    ap, notes = scored(tmp_path, truth, detections)
    theirs, _ = scored(tmp_path, truth, detections, "pycocotools")
    assert ap == pytest.approx(100)
    assert theirs == pytest.approx(library(tmp_path / "objects.json", tmp_path / "found.json"))
    assert (theirs == pytest.approx(ap)) == bool(first)
    assert any("the id 0" in note for note in notes) != bool(first)
