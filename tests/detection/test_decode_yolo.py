"""Decoding against the specification's formulas, one number at a time, and against its vectors."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusals import refuses

from cspbench.data.resize import letterbox as letterboxed
from cspbench.data.resize import letterbox_extent
from cspbench.detection.candidates import Candidates
from cspbench.detection.decode_yolo import decode
from cspbench.detection.detections import clipped, six_decimals
from cspbench.network.layers import Detection, GaussianYolo, Region, Yolo
from cspbench.zoo.registry import model

F = np.float32
Entry = tuple[tuple[float, float, float, float], int, float]
PRIORS = ((10.0, 13.0), (33.0, 23.0), (142.0, 110.0))


def yolo(classes: int = 2, mask: tuple[int, ...] = (0, 2), scale_x_y: float = 1.05, new_coords: bool = False) -> Yolo:
    return Yolo(sources=(0,), classes=classes, anchors=PRIORS, mask=mask, scale_x_y=scale_x_y, new_coords=new_coords)


def logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def inner(size: tuple[int, int], extent: tuple[int, int]) -> tuple[int, int]:
    """Width and height of an image within its letterbox: the longer way first, in exact integers (spec b.1)."""
    if size[1] * extent[1] < size[0] * extent[0]:
        return size[1], extent[1] * size[1] // extent[0]
    return extent[0] * size[0] // extent[1], size[0]


def by_formula(
    raw: np.ndarray[Any, Any],
    layer: Detection,
    size: tuple[int, int],
    extent: tuple[int, int],
    conf: float,
    letterbox: bool,
) -> list[Entry]:
    """Boxes, categories and scores of one layer and image, (channels, h, w), in double."""
    _, height, width = raw.shape
    netw, neth = size[1], size[0]
    result: list[Entry] = []
    for row in range(height):
        for column in range(width):
            for number in range(layer.used):
                v = [float(each) for each in raw.reshape(layer.used, -1, height, width)[number, :, row, column]]
                anchor = layer.anchors[layer.mask[number] if isinstance(layer, Yolo) else number]
                sure = 1.0
                if isinstance(layer, GaussianYolo):
                    sure = 1 - sum(logistic(v[at]) for at in (1, 3, 5, 7)) / 4
                    v = [v[0], v[2], v[4], v[6], *v[8:]]
                fresh = isinstance(layer, Yolo) and layer.new_coords
                active: Callable[[float], float] = float if fresh else logistic
                scale = layer.scale_x_y if isinstance(layer, Yolo) else 1
                x, y = (scale * active(v[at]) - (scale - 1) / 2 for at in (0, 1))
                if fresh:
                    w, h = v[2] ** 2 * 4 * anchor[0] / netw, v[3] ** 2 * 4 * anchor[1] / neth
                elif isinstance(layer, Region):
                    w, h = math.exp(v[2]) * anchor[0] / width, math.exp(v[3]) * anchor[1] / height
                else:
                    w, h = math.exp(v[2]) * anchor[0] / netw, math.exp(v[3]) * anchor[1] / neth
                x, y = (column + x) / width, (row + y) / height
                if isinstance(layer, GaussianYolo) and layer.yolo_point != "center":
                    sign = 1 if layer.yolo_point == "left_top" else -1
                    x, y = x + sign * w / 2, y + sign * h / 2
                if letterbox:
                    nw, nh = inner(size, extent)
                    x, w = (x - (netw - nw) / 2 / netw) / (nw / netw), w / (nw / netw)
                    y, h = (y - (neth - nh) / 2 / neth) / (nh / neth), h / (nh / neth)
                objectness = active(v[4])
                if not objectness > conf:
                    continue
                total = sum(math.exp(each) for each in v[5:])
                for category, each in enumerate(v[5:]):
                    share = math.exp(each) / total if isinstance(layer, Region) else active(each)
                    if objectness * share * sure > conf:
                        box = (x * extent[0], y * extent[1], w * extent[0], h * extent[1])
                        result.append((box, category, objectness * share * sure))
    return result


def entries(image: Candidates) -> list[Entry]:
    return [
        (tuple(image.boxes[box].tolist()), category, score)
        for box, category, score in zip(image.box, image.category.tolist(), image.score.tolist(), strict=True)
    ]


def agree(found: list[Entry], expected: list[Entry]) -> None:
    assert [category for _, category, _ in found] == [category for _, category, _ in expected]
    np.testing.assert_allclose([box for box, _, _ in found], [box for box, _, _ in expected], rtol=2e-5, atol=2e-3)
    np.testing.assert_allclose([each[2] for each in found], [each[2] for each in expected], rtol=1e-5)


LAYERS = {
    "yolo": yolo(),
    "masks": yolo(classes=3, mask=(2, 1), scale_x_y=1.2),
    "new_coords": yolo(scale_x_y=2.0, new_coords=True),
    "gaussian": GaussianYolo(sources=(0,), classes=2, anchors=PRIORS, mask=(1,), scale_x_y=1.1),
    "left_top": GaussianYolo(sources=(0,), classes=1, anchors=PRIORS, mask=(0, 1), yolo_point="left_top"),
    "right_bottom": GaussianYolo(sources=(0,), classes=1, anchors=PRIORS, mask=(0,), yolo_point="right_bottom"),
    "region": Region(sources=(0,), classes=3, anchors=((1.0, 2.0), (3.5, 0.5)), softmax=True),
}


def raw_for(layer: Detection, seed: int, height: int = 3, width: int = 4) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    channels = layer.used * (layer.per_anchor + layer.classes)
    raw = rng.normal(0, 1.5, (2, channels, height, width)).astype(F)
    return 1 / (1 + np.exp(-raw)) if isinstance(layer, Yolo) and layer.new_coords else raw


@pytest.mark.parametrize("name", LAYERS)
@given(
    seed=st.integers(0, 10**6), letterbox=st.booleans(), extent=st.tuples(st.integers(20, 900), st.integers(20, 900))
)
def test_by_the_formulas(name: str, seed: int, letterbox: bool, extent: tuple[int, int]) -> None:
    layer = LAYERS[name]
    raw = raw_for(layer, seed)
    extents = [extent, (640, 427)]
    result = decode([raw], [layer], (96, 128), extents, 0.2, ["a", "b"], letterbox=letterbox)
    for at, image in enumerate(result):
        assert image.boxes.dtype == image.score.dtype == F
        agree(entries(image), by_formula(raw[at], layer, (96, 128), extents[at], 0.2, letterbox))
        assert (np.diff(image.box) >= 0).all()
        assert sorted(set(image.box.tolist())) == list(range(len(image.boxes)))


def test_layers_in_network_order() -> None:
    coarse, fine = yolo(mask=(2,)), yolo(mask=(0, 1), scale_x_y=1.2)
    outputs = [raw_for(coarse, 1, 2, 2), raw_for(fine, 2, 4, 4)]
    extents = [(300, 200), (50, 70)]
    result = decode(outputs, [coarse, fine], (64, 64), extents, 0.2, ["a", "b"])
    for at, image in enumerate(result):
        expected = [
            entry
            for raw, layer in zip(outputs, (coarse, fine), strict=True)
            for entry in by_formula(raw[at], layer, (64, 64), extents[at], 0.2, False)
        ]
        agree(entries(image), expected)
    alone = decode([output[1:] for output in outputs], [coarse, fine], (64, 64), extents[1:], 0.2, ["b"])
    np.testing.assert_array_equal(alone[0].boxes, result[1].boxes)
    np.testing.assert_array_equal(alone[0].score, result[1].score)


def test_the_vector_of_the_specification() -> None:
    # Appendix B, 5
    layer = yolo(mask=(2,))
    raw = np.full((1, 7, 16, 16), -20, F)
    raw[0, :, 7, 5] = (0.3, -0.2, 0.1, -0.4, 2, 1.5, -3)
    (image,) = decode([raw], [layer], (512, 512), [(640, 427)], 0.005, ["a"])
    np.testing.assert_allclose(image.boxes, [(223.12659, 198.75981, 196.16784, 61.49401)], atol=2e-5)
    assert image.category.tolist() == [0, 1]
    np.testing.assert_allclose(image.score, (0.7201172, 0.0417726), atol=1e-7)
    (unit,) = decode([raw], [layer], (512, 512), [(1, 1)], 0.005, ["a"])
    np.testing.assert_allclose(unit.boxes, [(0.3486353, 0.4654796, 0.3065122, 0.1440141)], atol=1e-7)
    printed = six_decimals(clipped(image.boxes, (640, 427)))
    np.testing.assert_allclose(printed, [(125.042667, 168.012804, 196.167838, 61.494009)], atol=1e-5)


def test_both_thresholds_are_strict() -> None:
    layer = yolo(classes=1, mask=(0,), new_coords=True)
    half = np.nextafter(F(0.5), F(1))
    # a share of 2, so that it is the objectness alone that decides in the first two
    for objectness, share, kept in ((0.5, 2.0, 0), (half, 2.0, 1), (1.0, 0.5, 0), (1.0, half, 1)):
        raw = np.array([0.5, 0.5, 0.5, 0.5, objectness, share], F).reshape(1, 6, 1, 1)
        (image,) = decode([raw], [layer], (32, 32), [(32, 32)], 0.5, ["a"])
        assert (len(image), len(image.boxes)) == (kept, kept)


@pytest.mark.parametrize(
    ("layer", "values"),
    [
        (yolo(classes=1, mask=(0,)), 6),
        (GaussianYolo(sources=(0,), classes=1, anchors=PRIORS, mask=(0,)), 10),
        (Region(sources=(0,), classes=1, anchors=((1.0, 1.0),), softmax=True), 6),
    ],
)
def test_an_objectness_that_meets_the_threshold_is_not_enough(layer: Detection, values: int) -> None:
    """1 / (1 + e^0) is one half exactly; the class is as good as sure, and the deviations as good as none."""
    raw = np.zeros((1, values, 1, 1), F)
    raw[0, -1] = 200
    if values == 10:
        raw[0, 1:8:2] = -200
    below = float(np.nextafter(F(0.5), F(0)))
    for conf, kept in ((0.5, 0), (below, 1)):
        (image,) = decode([raw], [layer], (32, 32), [(32, 32)], conf, ["a"])
        assert (len(image), len(image.boxes)) == (kept, kept)


def test_the_last_class_image_and_cell_are_decoded() -> None:
    layer = yolo(classes=80, mask=(0, 1))
    raw = np.full((3, 170, 2, 2), -20, F)
    raw[2, [85 + 4, 85 + 84], 1, 1] = 20
    images = decode([raw], [layer], (32, 32), [(32, 32)] * 3, 0.5, ["a", "b", "c"])
    assert [image.category.tolist() for image in images] == [[], [], [79]]
    assert [image.boxes.shape for image in images] == [(0, 4), (0, 4), (1, 4)]


def test_as_many_classes_as_a_shard_can_number() -> None:
    most = np.iinfo(np.int16).max
    raw = np.full((1, most + 5, 1, 1), -20, F)
    raw[0, [4, most + 4]] = 20
    (image,) = decode([raw], [yolo(classes=most, mask=(0,))], (32, 32), [(32, 32)], 0.5, ["a"])
    assert image.category.tolist() == [most - 1]
    with refuses("network.too-many-classes"):
        decode(
            [np.zeros((1, most + 6, 1, 1), F)], [yolo(classes=most + 1, mask=(0,))], (32, 32), [(32, 32)], 0.5, ["a"]
        )


def test_a_letterbox_is_taken_off() -> None:
    # a box in the middle stays there; its width is that of the image when it is the letterbox's
    layer = yolo(classes=1, mask=(0,), scale_x_y=1, new_coords=True)
    raw = np.array([0.5, 0.5, (128 / 40) ** 0.5, (96 / 52) ** 0.5, 1, 1], F).reshape(1, 6, 1, 1)
    for extent, shape in (((128, 48), (128, 96)), ((64, 96), (128, 96)), ((128, 96), (128, 96))):
        (image,) = decode([raw], [layer], (96, 128), [extent], 0.1, ["a"], letterbox=True)
        width, height = extent  # each fills one side of 128x96 as it is
        expected = (extent[0] / 2, extent[1] / 2, extent[0] * shape[0] / width, extent[1] * shape[1] / height)
        np.testing.assert_allclose(image.boxes[0], expected, rtol=1e-6)


@given(st.tuples(st.integers(1, 300), st.integers(1, 300)), st.tuples(st.integers(1, 60), st.integers(1, 60)))
def test_the_letterbox_is_the_one_images_get(extent: tuple[int, int], size: tuple[int, int]) -> None:
    white = np.full((extent[1], extent[0], 3), 255, np.uint8)
    columns, rows = letterbox_extent(size, extent)
    # its last row may be black: count the grey that is left
    assert (letterboxed(white, size[1], size[0])[0] == 0.5).sum() == size[0] * size[1] - columns * rows


def test_an_image_too_thin_for_its_letterbox_has_no_boxes() -> None:
    layer = yolo()
    raw = np.full((1, 14, 2, 2), 3, F)
    assert letterbox_extent((32, 32), (1000, 3)) == (32, 0)
    (image,) = decode([raw], [layer], (32, 32), [(1000, 3)], 0.1, ["a"], letterbox=True)
    assert len(image) == len(image.boxes) == 0
    assert len(decode([raw], [layer], (32, 32), [(1000, 3)], 0.1, ["a"])[0]) == 16


def test_what_is_not_a_box_is_refused() -> None:
    layer = yolo()
    raw = np.zeros((2, 14, 2, 2), F)
    decode([raw], [layer], (32, 32), [(9, 9)] * 2, 0.1, ["a", "b"])
    broken = raw.copy()
    broken[1, 13, 1, 1] = np.nan
    with refuses("network.not-finite", where="b", found="nan"):
        decode([broken], [layer], (32, 32), [(9, 9)] * 2, 0.1, ["a", "b"])
    broken = raw.copy()
    broken[0, 2, 0, 0] = 100  # its width is 2.7e43 anchors
    with refuses("network.not-finite", where="a", found="inf"):
        decode([broken], [layer], (32, 32), [(9, 9)] * 2, 0.1, ["a", "b"])
    # what does not pass is not looked at
    broken[0, 4] = -200
    assert len(decode([broken], [layer], (32, 32), [(9, 9)] * 2, 0.1, ["a", "b"])[0]) == 8


def test_layers_that_cannot_be_decoded() -> None:
    region = Region(sources=(0,), classes=1, anchors=((1.0, 1.0),))
    with refuses("network.no-softmax"):
        decode([np.zeros((1, 6, 1, 1), F)], [region], (32, 32), [(9, 9)], 0.1, ["a"])
    many = yolo(classes=40_000, mask=(0,))
    with refuses("network.too-many-classes", expected="32767 at most", found="40000"):
        decode([np.zeros((1, 40_005, 1, 1), F)], [many], (32, 32), [(9, 9)], 0.1, ["a"])


def test_the_heads_of_a_golden_case(golden: ModuleType, references: Path) -> None:
    # the binary kept its heads as they are after the activation: scores are products of what is there
    name = "csresnext50-panet-spp"
    whole = references / "golden" / "forward" / f"{name}.npz"
    case = np.load(whole) if whole.is_file() else golden.load(name)
    network = model(name).build()
    # a clone has the last head without gaps
    indices = network.detections if whole.is_file() else network.detections[-1:]
    layers = [layer for layer in map(network.layers.__getitem__, indices) if isinstance(layer, Yolo)]
    outputs, expected = [], []
    for index, layer in zip(indices, layers, strict=True):
        head = case[f"yolo_{index}"].astype(np.float64)
        side = head.shape[-1]
        planes = head.reshape(3, 85, side, side)
        raw = np.log(planes / (1 - planes), where=(np.arange(85) // 2 != 1)[:, None, None], out=planes.copy())
        outputs.append(raw.reshape(1, 255, side, side).astype(F))
        scores = planes[:, 4, None] * planes[:, 5:]
        for row, column, anchor, category in np.argwhere(scores.transpose(2, 3, 0, 1) > 0.6):
            x, y, w, h = planes[anchor, :4, row, column]
            prior = np.array(layer.anchors[layer.mask[anchor]]) / 416
            centre = ((column + x) / side * 640, (row + y) / side * 480)
            extent = (math.exp(w) * prior[0] * 640, math.exp(h) * prior[1] * 480)
            expected.append(((*centre, *extent), category, scores[anchor, category, row, column]))
    assert {layer.scale_x_y for layer in layers} == {1.0}
    (image,) = decode(outputs, layers, (416, 416), [(640, 480)], 0.6, ["a"])
    assert len(expected) > (1000 if whole.is_file() else 100)
    agree(entries(image), expected)
