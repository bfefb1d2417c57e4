"""Own data in Darknet's form against the numbers of the original program."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cspbench.data.darknet.opening import open_detection_data
from cspbench.evaluation.coco import DetectionResult, evaluate_coco
from cspbench.evaluation.darknet_map import MapOptions
from cspbench.evaluation.imagenet import evaluate_imagenet
from cspbench.network.cfg import read

DETECTOR, CLASSIFIER = "cases/own-detector", "cases/own-classifier"
RIGHT = {"ap": 22.240, "ap50": 43.465, "ap75": 15.046}


@pytest.fixture
def own(shared: Path, tmp_path: Path) -> Path:
    """A copy of the detector's case, whose images are links that not every copy keeps."""
    folder = Path(shutil.copytree(shared / DETECTOR, tmp_path / "own", copy_function=shutil.copyfile))
    for path in (folder / "darknet", folder / "darknet" / "obj"):
        path.chmod(0o755)
    for image in (folder / "images").iterdir():
        shutil.copyfile(image, folder / "darknet" / "obj" / image.name)
    return folder


def evaluated(own: Path, data: str, **about: object) -> DetectionResult:
    network = read(own / "own3.cfg").network
    result = evaluate_coco(
        network,
        own / data,
        weights=own / "own3.weights",
        preset="head",
        store=own.parent / "runs",
        **about,  # type: ignore[arg-type]
    )
    assert result is not None
    return result


def assert_right(result: DetectionResult) -> None:
    ap = result.metrics.thresholds[0].ap
    assert {name: float(ap[name] or 0) for name in RIGHT} == pytest.approx(RIGHT, abs=0.01)


@pytest.mark.reference(DETECTOR)
def test_ap_and_map_are_the_original_programs(own: Path) -> None:
    """`detector map`: mAP@0.50 30.41 %; person 66.22 (TP 10, FP 9), car 25.00 (1, 1), dog 0.00 (0, 0)."""
    result = evaluated(own, "darknet/obj.data")
    assert_right(result)
    found = result.metrics.darknet_map
    assert found is not None
    assert round(100 * found.mean, 2) == 30.41
    assert [round(100 * of_class.ap, 2) for of_class in found.classes] == [66.22, 25.0, 0.0]
    assert [(each.counts.true, each.counts.false) for each in found.classes] == [(10, 9), (1, 1), (0, 0)]
    assert [round(value or 0, 2) for value in (found.total.precision, found.total.recall, found.total.f1)] == [
        0.52,
        0.61,
        0.56,
    ]
    points = evaluated(own, "darknet/valid.txt", darknet_map=MapOptions("coco101")).metrics.darknet_map
    assert points is not None
    assert round(100 * points.mean, 2) == 30.46


@pytest.mark.reference(DETECTOR)
@pytest.mark.parametrize(
    ("data", "names"),
    [
        ("darknet", None),
        ("darknet/obj", None),
        ("instances_own.json", None),
        ("instances_other_order.json", "darknet/obj.names"),
        ("_annotations.coco.json", None),
    ],
)
def test_every_form_of_the_same_objects_has_the_same_ap(own: Path, data: str, names: str | None) -> None:
    assert_right(evaluated(own, data, names=None if names is None else own / names))


@pytest.mark.reference(DETECTOR)
def test_classes_in_another_order_are_said(own: Path) -> None:
    """5.753 without names: what the order of the ids makes of it."""
    result = evaluated(own, "instances_other_order.json")
    assert float(result.metrics.thresholds[0].ap["ap"] or 0) == pytest.approx(5.753, abs=0.001)
    assert len(open_detection_data(own / "instances_other_order.json")) == 6


@pytest.mark.reference(CLASSIFIER)
def test_a_classifier_of_own_classes(shared: Path, tmp_path: Path) -> None:
    """`classifier valid`: top-1 0.333333, top-2 0.666667 of three images."""
    case = shared / CLASSIFIER
    network, store = read(case / "net.cfg").network, tmp_path / "runs"
    result = evaluate_imagenet(network, case / "darknet/own.data", weights=case / "net.weights", store=store)
    assert result is not None
    assert [(hits.correct, hits.total) for hits in result.metrics.top[:2]] == [(1, 3), (2, 3)]
    assert result.metrics.identity.data.top == 2
