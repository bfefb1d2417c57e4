"""What is predicted for a picture is what an evaluation stores for it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from cspbench.evaluation.coco import evaluate_coco
from cspbench.evaluation.execution import Execution
from cspbench.evaluation.imagenet import evaluate_imagenet
from cspbench.network import cfg
from cspbench.prediction.predict import predict
from cspbench.prediction.predictions import coco_ids
from cspbench.sample import classification, detection

HOW = Execution(workers=0)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five pictures with objects, in COCO's layout."""
    folder = tmp_path_factory.mktemp("shapes")
    detection.write(folder, 5)
    return folder


@pytest.fixture(scope="module")
def textures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five pictures of one object each, in ImageNet's layout."""
    folder = tmp_path_factory.mktemp("textures")
    classification.write(folder, 5)
    return folder


def as_rows(detections: Any) -> list[tuple[Any, ...]]:
    """Detections as (image, category, box, score), in any order."""
    columns = (detections.image_ids, detections.category_ids, detections.boxes, detections.scores)
    image, category, box, score = (column.tolist() for column in columns)
    return sorted(zip(image, category, map(tuple, box), score, strict=True))


def predicted(model: Any, images: Any, **options: Any) -> list[tuple[Any, ...]]:
    """The same of predictions."""
    results: Any = predict(model, images, **options)
    ids = coco_ids([result.image for result in results])
    return sorted(
        (key, box.category_id, box.bbox, box.score)
        for key, result in zip(ids, results, strict=True)
        for box in result.boxes
    )


@pytest.mark.parametrize(
    "options", [{}, {"preset": "head"}, {"preset": "letterbox"}, {"nms": 0.6, "nms_kind": "diou"}, {"size": (160, 192)}]
)
def test_boxes_are_those_of_an_evaluation(shapes: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    nms = {"nms": (options["nms"],)} if "nms" in options else {}
    result = evaluate_coco(
        "sample-csp-detector", shapes, **{**options, **nms, "conf": 0.02}, store=tmp_path, execution=HOW
    )
    assert result is not None
    evaluated = as_rows(result.at[0].detections)
    assert len(evaluated) > 20
    assert predicted("sample-csp-detector", shapes / "val2017", conf=0.02, **options) == evaluated


def test_pictures_alone_and_together(shapes: Path) -> None:
    files = sorted((shapes / "val2017").iterdir())
    together = predicted("sample-csp-detector", files, batch=3)
    assert [row for file in files for row in predicted("sample-csp-detector", file)] == together


def test_by_default_boxes_above_a_quarter(shapes: Path) -> None:
    every = predicted("sample-csp-detector", shapes / "val2017", conf=0.01)
    assert predicted("sample-csp-detector", shapes / "val2017") == [row for row in every if row[3] > 0.25]


@pytest.mark.parametrize("options", [{}, {"preset": "pjreddie"}, {"preset": "timm"}, {"decoder": "stb"}])
def test_classes_are_those_of_an_evaluation(textures: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    result = evaluate_imagenet("sample-csp-classifier", textures, **options, store=tmp_path, execution=HOW)
    assert result is not None
    stored = result.run.shards.read(0)
    results: Any = predict("sample-csp-classifier", str(textures / "*" / "*.JPEG"), **options)
    assert [result.image for result in results] == [str(textures / key) for key in stored["key"].tolist()]
    assert [[each.label for each in result.top] for result in results] == stored["classes"].tolist()
    assert [[each.score for each in result.top] for result in results] == stored["probability"].tolist()
    assert all(result.pred_scores.sum() == pytest.approx(1) for result in results)


@pytest.mark.reference("cases/grey-input", "cases/letter-box", "cases/own-detector")
@pytest.mark.parametrize("kind", ["grey-input", "letter-box"])
def test_grey_images_and_letterboxes(shared: Path, tmp_path: Path, kind: str) -> None:
    """Under the preset that heeds [net] letter_box."""
    network = cfg.read(shared / "cases" / kind / "net.cfg").network
    weights = shared / "cases" / ("grey-input/net.weights" if kind == "grey-input" else "own-detector/own3.weights")
    (tmp_path / "images").mkdir()
    for number, file in enumerate(sorted((shared / "cases/own-detector/images").iterdir()), 1):
        shutil.copy(file, tmp_path / "images" / f"{number:012}.jpg")
    data = Path(shutil.copy(shared / "cases/letter-box/instances_own.json", tmp_path))
    options: dict[str, Any] = {"weights": weights, "preset": "head"}
    result = evaluate_coco(network, data, **options, store=tmp_path / "runs", execution=HOW)
    assert result is not None
    rows = predicted(network, tmp_path / "images", **options, conf=0.001)
    assert len(rows) > 100
    assert rows == as_rows(result.at[0].detections)
