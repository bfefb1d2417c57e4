"""What `detector map` sees of a run: relative boxes, its own threshold and NMS, and objects in classes from 0."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from refusals import refuses

from cspbench.data.coco.annotations import Annotations, GroundTruth, Picture
from cspbench.data.coco.source import CocoSource
from cspbench.detection.candidates import Candidates, pack
from cspbench.detection.map_of_run import map_detections, objects_of, relative_to
from cspbench.inference.shards import Shards
from cspbench.network.layers import Yolo


def candidates(boxes: list[list[float]], rows: list[tuple[int, int, float]]) -> Candidates:
    box, category, score = zip(*rows, strict=True) if rows else ((), (), ())
    columns = np.array(box, np.int32), np.array(category, np.int16), np.array(score, np.float32)
    return Candidates(np.array(boxes, np.float32).reshape(-1, 4), *columns)


def run_of(path: Path, images: list[Candidates], extents: list[tuple[int, int]]) -> Shards:
    shards = Shards(path, len(images))
    about = {
        "index": np.arange(len(images)),
        "key": np.array([f"{number}.jpg" for number in range(len(images))]),
        "extent": np.array(extents, np.int32),
        "checksum": np.zeros(len(images), np.uint32),
        "ok": np.ones(len(images), np.bool_),
    }
    shards.write(0, about | pack(images))
    return shards


def last(kind: str) -> Yolo:
    return Yolo(sources=(-1,), anchors=((1.0, 1.0),), mask=(0,), classes=2, nms_kind=kind)


def test_scores_of_five_thousandths_are_left_out_and_boxes_are_relative() -> None:
    image = candidates([[50, 20, 10, 4]], [(0, 0, 0.005), (0, 1, 0.006)])
    relative = relative_to(image, (100, 40))
    np.testing.assert_allclose(relative.boxes, [[0.5, 0.5, 0.1, 0.1]])
    assert relative.category.tolist() == [1]


def test_nms_is_darknets_own_in_relative_units(tmp_path: Path) -> None:
    """Two boxes of IoU 1/2 side by side: IoU alone suppresses one, with greedynms the distance of the centres saves it.

    In parts of the image d2 / c2 = .1^2 / (.4^2 + .3^2) = .04, and .5 - .04^.6 < .45. In the pixels of this narrow
    image c2 would be 30^2, and .5 - .00001^.6 > .45.
    """
    images = [candidates([[0.5, 50, 0.3, 30], [0.6, 50, 0.3, 30]], [(0, 0, 0.9), (1, 0, 0.8)]), candidates([], [])]
    run = run_of(tmp_path, images, [(1, 100), (10, 10)])
    result = map_detections(run, 0.005, last("default"))
    assert (result.images.tolist(), result.classes.tolist()) == ([0], [0])
    result = map_detections(run, 0.001, last("greedynms"))
    np.testing.assert_allclose(result.scores, [0.9, 0.8])
    np.testing.assert_allclose(result.boxes, [[0.5, 0.5, 0.3, 0.3], [0.6, 0.5, 0.3, 0.3]], rtol=1e-6)
    with refuses("usage.map-needs-low-scores", found="0.25"):
        map_detections(run, 0.25, last("default"))


def test_the_order_within_an_image_is_that_of_the_last_class(tmp_path: Path) -> None:
    boxes = [[10.0, 10.0, 4.0, 4.0], [50.0, 10.0, 4.0, 4.0], [90.0, 10.0, 4.0, 4.0]]
    image = candidates(boxes, [(0, 0, 0.9), (0, 1, 0.1), (1, 1, 0.6), (2, 0, 0.3)])
    result = map_detections(run_of(tmp_path, [image], [(100, 20)]), 0.005, last("default"))
    assert result.classes.tolist() == [1, 0, 1, 0]
    np.testing.assert_allclose(result.scores, [0.6, 0.9, 0.1, 0.3])


def test_objects_are_in_the_order_of_images_and_crowds_are_difficult(tmp_path: Path) -> None:
    pictures = (Picture(3, "3.jpg", 100, 50), Picture(8, "8.jpg", 10, 10))
    boxes = np.array([[0, 0, 5, 10], [10, 0, 50, 25], [0, 0, 10, 10]], np.float64)
    columns = np.array([8, 3, 3]), np.array([7, 2, 7]), boxes, np.ones(3), np.array([False, False, True])
    truth = GroundTruth(np.array([3, 8]), {2: "b", 7: "a"}, *columns)
    source = CocoSource(
        Annotations(tmp_path / "a.json", pictures, truth.categories, truth, ()), pictures, tmp_path, "custom"
    )
    objects = objects_of(source, [7, 2])
    assert objects.images.tolist() == [0, 0, 1]
    assert objects.classes.tolist() == [1, 0, 0]
    assert objects.difficult.tolist() == [False, True, False]
    np.testing.assert_allclose(objects.boxes, [[0.35, 0.25, 0.5, 0.5], [0.05, 0.1, 0.1, 0.2], [0.25, 0.5, 0.5, 1]])
    empty = CocoSource(
        Annotations(tmp_path / "a.json", pictures, truth.categories, None, ()), pictures, tmp_path, "custom"
    )
    with refuses("usage.map-without-objects"):
        objects_of(empty, [7, 2])
