"""YOLOX through the interface of all detectors: from an image to detections."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from refusals import refuses

from cspbench.data.detection_presets import PRESETS, detection_preset
from cspbench.detection.candidates import Candidates
from cspbench.detection.detections import detections
from cspbench.detection.detector import DarknetDetector, YoloxDetector, detector_of
from cspbench.inference.description import Description
from cspbench.network.layers import Yolo, Yolox

HEAD = Yolox(sources=(-1,), classes=2)
MODEL = Description("small", (3, 64, 64), (HEAD,))
POINTS = 64 + 16 + 4


def outputs() -> NDArray[np.float32]:
    """One box above the threshold: the last point of stride 16, centre (49, 48), 32 x 16 pixels, class 1."""
    raw = np.full((1, POINTS, 7), -20, np.float32)
    raw[0, 79] = [1 / 16, 0, np.log(2), 0, 10, -10, 10]
    return raw


@pytest.mark.parametrize("name", ["yolox", "yolox-legacy", "mmdet"])
def test_boxes_in_pixels_of_the_image(name: str) -> None:
    detector = detector_of(MODEL, detection_preset(name))
    assert isinstance(detector, YoloxDetector)
    assert (detector.epsilon, detector.size) == ("inside-1e-3", (64, 64))
    assert detector.prepare(np.zeros((50, 99, 3), np.uint8)).shape == (3, 64, 64)
    extent = (99, 50)  # 64 wide, 32.32 high: 32 rows in both
    (image,) = detector.candidates([outputs()], [extent], ["a"])
    down = 32 / 50 if name == "mmdet" else 64 / 99
    np.testing.assert_allclose(image.boxes, [[49 * 99 / 64, 48 / down, 32 * 99 / 64, 16 / down]], rtol=1e-6)
    assert image.category.tolist() == [1]
    result = detector.suppress(image)
    assert len(result) == 1
    assert detector.forward_json() == PRESETS[name].forward_json()


def test_an_image_that_vanishes_has_no_candidates() -> None:
    for name, counts in (("yolox", [0, 1]), ("mmdet", [1, 1])):
        detector = detector_of(MODEL, detection_preset(name))
        images = detector.candidates([np.repeat(outputs(), 2, 0)], [(100, 1), (100, 2)], ["a", "b"])
        assert [len(image) for image in images] == counts  # 0.64 and 1.28 rows


def test_suppression_is_of_a_class() -> None:
    detector = detector_of(MODEL, detection_preset("yolox"))
    box = np.array([[50, 50, 40, 40], [50, 50, 40, 40], [50, 50, 40, 40]], np.float32)
    image = Candidates(box, np.arange(3, dtype=np.int32), np.array([0, 1, 0], np.int16), np.array([0.5, 0.4, 0.6], "f"))
    assert detector.suppress(image).box.tolist() == [1, 2]
    # 3/5 of overlap: its float32 is more than the double 0.6
    apart = replace(image, boxes=np.array([[50, 50, 40, 40], [0, 0, 1, 1], [60, 50, 40, 40]], np.float32))
    assert detector.suppress(apart).box.tolist() == [0, 1, 2]
    assert detector_of(MODEL, replace(PRESETS["yolox"], nms=0.6)).suppress(apart).box.tolist() == [1, 2]


def test_presets_are_for_their_heads() -> None:
    darknet = Description("other", (3, 64, 64), (Yolo(sources=(-1,), classes=2, anchors=((1, 1),), mask=(0,)),))
    for name, preset in PRESETS.items():
        own, foreign = (MODEL, darknet) if preset.exact else (darknet, MODEL)
        assert isinstance(detector_of(own, preset), YoloxDetector if preset.exact else DarknetDetector)
        others = "readme, head, letterbox, pjreddie" if preset.exact else "yolox, yolox-legacy, yolox-nms-free, mmdet"
        with refuses("usage.preset-of-other-heads", expected=others, found=name):
            detector_of(foreign, preset)


def test_detections_are_neither_clipped_nor_rounded_and_the_best_come_first() -> None:
    boxes = np.array([[10, 10, 40, 40], [1 / 3, 5, 1, 1], [7, 7, 2, 2], [9, 9, 2, 2]], np.float32)
    score = np.array([0.5, 1 / 3, 0.9, 0.5], np.float32)
    image = Candidates(boxes, np.arange(4, dtype=np.int32), np.array([0, 1, 1, 1], np.int16), score)
    keep = np.array([True, True, False, True])
    result = detections([image], [keep], [(20, 20)], [7], [3, 5], exact=True)
    assert result.image_ids.tolist() == [7] * 3
    assert result.category_ids.tolist() == [3, 5, 5]
    assert result.scores.tolist() == [0.5, 0.5, float(np.float32(1 / 3))]
    left = float(np.float32(1 / 3) - np.float32(0.5))
    assert result.boxes[0].tolist() == [-10, -10, 40, 40]
    assert result.boxes[2, 0] == left
    assert result.boxes.dtype == result.scores.dtype == np.float64
    assert [0, 0, 20, 20] in detections([image], [keep], [(20, 20)], [7], [3, 5]).boxes.tolist()
