"""What looks wrong with detections, in numbers worked out by hand."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cspbench.data.coco.annotations import GroundTruth
from cspbench.detection.ap.matching import Detections
from cspbench.detection.result_checks import doubts

IMAGES = 10
SIZES = dict.fromkeys(range(1, IMAGES + 1), (640, 480))
BOXES = np.array([[100 + 5 * image, 120 + 3 * image, 60, 40] for image in range(1, IMAGES + 1)], np.float64)
"""One object in each of ten images, of the categories 1 and 2 in turn."""


def truth() -> GroundTruth:
    ids = np.arange(1, IMAGES + 1)
    return GroundTruth(
        ids, {1: "a", 2: "b"}, ids, 1 + ids % 2, BOXES, BOXES[:, 2] * BOXES[:, 3], np.zeros(IMAGES, np.bool_)
    )


def detections(**changes: Any) -> Detections:
    """Every object, found exactly."""
    ids = np.arange(1, IMAGES + 1)
    right = Detections(ids, 1 + ids % 2, BOXES, np.linspace(0.9, 0.1, IMAGES))
    return right._replace(**changes)


def words(found: Detections, sizes: dict[int, tuple[int, int]] | None = None) -> list[str]:
    return doubts(truth(), found, SIZES if sizes is None else sizes)


def numbers(text: str) -> list[str]:
    return re.findall(r"\d+", text)


def test_nothing_is_wrong_with_the_right_ones() -> None:
    assert words(detections()) == []
    half = Detections(*(column[:5] for column in detections()))
    assert words(half) == []


def test_few_images_have_detections() -> None:
    (text,) = words(Detections(*(column[:4] for column in detections())))
    assert numbers(text) == ["6", "10"]


def test_all_detections_in_one_image() -> None:
    (text,) = words(detections(image_ids=np.full(IMAGES, 3), boxes=BOXES[[2] * IMAGES], category_ids=np.full(10, 2)))
    assert numbers(text) == ["10", "10", "10"]
    assert "one image" in text


def test_no_detections() -> None:
    (text,) = words(Detections(*(column[:0] for column in detections())))
    assert "no detections" in text


def test_equal_scores() -> None:
    (text,) = words(detections(scores=np.full(IMAGES, 0.25)))
    assert numbers(text) == ["10", "0", "25"]


@pytest.mark.parametrize("sizes", [SIZES, {}], ids=["sizes", "no sizes"])
def test_boxes_of_another_form(sizes: dict[int, tuple[int, int]]) -> None:
    corners = np.concatenate((BOXES[:, :2], BOXES[:, :2] + BOXES[:, 2:]), 1)
    (text,) = words(detections(boxes=corners), sizes)
    assert "corners" in text
    assert numbers(text) == ["10", "10", "0"]
    centres = np.concatenate((BOXES[:, :2] + BOXES[:, 2:] / 2, BOXES[:, 2:]), 1)
    (text,) = words(detections(boxes=centres), sizes)
    assert "centre" in text
    assert numbers(text) == ["10", "10", "0"]


def test_boxes_as_parts_of_their_image() -> None:
    parts = BOXES / [640, 480, 640, 480]
    (text,) = words(detections(boxes=parts))
    assert "parts of their images" in text
    assert "as left, top, width and height, 10 of the 10" in text
    (text,) = words(detections(boxes=parts), {})
    assert "parts of their images" in text


def test_categories_of_another_list() -> None:
    (text,) = words(detections(category_ids=2 - np.arange(1, IMAGES + 1) % 2))
    assert numbers(text) == ["10", "10", "0"]
    assert "category" in text


def test_a_single_detection_is_in_one_image() -> None:
    (text,) = words(Detections(*(column[:1] for column in detections())))
    assert numbers(text) == ["10", "10"]


def test_images_with_crowds_alone_need_no_detections() -> None:
    crowds = replace(truth(), crowd=np.arange(IMAGES) >= 4)
    assert doubts(crowds, Detections(*(column[:4] for column in detections())), SIZES) == []


def test_some_wrong_categories_are_no_other_list() -> None:
    """10 meet an object: 3 of their category are too many to doubt the list, 2 are not."""
    right = detections().category_ids
    for count, doubted in ((3, False), (2, True)):
        ids = np.where(np.arange(IMAGES) < count, right, 3 - right)
        assert bool(words(detections(category_ids=ids))) == doubted


def test_another_reading_must_be_twice_as_good() -> None:
    """Read as corners 6 meet an object, as they are 4; then 7 and 3."""
    corners = np.concatenate((BOXES[:, :2], BOXES[:, :2] + BOXES[:, 2:]), 1)
    for count, doubted in ((6, False), (7, True)):
        boxes = np.where(np.arange(IMAGES)[:, None] < count, corners, BOXES)
        assert bool(words(detections(boxes=boxes))) == doubted


def test_an_overlap_of_a_half_meets() -> None:
    (text,) = words(detections(boxes=BOXES * [1, 1, 0.5, 1], category_ids=3 - detections().category_ids))
    assert numbers(text) == ["10", "10", "0"]
