"""Boxes decoded inside a graph are those of the evaluation's decoding."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from refusals import refuses

from cspbench.detection import decode_yolo
from cspbench.export.boxes import Boxes, check_decodable, corners
from cspbench.network.layers import Detection, GaussianYolo, MultiBox, Region, Yolo

ANCHORS = ((10.0, 14.0), (23.0, 27.0), (37.0, 58.0))
SIZE = (64, 96)
YOLO = Yolo(sources=(0,), mask=(2, 0), anchors=ANCHORS, classes=3)
GAUSSIAN = GaussianYolo(sources=(0,), mask=(2, 0), anchors=ANCHORS, classes=3)
REGION = Region(sources=(0,), anchors=((1.5, 2.0), (0.5, 0.7)), classes=3, softmax=True)
HEADS: list[Detection] = [
    YOLO,
    replace(YOLO, scale_x_y=1.05),
    replace(YOLO, scale_x_y=2.0, new_coords=True),
    *(replace(GAUSSIAN, scale_x_y=1.1, yolo_point=point) for point in ("center", "left_top", "right_bottom")),
    REGION,
]


@pytest.mark.parametrize("head", HEADS, ids=lambda head: f"{head.section}-{getattr(head, 'yolo_point', '')}")
@pytest.mark.parametrize("conf", [0.005, 0.3])
def test_the_boxes_are_the_evaluations(head: Detection, conf: float) -> None:
    values = 4 * (2 if isinstance(head, GaussianYolo) else 1) + 1 + head.classes
    rng = np.random.default_rng(1)
    raw = rng.standard_normal((2, head.used * values, 4, 6)).astype(np.float32)
    if isinstance(head, Yolo) and head.new_coords:
        raw = np.abs(raw)  # activated already; a class may be above 1
    boxes, scores = Boxes([head], [(16.0, 16.0)], conf)((torch.from_numpy(raw),))
    assert (boxes.shape, scores.shape) == ((2, 4 * 6 * 2, 4), (2, 4 * 6 * 2, 3))
    expected = decode_yolo.decode([raw], [head], SIZE, [(SIZE[1], SIZE[0])] * 2, conf, ["a", "b"])
    for image, candidates in enumerate(expected):
        box, category = np.nonzero(scores[image].numpy() > np.float32(conf))
        assert len(candidates) == len(box) > 4
        assert category.tolist() == candidates.category.tolist()
        np.testing.assert_allclose(scores[image].numpy()[box, category], candidates.score, rtol=2e-6)
        np.testing.assert_allclose(boxes[image].numpy()[np.unique(box)], candidates.boxes, rtol=2e-6, atol=1e-5)


def test_one_cell_by_hand() -> None:
    """Offsets of 1/2 in the second cell of the second row; e^0 times the anchor; scores 0.5 and 0.25."""
    head = Yolo(sources=(0,), mask=(0,), anchors=((10.0, 14.0),), classes=2)
    raw = torch.zeros(1, 7, 2, 2)
    raw[0, 5, 1, 1] = 100.0
    boxes, scores = Boxes([head], [(8.0, 16.0)])((raw,))
    assert boxes[0, 3].tolist() == [24.0, 12.0, 10.0, 14.0]
    assert scores[0, 3].tolist() == [0.5, 0.25]
    assert corners(boxes)[0, 3].tolist() == [19.0, 5.0, 29.0, 19.0]


def test_a_gaussian_score_falls_with_the_deviation() -> None:
    head = GaussianYolo(sources=(0,), mask=(0,), anchors=((10.0, 14.0),), classes=1)
    raw = torch.zeros(1, 10, 1, 1)
    raw[0, 1:8:2] = math.log(3)  # a deviation of 3/4
    _, scores = Boxes([head], [(8.0, 8.0)])((raw,))
    assert scores.item() == pytest.approx(0.5 * 0.5 * 0.25)


def test_heads_that_are_not_decoded() -> None:
    check_decodable("net", HEADS)
    multibox = MultiBox(sources=(0,), anchors=ANCHORS, classes=2)
    for heads, result in (([multibox], "[multibox]"), ([replace(REGION, softmax=False)], None), ([], "a classifier")):
        with refuses("usage.not-decoded") as caught:
            check_decodable("net", heads)
        assert result is None or caught.value.found == result
