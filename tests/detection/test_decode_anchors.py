"""Boxes of the quoted detectors' heads, each against a loop from its definition; and their suppression."""

from __future__ import annotations

from itertools import product
from math import exp, sqrt

import numpy as np
import pytest
from numpy.typing import NDArray
from refusals import refuses

from cspbench.detection.candidates import Candidates
from cspbench.detection.decode_anchors import Floats, decode, priors
from cspbench.detection.soft_nms import suppress
from cspbench.network.layers import Detection, MultiBox, RefineBox, RoiBox, Yolo
from cspbench.zoo.detector_protocol import HardNms, SoftNms
from cspbench.zoo.pelee_ssd import NEXT_SIZES, SIZES, anchors
from cspbench.zoo.registry import model

SIZE = (64, 96)
EXTENT = (480, 128)
"""Width and height of the image: 5 and 2 times the network's input."""

Found = list[tuple[tuple[float, ...], int, float]]


def noise(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def probabilities(scores: NDArray[np.float32]) -> list[float]:
    powers = [exp(score) for score in scores]
    return [power / sum(powers) for power in powers]


def shifted(box: tuple[float, ...], offsets: NDArray[np.float32]) -> tuple[float, ...]:
    x, y, width, height = box
    dx, dy, dw, dh = (float(value) for value in offsets)
    return x + 0.1 * dx * width, y + 0.1 * dy * height, width * exp(0.2 * dw), height * exp(0.2 * dh)


def in_image(box: tuple[float, ...]) -> tuple[float, ...]:
    return box[0] * 5, box[1] * 2, box[2] * 5, box[3] * 2


def pairs(image: Candidates) -> Found:
    return [
        (tuple(image.boxes[box].tolist()), int(category), float(score))
        for box, category, score in zip(image.box, image.category, image.score, strict=True)
    ]


def assert_same(image: Candidates, expected: Found) -> None:
    assert [pair[1] for pair in pairs(image)] == [pair[1] for pair in expected]
    for mine, theirs in zip(pairs(image), expected, strict=True):
        assert mine[0] == pytest.approx(theirs[0], rel=1e-4, abs=1e-3)
        assert mine[2] == pytest.approx(theirs[2], rel=1e-4)
    assert (np.diff(image.box) >= 0).all()
    assert len(np.unique(image.box)) == len(image.boxes)


def test_multibox_by_its_definition() -> None:
    layer = MultiBox(sources=(0,), classes=3, anchors=((10.0, 20.0), (30.0, 8.0)))
    raw = noise(1, 2 * (4 + 4), 2, 3)
    expected: Found = []
    for row, column, anchor in product(range(2), range(3), range(2)):
        box = ((column + 0.5) * 32, (row + 0.5) * 32, *layer.anchors[anchor])
        moved = in_image(shifted(box, raw[0, 4 * anchor : 4 * anchor + 4, row, column]))
        shares = probabilities(raw[0, 8 + 4 * anchor : 12 + 4 * anchor, row, column])
        expected += [(moved, category, shares[category + 1]) for category in range(3) if shares[category + 1] > 0.3]
    assert len(expected) > 5
    assert_same(decode([raw], [layer], SIZE, [EXTENT], 0.3, ["one"])[0], expected)


def test_refinebox_by_its_definition() -> None:
    layer = RefineBox(sources=(0,), classes=3, anchors=((10.0, 20.0), (90.0, 80.0)), step=33.0, clip=True)
    raw = noise(1, 2 * (4 + 2 + 4 + 4), 2, 3, seed=1)
    expected: Found = []
    for row, column, anchor in product(range(2), range(3), range(2)):
        first, something, second, classes = (
            raw[0, start + values * anchor : start + values * (anchor + 1), row, column]
            for start, values in ((0, 4), (8, 2), (12, 4), (20, 4))
        )
        width, height = layer.anchors[anchor]
        box = (min((column + 0.5) * 33, 96), min((row + 0.5) * 33, 64), min(width, 96), min(height, 64))
        shares = probabilities(classes)
        if probabilities(something)[1] > 0.4:
            moved = in_image(shifted(shifted(box, first), second))
            expected += [(moved, category, shares[category + 1]) for category in range(3) if shares[category + 1] > 0.2]
    assert len(expected) > 5
    assert_same(decode([raw], [layer], SIZE, [EXTENT], 0.2, ["one"], objectness=0.4)[0], expected)


def test_roibox_by_its_definition() -> None:
    layer = RoiBox(sources=(0,), classes=3)
    raw = noise(1, 4 + 4 + 4, 6, 1, seed=2)
    corners = np.random.default_rng(3).uniform(0, 40, (6, 2, 2)).astype(np.float32).cumsum(1)
    raw[0, 8:, :, 0] = corners.reshape(6, 4).T
    raw[0, 8:, 5] = 0  # no proposal
    raw[0, 6, 4] = 1000.0  # its width is cut off at 1000/16 times, and at the border
    expected: Found = []
    for at in range(5):
        left, top, right, bottom = raw[0, 8:, at, 0].tolist()
        box = ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
        offsets = raw[0, 4:8, at, 0].copy()
        offsets[2:] = offsets[2:].clip(max=5 * np.log(1000 / 16))
        x, y, width, height = shifted(box, offsets)
        left, right = (min(max(edge, 0), 96) for edge in (x - width / 2, x + width / 2))
        top, bottom = (min(max(edge, 0), 64) for edge in (y - height / 2, y + height / 2))
        moved = in_image(((left + right) / 2, (top + bottom) / 2, right - left, bottom - top))
        shares = probabilities(raw[0, :4, at, 0])
        expected += [(moved, category, shares[category]) for category in range(3) if shares[category] > 0.2]
    assert len(expected) > 4
    assert_same(decode([raw], [layer], SIZE, [EXTENT], 0.2, ["one"])[0], expected)


def test_probabilities_that_meet_their_thresholds_are_not_enough() -> None:
    """Of two equal scores each is one half exactly: of a class beside the background, of something beside nothing."""
    below = float(np.nextafter(np.float32(0.5), np.float32(0)))
    heads: list[tuple[Detection, NDArray[np.float32]]] = [
        (MultiBox(sources=(0,), classes=1, anchors=((8.0, 8.0),)), np.zeros((1, 4 + 2, 1, 1), np.float32)),
        (RoiBox(sources=(0,), classes=1), np.array([0, 0, 0, 0, 0, 0, 1, 1, 9, 9], np.float32).reshape(1, 10, 1, 1)),
    ]
    for layer, raw in heads:
        for conf, kept in ((0.5, 0), (below, 1)):
            assert len(decode([raw], [layer], SIZE, [EXTENT], conf, ["one"])[0]) == kept
    refined = RefineBox(sources=(0,), classes=1, anchors=((8.0, 8.0),))
    raw = np.zeros((1, 4 + 2 + 4 + 2, 1, 1), np.float32)
    raw[0, -1] = 9  # the class is as good as sure
    for objectness, kept in ((0.5, 0), (below, 1)):
        assert len(decode([raw], [refined], SIZE, [EXTENT], 0.1, ["one"], objectness=objectness)[0]) == kept
    raw[0, -1] = 0
    for conf, kept in ((0.5, 0), (below, 1)):
        assert len(decode([raw], [refined], SIZE, [EXTENT], conf, ["one"], objectness=0.1)[0]) == kept


@pytest.mark.parametrize("corners", [(1, 1, 1, 9), (1, 1, 9, 1), (1, 1, 1, 1), (9, 1, 1, 9), (1, 9, 9, 1)])
def test_a_proposal_without_an_area_is_none(corners: tuple[float, ...]) -> None:
    raw = np.array([9, 0, 0, 0, 0, 0, *corners], np.float32).reshape(1, 10, 1, 1)
    assert len(decode([raw], [RoiBox(sources=(0,), classes=1)], SIZE, [EXTENT], 0.1, ["one"])[0]) == 0


def test_the_last_class_and_anchor_are_decoded() -> None:
    layer = MultiBox(sources=(0,), classes=80, anchors=((8.0, 8.0), (16.0, 16.0)))
    raw = np.zeros((2, 2 * (4 + 81), 1, 2), np.float32)
    raw[1, -1, 0, 1] = 20
    empty, result = decode([raw], [layer], SIZE, [EXTENT] * 2, 0.5, ["a", "b"])
    assert (len(empty), len(empty.boxes)) == (0, 0)
    # centre of the second of two cells, 72 and 32 of the network's input, in pixels of the image
    assert_same(result, [((72 * 5, 32 * 2, 16 * 5, 16 * 2), 79, 1.0)])


def test_a_proposal_grows_to_a_thousand_sixteenths_of_its_size() -> None:
    # of 1/8 x 1/8 pixels: 62.5 times that are 7.8125, inside the network's input
    for raised in (5 * np.log(1000 / 16), 100.0):
        raw = np.array([9, 0, 0, 0, raised, raised, 48 - 1 / 16, 32 - 1 / 16, 48 + 1 / 16, 32 + 1 / 16], np.float32)
        (image,) = decode([raw.reshape(1, 10, 1, 1)], [RoiBox(sources=(0,), classes=1)], SIZE, [EXTENT], 0.1, ["one"])
        np.testing.assert_allclose(image.boxes, [[240, 64, 7.8125 * 5, 7.8125 * 2]], rtol=1e-4)


def test_layers_and_images_stay_apart() -> None:
    layers: list[Detection] = [MultiBox(sources=(0,), classes=2, anchors=((side, side),)) for side in (8.0, 16.0)]
    outputs = [noise(3, 7, 4, 6), noise(3, 7, 2, 3, seed=1)]
    result = decode(outputs, layers, SIZE, [EXTENT] * 3, 0.1, ["a", "b", "c"])
    for at in range(3):
        (alone,) = decode([output[at : at + 1] for output in outputs], layers, SIZE, [EXTENT], 0.1, ["x"])
        assert pairs(alone) == pairs(result[at])
    first = decode(outputs[:1], layers[:1], SIZE, [EXTENT] * 3, 0.1, ["a", "b", "c"])[0]
    assert pairs(result[0])[: len(first)] == pairs(first)


def test_what_cannot_be_decoded_is_refused() -> None:
    layer = MultiBox(sources=(0,), classes=1, anchors=((8.0, 8.0),))
    raw = noise(2, 6, 1, 1)
    raw[1, 0] = np.nan
    with refuses("network.not-finite", where="second"):
        decode([raw], [layer], SIZE, [EXTENT] * 2, 0.0, ["first", "second"])
    raw[1, 0], raw[1, 2] = 0, 1000.0
    with refuses("network.not-finite", where="second", found="inf"):
        decode([raw], [layer], SIZE, [EXTENT] * 2, 0.0, ["first", "second"])
    yolo = Yolo(sources=(0,), mask=(0,), anchors=((1.0, 1.0),), classes=1)
    with refuses("network.not-a-quoted-head", found="[yolo]"):
        decode([noise(1, 6, 1, 1)], [yolo], SIZE, [EXTENT], 0.0, ["one"])


def test_priors_of_pelee_by_hand() -> None:
    network = model("pelee-304").build()
    layers = [network.layers[index] for index in network.detections]
    result = []
    for index, layer in zip(network.detections, layers, strict=True):
        assert isinstance(layer, MultiBox)
        result.append(priors(layer, network.shape(index)[1:], (304, 304)))
    assert [len(each) for each in result] == [19 * 19 * 6, 19 * 19 * 6, 10 * 10 * 6, 5 * 5 * 6, 3 * 3 * 6, 6]
    assert sum(map(len, result)) == 5142
    # 7 and 15 % of 304 are 21.28 and 45.6; sqrt(21.28 * 45.6) = 31.1507; sqrt(2) and sqrt(3) times and over 21.28
    first = [(21.28, 21.28), (31.1507, 31.1507), (30.0945, 15.0472), (15.0472, 30.0945), (36.8580, 12.2860)]
    np.testing.assert_allclose(result[0][:5, 2:], first, rtol=1e-5)
    assert (result[0][:6, :2] == 8).all()  # the middle of the first of 19 cells of 16 pixels
    np.testing.assert_allclose(result[0][6, :2], (24, 8))
    np.testing.assert_allclose(result[2][:6, :2], 15.2, rtol=1e-6)  # 10 cells of 30.4
    np.testing.assert_allclose(result[2][0, 2:], 100.32, rtol=1e-6)
    np.testing.assert_allclose(result[5][:2], [[152, 152, 264.48, 264.48], [152, 152] + [sqrt(264.48 * 319.2)] * 2])
    assert [anchors(100, *pair)[0][0] for pair in zip(SIZES, NEXT_SIZES, strict=True)] == list(SIZES)


# --- suppression


def image(boxes: list[tuple[float, float, float, float]], categories: list[int], scores: list[float]) -> Candidates:
    return Candidates(
        np.array(boxes, np.float32),
        np.arange(len(boxes), dtype=np.int32),
        np.array(categories, np.int16),
        np.array(scores, np.float32),
    )


THREE = [(50.0, 50.0, 20.0, 20.0), (55.0, 50.0, 20.0, 20.0), (60.0, 50.0, 20.0, 20.0)]
"""Neighbours overlap by 3/5, the outer two by 1/3."""


def test_hard_suppression_goes_class_by_class_and_keeps_the_best() -> None:
    rule = HardNms(0.5, considered=400, kept=200)
    kept = suppress(image(THREE, [0, 0, 0], [0.9, 0.8, 0.7]), rule)
    assert_same(kept, [(THREE[0], 0, 0.9), (THREE[2], 0, 0.7)])
    assert len(suppress(image(THREE, [0, 1, 2], [0.9, 0.8, 0.7]), rule)) == 3
    # only the best of a class is considered, so that the one after it cannot come back
    assert len(suppress(image(THREE, [0, 0, 0], [0.9, 0.8, 0.7]), HardNms(0.5, considered=2, kept=200))) == 1
    best = suppress(image(THREE, [0, 1, 2], [0.7, 0.9, 0.8]), HardNms(0.5, considered=400, kept=2))
    assert [pair[1] for pair in pairs(best)] == [1, 2]


def test_soft_suppression_by_hand() -> None:
    rule = SoftNms(0.5, floor=0.25, kept=100)
    # 0.9 stays; 0.8 becomes 0.8 * 2/5 = 0.32, 0.7 stays; then 0.7 lowers 0.32 to 0.128, below the floor
    kept = suppress(image(THREE, [0, 0, 0], [0.9, 0.8, 0.7]), rule)
    assert_same(kept, [(THREE[0], 0, 0.9), (THREE[2], 0, 0.7)])
    low = suppress(image(THREE, [0, 0, 0], [0.9, 0.8, 0.7]), SoftNms(0.5, floor=1e-3, kept=100))
    assert [pair[2] for pair in pairs(low)] == [pytest.approx(each) for each in (0.9, 0.128, 0.7)]
    assert len(suppress(image(THREE, [0, 1, 2], [0.9, 0.8, 0.7]), SoftNms(0.5, floor=1e-3, kept=2))) == 2
    assert len(suppress(image([THREE[0], (0.0, 0.0, 0.0, 0.0)], [0, 0], [0.9, 0.8]), rule)) == 2


@pytest.mark.parametrize("rule", [HardNms(0.5, considered=4, kept=2), SoftNms(0.5, floor=0.1, kept=2)])
def test_nothing_to_suppress(rule: HardNms | SoftNms) -> None:
    empty = Candidates(
        np.empty((0, 4), np.float32), np.empty(0, np.int32), np.empty(0, np.int16), np.empty(0, np.float32)
    )
    assert len(suppress(empty, rule)) == 0
