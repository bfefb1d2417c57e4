"""What Darknet's JSON says, and that it says it of the same images."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from refusals import refuses

from cspbench.data.coco.annotations import COCO_CATEGORIES
from cspbench.data.coco.source import open_coco
from cspbench.data.detection_presets import detection_preset
from cspbench.detection.ap.average_precision import average_precision
from cspbench.detection.ap.matching import Detections
from cspbench.detection.candidates import Candidates, no_candidates
from cspbench.detection.decode_yolo import decode
from cspbench.detection.detections import (
    _by_every_class,
    _file_order,
    clipped,
    detections,
    image_id,
    six_decimals,
)
from cspbench.detection.detector import DarknetDetector
from cspbench.detection.nms import criterion, nms_many
from cspbench.detection.overlaps import PLAIN
from cspbench.detection.result_file import write
from cspbench.inference.engine import prepare
from cspbench.network import cfg
from cspbench.network.layers import Yolo
from cspbench.network.module import to_module
from cspbench.weights import darknet, loading

F = np.float32


def image(*entries: tuple[tuple[float, float, float, float], dict[int, float]]) -> Candidates:
    """Boxes with their scores by category."""
    return Candidates(
        np.array([box for box, _ in entries], F).reshape(-1, 4),
        np.array([at for at, (_, scores) in enumerate(entries) for _ in scores], np.int32),
        np.array([each for _, scores in entries for each in scores], np.int16),
        np.array([score for _, scores in entries for score in scores.values()], F),
    )


def everything(*images: Candidates) -> list[np.ndarray[Any, Any]]:
    return [np.ones(len(each), np.bool_) for each in images]


@given(st.one_of(st.floats(-2000, 2000, width=32), st.floats(0, 1, width=32)))
def test_six_decimals_are_those_of_printf(value: float) -> None:
    (result,) = six_decimals(np.array([value], F)).tolist()
    assert result == float(f"{value:f}")


def test_ties_are_rounded_to_even() -> None:
    # 2^-7 = 0.0078125 and multiples have a seventh decimal of 5
    values = np.arange(0, 64, 2**-7).astype(F)
    assert six_decimals(values).tolist() == [float(f"{value:f}") for value in values.tolist()]


def test_clamping_is_one_sided() -> None:
    boxes = np.array([(50, 40, 20, 10), (2, 3, 10, 10), (98, 77, 10, 10), (-20, 40, 10, 10), (120, 90, 10, 30)], F)
    assert clipped(boxes, (100, 80)).tolist() == [
        [40, 35, 20, 10],
        [0, 0, 7, 8],
        [93, 72, 7, 8],
        [0, 35, -15, 10],  # all of it left of the image
        [115, 75, -15, 5],
    ]


IDS = sorted(COCO_CATEGORIES)


def test_the_category_ids() -> None:
    spec = [*range(1, 12), *range(13, 26), 27, 28, *range(31, 45), *range(46, 66), 67, 70, *range(72, 83)]
    assert [*spec, *range(84, 91)] == IDS
    assert len(IDS) == 80


@pytest.mark.parametrize(
    ("path", "basename", "underscore"),
    [
        ("val2017/000000123456.jpg", 123456, 123456),
        ("000000000139.jpg", 139, 139),
        ("val2014/COCO_val2014_000000123456.jpg", 0, 123456),
        ("val_2017/000000123456.jpg", 123456, 2017),
        ("data_set/000000123456.jpg", 123456, 0),
        ("a/b.jpg", 0, 0),
        ("a/7.5.jpg", 7, 7),
        ("", 0, 0),
    ],
)
def test_image_ids(path: str, basename: int, underscore: int) -> None:
    assert (image_id(path, "basename"), image_id(path, "underscore")) == (basename, underscore)


def test_the_order_is_that_of_darknets_sorting() -> None:
    # by the last class's score, then the one before, then as found; a box's classes stay together
    boxes = [
        ((10.0, 10.0, 4.0, 4.0), {0: 0.5}),
        ((20.0, 10.0, 4.0, 4.0), {0: 0.75, 2: 0.25}),
        ((30.0, 10.0, 4.0, 4.0), {1: 0.125}),
        ((40.0, 10.0, 4.0, 4.0), {0: 0.5}),
        ((50.0, 10.0, 4.0, 4.0), {0: 0.25, 2: 0.5}),
    ]
    some = image(*boxes)
    result = detections([some], everything(some), [(100, 100)], [7], IDS)
    assert [(box[0] + 2, category) for box, category in zip(result.boxes, result.category_ids, strict=True)] == [
        *((50, 1), (50, 3)),
        *((20, 1), (20, 3)),
        (30, 2),
        (10, 1),
        (40, 1),
    ]
    # it does not depend on what is suppressed
    keep = [np.array([True, True, False, True, True, True, True])]
    assert (detections([some], keep, [(100, 100)], [7], IDS).boxes[:, 0] + 2).tolist() == [50, 50, 20, 30, 10, 40]


@given(st.lists(st.dictionaries(st.integers(0, 3), st.sampled_from((0.0, 0.25, 0.3, 0.5, 0.7, 0.9)))))
def test_the_order_by_each_class_in_turn(scores: list[dict[int, float]]) -> None:
    some = image(*(((1, 1, 1, 1), dict(sorted(score.items()))) for score in scores))
    order = list(range(len(scores)))
    for category in range(4):  # as Darknet does: a stable sort for every class
        order.sort(key=lambda at: -scores[at].get(category, 0))
    assert _file_order(some).tolist() == order
    assert _by_every_class(some).tolist() == order


def test_the_file(tmp_path: Path) -> None:
    some = [image(((10.1, 20.2, 4, 6), {0: 0.3, 79: 0.004})), no_candidates(), image(((5, 5, 30, 2), {4: 1.0}))]
    result = detections(some, everything(*some), [(100, 100), (5, 5), (12, 10)], [139, 7, 581781], IDS)
    write(result, tmp_path / "coco_results.json")
    text = (tmp_path / "coco_results.json").read_text()
    assert text.splitlines() == [
        "[",
        '{"image_id":139, "category_id":1, "bbox":[8.100000, 17.200001, 4.000000, 6.000000], "score":0.300000},',
        '{"image_id":139, "category_id":90, "bbox":[8.100000, 17.200001, 4.000000, 6.000000], "score":0.004000},',
        '{"image_id":581781, "category_id":5, "bbox":[0.000000, 4.000000, 12.000000, 2.000000], "score":1.000000}',
        "]",
    ]
    read = json.loads(text)
    assert [each["bbox"] for each in read] == result.boxes.tolist()
    assert [each["score"] for each in read] == result.scores.tolist()
    write(detections([], [], [], [], IDS), tmp_path / "none.json")
    assert json.loads((tmp_path / "none.json").read_text()) == []


def test_a_class_without_an_id() -> None:
    some = image(((10, 20, 4, 6), {80: 0.5}))
    with refuses("network.more-classes"):
        detections([some], everything(some), [(100, 100)], [1], IDS)
    assert detections([some], everything(some), [(100, 100)], [1], range(100, 181)).category_ids.tolist() == [180]


# What Darknet itself wrote, after its own loading, resizing, forward pass, decoding and suppression.

RUNS = (
    ("head", "head", None),
    ("readme-nms0.45", "readme", 0.45),
    ("readme-nms0.60", "readme", 0.6),
    ("letterbox-nms0.45", "letterbox", 0.45),
)


@pytest.fixture(scope="module")
def reference_runs(shared: Path) -> dict[str, Detections]:
    """Our detections of the four runs; one forward pass per way of preparing images."""
    network = cfg.read(shared / "weights" / "yolo-fastest-1.1.cfg").network
    weights = darknet.read(shared / "weights" / "yolo-fastest-1.1.weights", network)
    engine = prepare(loading.load(to_module(network), network, weights), torch.device("cpu"))
    layers = [layer for layer in network.layers if isinstance(layer, Yolo)]
    files = sorted((shared / "data" / "coco-mini" / "val2017").glob("*.jpg"))
    names = [file.name for file in files]
    forwards: dict[bool, tuple[list[np.ndarray[Any, Any]], list[tuple[int, int]]]] = {}
    result = {}
    for run, name, threshold in RUNS:
        preset = detection_preset(name).overridden(decoder="stb")
        if preset.letterbox not in forwards:
            detector = DarknetDetector((), (320, 320), preset)
            loaded = [detector.load(file.read_bytes(), file.name) for file in files]
            batches = [
                torch.from_numpy(np.stack([pixels for pixels, _ in loaded[at : at + 16]])) for at in range(0, 79, 16)
            ]
            heads = zip(*(engine(batch) for batch in batches), strict=True)
            forwards[preset.letterbox] = ([torch.cat(head).numpy() for head in heads], [extent for _, extent in loaded])
        outputs, extents = forwards[preset.letterbox]
        images = decode(outputs, layers, (320, 320), extents, preset.conf, names, letterbox=preset.letterbox)
        by = criterion(preset.nms_kind, layers[-1])
        (keep,) = nms_many(images, [threshold or preset.nms], by)
        assert (by == PLAIN) == (name != "head")
        result[run] = detections(
            images, keep, extents, [image_id(each, preset.image_id or "basename") for each in names], IDS
        )
    return result


def overlap(boxes: np.ndarray[Any, Any], box: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """IoU of boxes (D, 4) left, top, width, height with one."""
    sides = np.minimum(boxes[:, :2] + boxes[:, 2:], box[:2] + box[2:]) - np.maximum(boxes[:, :2], box[:2])
    shared: np.ndarray[Any, Any] = sides.clip(0).prod(1)
    union: np.ndarray[Any, Any] = boxes[:, 2:].prod(1) + box[2:].prod() - shared
    iou: np.ndarray[Any, Any] = shared / union
    return iou


@pytest.mark.reference("golden/eval", "data/coco-mini", "weights/yolo-fastest-1.1.weights")
@pytest.mark.parametrize("run", [run for run, _, _ in RUNS])
def test_the_detections_that_the_binary_wrote(run: str, reference_runs: dict[str, Detections], shared: Path) -> None:
    path = shared / "golden" / "eval" / f"yolo-fastest-1.1.{run}.json.gz"
    reference = json.loads(gzip.decompress(path.read_bytes()))
    ours = reference_runs[run]
    assert abs(len(ours.scores) - len(reference)) < 0.001 * len(reference)
    places: dict[tuple[int, int], list[int]] = {}
    for at, key in enumerate(zip(ours.image_ids.tolist(), ours.category_ids.tolist(), strict=True)):
        places.setdefault(key, []).append(at)
    above = [each for each in reference if each["score"] > 0.02]
    hits = 0
    for each in above:
        among = places.get((each["image_id"], each["category_id"]), [])
        close = np.abs(ours.scores[among] - each["score"]) < 1e-3
        hits += bool((close & (overlap(ours.boxes[among], np.array(each["bbox"])) > 0.99)).any())
    assert len(above) > 4000
    assert hits >= 0.999 * len(above)  # asked for are 0.995


GOLDEN = {
    "head": (15.324, 32.755, 11.650, 3.861, 14.117, 26.420),
    "readme-nms0.45": (15.480, 35.100, 11.201, 3.570, 13.264, 27.121),
    "readme-nms0.60": (15.578, 33.893, 11.683, 3.378, 14.051, 26.943),
    "letterbox-nms0.45": (13.909, 31.481, 10.900, 4.370, 9.969, 27.403),
}
"""AP, AP50, AP75, APS, APM and APL that pycocotools gives the binary's own files."""


@pytest.mark.reference("data/coco-mini", "weights/yolo-fastest-1.1.weights")
@pytest.mark.parametrize("run", list(GOLDEN))
def test_the_ap_of_what_the_binary_wrote(run: str, reference_runs: dict[str, Detections], shared: Path) -> None:
    truth = open_coco(shared / "data" / "coco-mini").ground_truth
    assert truth is not None
    measured = average_precision(truth, reference_runs[run]).stats[:6]
    assert [100 * value for value in measured] == pytest.approx(GOLDEN[run], abs=0.05)
