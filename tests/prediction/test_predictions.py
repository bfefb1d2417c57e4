"""The forms of predictions, their names, and the functions for a notebook."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusals import refuses

import cspbench
from cspbench.data.coco.annotations import COCO_CATEGORIES
from cspbench.evaluation.subject import Subject, subject_of
from cspbench.prediction.class_names import labels_of_classifier, labels_of_detector
from cspbench.prediction.loading import predictor_of
from cspbench.prediction.predictions import Class, Classified, Detected, DetectedBox, coco_ids, coco_results
from cspbench.sample import classification, detection
from cspbench.sample.one import one
from cspbench.sample.seeds import HELD_OUT

BOX = DetectedBox(2, "dog", 18, 0.75, (10.0, 20.0, 30.0, 40.0))
OBJECT = detection.draw(HELD_OUT + 7)[0]
TEXTURE = classification.draw(HELD_OUT + 7, 7)


def test_label_files() -> None:
    # the centre at (25, 40) of (100, 80), and 30 by 40 pixels
    assert Detected("a.jpg", 100, 80, (BOX,)).yolo_lines() == ["2 0.250000 0.500000 0.300000 0.500000 0.750000"]
    assert Detected("a.jpg", 100, 80, ()).yolo_lines() == []
    top = (Class(5, "tench, Tinca tinca", 0.9, "n01440764"), Class(1, "crane", 0.0625))
    assert Classified("a.jpg", top, np.array([0.1], np.float32)).yolo_lines() == [
        "0.900000 tench, Tinca tinca",
        "0.062500 crane",
    ]


def test_cocos_ids() -> None:
    images = ["x/000000000139.jpg", "COCO_val2014_000000000042.jpg", "photo.jpg", "0.png", "img_7.jpg", "7-2.jpg"]
    assert coco_ids(images) == [139, 42, "photo", 0, "img_7", "7-2"]


@given(st.lists(st.integers(0, 10**15)))
def test_cocos_ids_of_numbers(numbers: list[int]) -> None:
    assert coco_ids([f"folder/{number:012d}.jpg" for number in numbers]) == numbers


def test_cocos_results() -> None:
    results = coco_results([Detected("000000000009.jpg", 100, 80, (BOX, BOX)), Detected("b.jpg", 9, 9, ())])
    assert results == 2 * [{"image_id": 9, "category_id": 18, "bbox": [10.0, 20.0, 30.0, 40.0], "score": 0.75}]


def test_inference_model() -> None:
    answer = cspbench.inference_model("sample-csp-classifier", TEXTURE)
    assert list(answer) == ["pred_label", "pred_class", "pred_score", "pred_scores"]
    assert (answer["pred_label"], answer["pred_class"]) == (7, "dotted square")
    assert answer["pred_score"] == answer["pred_scores"][7] == answer["pred_scores"].max() > 0.9
    assert answer["pred_scores"].shape == (16,)


def test_inference_model_takes_one_image_and_a_classifier() -> None:
    with refuses("usage.one-picture", found="2 images"):
        cspbench.inference_model("sample-csp-classifier", [TEXTURE, TEXTURE])  # type: ignore[arg-type]
    with refuses("usage.other-task"):
        cspbench.inference_model("sample-csp-detector", OBJECT)


def test_a_predictor_serves_several_calls() -> None:
    predictor = predictor_of("sample-csp-classifier", topk=2)
    for _ in range(2):
        (result,) = cspbench.predict(predictor, TEXTURE)
        assert isinstance(result, Classified)
        assert [each.label for each in result.top] == [7, 6]


def test_more_classes_than_there_are() -> None:
    (result,) = cspbench.predict("sample-csp-classifier", TEXTURE, topk=99)
    assert isinstance(result, Classified)
    assert sorted(each.label for each in result.top) == list(range(16))


def test_an_unreadable_picture_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("text")
    with refuses("image.undecodable", where=str(tmp_path / "a.png")):
        cspbench.predict("sample-csp-detector", [OBJECT, tmp_path / "a.png"])


def test_options_of_the_other_kind() -> None:
    of_detectors: list[dict[str, Any]] = [{"conf": 0.5}, {"nms": 0.5}, {"nms_kind": "diou"}]
    for options in of_detectors:
        with refuses("usage.other-kind"):
            cspbench.predict("sample-csp-classifier", TEXTURE, **options)
    of_classifiers: list[dict[str, Any]] = [{"topk": 3}, {"classes": "sorted"}]
    for options in of_classifiers:
        with refuses("usage.other-kind"):
            cspbench.predict("sample-csp-detector", OBJECT, **options)
    with refuses("usage.unknown-preset"):
        cspbench.predict("sample-csp-classifier", TEXTURE, preset="letterbox")
    with refuses("usage.topk", found="0"):
        cspbench.predict("sample-csp-classifier", TEXTURE, topk=0)


def test_a_module_that_describes_itself() -> None:
    module: Any = cspbench.create_model("sample-csp-classifier", weights="published")
    (own,) = cspbench.predict(module, TEXTURE, classes="sorted")
    assert isinstance(own, Classified)
    assert own.pred_label == 7
    assert own.top[0].name == "class 7"


def test_names_of_a_detectors_classes(tmp_path: Path) -> None:
    subject = subject_of("sample-csp-detector")
    known = labels_of_detector(subject, 10, None, ())
    assert dict(zip(known.ids or (), known.names, strict=True)) == detection.CATEGORIES
    coco = labels_of_detector(subject_of_file(), 80, None, ())
    assert (coco.names, coco.ids) == (tuple(COCO_CATEGORIES.values()), tuple(COCO_CATEGORIES))
    assert coco.note is not None
    other = labels_of_detector(subject_of_file(), 3, None, ())
    assert (other.names, other.ids) == (("class 0", "class 1", "class 2"), (1, 2, 3))
    (tmp_path / "own.names").write_text("cat\ndog\nhen\n")
    own = labels_of_detector(subject_of_file(), 3, None, [tmp_path / "own.cfg"])
    assert (own.names, own.ids, own.note) == (("cat", "dog", "hen"), (1, 2, 3), None)
    with refuses("darknet.names-count", found="3"):
        labels_of_detector(subject, 10, tmp_path / "own.names", ())


def test_coco_in_another_order_by_its_names(tmp_path: Path) -> None:
    names = list(COCO_CATEGORIES.values())[::-1]
    (tmp_path / "coco.names").write_text("\n".join(names))
    known = labels_of_detector(subject_of_file(), 80, tmp_path / "coco.names", ())
    assert known.ids == tuple(COCO_CATEGORIES)[::-1]


def test_names_of_a_classifiers_classes() -> None:
    subject = subject_of_file()
    darknet = labels_of_classifier(subject, 1000, "darknet", None, ())
    assert (darknet.ids or ())[489] == "n01751748"  # the first validation image has the number 490, from 1
    assert darknet.names[489] == "sea snake"
    in_order = labels_of_classifier(subject, 1000, "sorted", None, ())
    assert in_order.names[0] == "tench, Tinca tinca"
    sample = labels_of_classifier(subject, 16, "sample", None, ())
    assert (sample.names[7], sample.ids) == ("dotted square", None)
    other = labels_of_classifier(subject, 12, "darknet", None, ())
    assert (other.names[11], other.ids) == ("class 11", None)
    assert other.note is not None


@pytest.mark.parametrize("kind", ["classification", "detection"])
def test_the_bundled_picture_is_one_of_the_drawn_set(kind: str, tmp_path: Path) -> None:
    (classification if kind == "classification" else detection).write(tmp_path, 8)
    name, data = one(kind)  # type: ignore[arg-type]
    (file,) = tmp_path.rglob(name)
    assert file.read_bytes() == data


def subject_of_file() -> Subject:
    """A subject that is a user's network, whose classes nobody knows."""
    return replace(subject_of("sample-csp-detector"), user_file=True)
