"""The number by which the best weights of a training are chosen."""

from __future__ import annotations

from pathlib import Path

from cspbench.evaluation.coco import DetectionResult, evaluate_coco
from cspbench.evaluation.imagenet import ClassificationResult, evaluate_imagenet
from cspbench.sample import classification, detection
from cspbench.training.evaluated import figure
from cspbench.weights.catalogue import shipped


def test_a_detectors_figure_is_its_ap50(tmp_path: Path) -> None:
    detection.write(tmp_path / "coco", 4)
    name = "sample-csp-detector"
    result = evaluate_coco(name, tmp_path / "coco", weights=shipped(name), store=tmp_path / "runs")
    assert isinstance(result, DetectionResult)
    ap = result.metrics.thresholds[0].ap
    assert figure(result) == float(ap["ap50"] or 0) != float(ap["ap"] or 0)
    assert figure(result) > 30


def test_a_classifiers_figure_is_its_share_of_right_images(tmp_path: Path) -> None:
    classification.write(tmp_path / "val", 16)
    name = "sample-csp-classifier"
    result = evaluate_imagenet(name, tmp_path, weights=shipped(name), store=tmp_path / "runs")
    assert isinstance(result, ClassificationResult)
    assert figure(result) == result.metrics.top1.correct / 16 > 0.5
