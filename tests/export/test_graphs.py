"""Graphs in files give what the evaluation computes."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from refusals import refuses

import cspbench
from cspbench.data.detection_presets import detection_preset
from cspbench.detection.detections import clipped
from cspbench.detection.detector import detector_of
from cspbench.evaluation.subject import Subject, subject_of
from cspbench.export import writing
from cspbench.export.check import TOLERANCE, Difference, Values, differences
from cspbench.inference.engine import prepare
from cspbench.network import cfg
from cspbench.sample.canvas import jpeg
from cspbench.sample.detection import CATEGORIES, draw
from cspbench.weights.catalogue import shipped
from cspbench.zoo.registry import model

DETECTOR, CLASSIFIER = "sample-csp-detector", "sample-csp-classifier"


def session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def assert_the_evaluations(path: Path, subject: Subject, seeds: range) -> int:
    """The file's detections, in pixels of each picture and clipped, are the evaluation's; returns how many."""
    detector = detector_of(subject.description, detection_preset("readme"))
    engine, run, total = prepare(subject.build(detector.epsilon), torch.device("cpu")), session(path), 0
    for seed in seeds:
        pixels, extent = detector.load(jpeg(draw(seed)[0]), "picture")
        (result,) = detector.candidates(
            [each.numpy() for each in engine(torch.from_numpy(pixels)[None])], [extent], ["-"]
        )
        result = detector.suppress(result)
        boxes, scores, classes, image = run.run(None, {"images": pixels[None]})
        assert not image.any()
        order = np.lexsort((-result.score, result.category))
        assert classes.tolist() == result.category[order].tolist()
        np.testing.assert_allclose(scores, result.score[order], rtol=1e-4, atol=1e-6)
        ratio = np.array([extent[0] / subject.size[1], extent[1] / subject.size[0]] * 2)
        corners = np.clip(boxes * ratio, 0, [*extent, *extent])
        left, top, width, height = clipped(result.boxes, extent)[result.box[order]].T
        inside = (width > 0) & (height > 0)
        theirs = np.stack((left, top, left + width, top + height), 1)
        np.testing.assert_allclose(corners[inside], theirs[inside], atol=2e-3)
        total += len(order)
    return total


def test_detections_are_the_evaluations(tmp_path: Path) -> None:
    exported = cspbench.export_model(DETECTOR, tmp_path / "a.onnx", nms=True)
    assert exported.metadata["preset"] == "readme"
    assert_the_evaluations(tmp_path / "a.onnx", subject_of(DETECTOR), range(3, 6))


def test_any_batch_and_size(tmp_path: Path) -> None:
    exported = cspbench.export_model(DETECTOR, tmp_path / "a.onnx", decode=True, dynamic=True, check=True)
    shapes = {(difference.input, difference.output): difference.shape for difference in exported.differences}
    assert shapes == {
        ((1, 3, 224, 224), "boxes"): (1, 2940, 4),
        ((1, 3, 224, 224), "scores"): (1, 2940, 10),
        ((2, 3, 224, 224), "boxes"): (2, 2940, 4),
        ((2, 3, 224, 224), "scores"): (2, 2940, 10),
        ((1, 3, 288, 256), "boxes"): (1, 4320, 4),
        ((1, 3, 288, 256), "scores"): (1, 4320, 10),
    }
    assert exported.passed
    assert all(0 <= each.relative <= TOLERANCE and each.largest > 0.5 for each in exported.differences)
    names = [axis.dim_param for axis in onnx.load(tmp_path / "a.onnx").graph.input[0].type.tensor_type.shape.dim]
    assert names == ["batch", "", "height", "width"]


def test_what_a_file_says_of_itself(tmp_path: Path) -> None:
    subject = subject_of(DETECTOR)
    cspbench.export_model(DETECTOR, tmp_path / "a.onnx", nms=True, preset="letterbox", conf=0.25)
    result = {entry.key: entry.value for entry in onnx.load(tmp_path / "a.onnx").metadata_props}
    settings = json.loads(result.pop("preset_settings"))
    assert (settings["name"], settings["conf"], settings["letterbox"]) == ("letterbox", 0.25, True)
    assert json.loads(result.pop("classes")) == list(CATEGORIES.values())
    assert result == {
        "model": DETECTOR,
        "program": f"cspbench {cspbench.__version__}",
        "preset": "letterbox",
        "input": "images 1 x 3 x 224 x 224, RGB, 0 to 1",
        "output_boxes": result["output_boxes"],
        "output_scores": result["output_scores"],
        "output_classes": result["output_classes"],
        "output_image": result["output_image"],
        "network_digest": subject.network_digest,
        "weights_digest": subject.weights_digest,
    }
    assert result["output_boxes"].startswith("detections x 4: ")


@pytest.mark.parametrize("form", ["onnx", "pt2", "torchscript"])
def test_a_classifier_in_every_graph_format(form: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exported = cspbench.export_model(CLASSIFIER, tmp_path / "file", form, check=True, dynamic=form == "onnx")
    assert {(difference.output, difference.shape[1:]) for difference in exported.differences} == {
        ("probabilities", (16,))
    }
    assert exported.passed
    assert max(each.largest for each in exported.differences) > 2 / 16
    assert len(json.loads(exported.metadata["classes"])) == 16


def test_torchs_formats_have_the_metadata(tmp_path: Path) -> None:
    exported = cspbench.export_model(CLASSIFIER, tmp_path / "a.torchscript")
    extra = {writing.RECORD: ""}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.load(str(tmp_path / "a.torchscript"), _extra_files=extra)  # type: ignore[no-untyped-call]
    assert json.loads(extra[writing.RECORD]) == exported.metadata


def test_a_module_of_ones_own(tmp_path: Path) -> None:
    own = cspbench.create_model(DETECTOR, shipped(DETECTOR))
    before = {name: value.clone() for name, value in own.state_dict().items()}
    exported = cspbench.export_model(own, tmp_path / "a.onnx", nms=True, check=True)
    assert exported.passed
    assert all(torch.equal(value, before[name]) for name, value in own.state_dict().items())
    assert before.keys() == own.state_dict().keys()
    with refuses("usage.not-a-layer-list"):
        cspbench.export_model(own, tmp_path / "a.weights")


def test_a_difference_by_hand() -> None:
    expected: dict[str, Values] = {
        "a": np.array([1.0, -4.0], np.float32),
        "b": np.zeros(2, np.float32),
        "c": np.zeros(3, np.int64),
    }
    result: list[Values] = [np.array([1.0, -4.5], np.float32), np.zeros(2, np.float32), np.zeros(2, np.int64)]
    assert [
        (difference.output, difference.largest, difference.absolute, difference.relative, difference.passed)
        for difference in differences((1,), expected, result)
    ] == [
        ("a", 4.0, 0.5, 0.125, False),
        ("b", 0.0, 0.0, 0.0, True),
        ("c", 0.0, float("inf"), float("inf"), False),
    ]
    assert Difference((1,), "a", (1,), 2.0, 2e-4).passed
    (nan,) = differences((1,), {"a": np.zeros(1, np.float32)}, [np.full(1, np.nan, np.float32)])
    assert not nan.passed


def test_what_a_graph_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "a.onnx"
    for code, name, form, options in (
        ("usage.not-decoded", CLASSIFIER, "onnx", {"decode": True}),
        ("usage.detector-options", CLASSIFIER, "onnx", {"conf": 0.1}),
        ("usage.unknown-preset", DETECTOR, "onnx", {"preset": "timm"}),
        ("usage.nms-in-graph", DETECTOR, "pt2", {"nms": True}),
        ("usage.not-a-graph-option", DETECTOR, "safetensors", {"dynamic": True}),
        ("usage.unknown-format", DETECTOR, "tflite", {}),
        ("usage.unknown-model", "nothing", "onnx", {}),
    ):
        with refuses(code):
            cspbench.export_model(name, out, form, **options)
    with refuses("usage.unknown-suffix", found=".xyz"):
        cspbench.export_model(DETECTOR, tmp_path / "a.xyz")
    monkeypatch.setattr(writing, "find_spec", lambda package: None if package == "onnxruntime" else object())
    with refuses("usage.no-onnx", remedy="pip install 'cspbench[export]'"):
        cspbench.export_model(DETECTOR, out, check=True)
    assert not list(tmp_path.iterdir())


def test_kinds_of_nms_that_the_operator_lacks(tmp_path: Path) -> None:
    path = tmp_path / "own.cfg"
    cspbench.export_model(DETECTOR, path)
    path.write_text(path.read_text().replace("[yolo]", "[yolo]\nnms_kind=diounms"))
    network, weights = cfg.read(path).network, Path(cspbench.__file__).parent / f"sample/{DETECTOR}.weights"
    with refuses("usage.nms-in-graph"):
        cspbench.export_model(network, tmp_path / "a.onnx", weights=weights, nms=True, preset="head")
    assert cspbench.export_model(network, tmp_path / "a.onnx", weights=weights, decode=True, preset="head").passed


def test_networks_that_suppress_boxes_themselves(tmp_path: Path) -> None:
    from weight_files import random_arrays

    from cspbench.weights import darknet

    network = model("snet49-thundernet").build()
    darknet.write(tmp_path / "a.weights", network, random_arrays(network))
    with refuses("usage.not-a-graph"):
        cspbench.export_model(network, tmp_path / "a.onnx", weights=tmp_path / "a.weights")


def test_means_at_a_border(tmp_path: Path) -> None:
    """A [local_avgpool] whose last window exceeds the map on one side only."""
    from weight_files import random_arrays

    from cspbench.network.layers import LocalAvgPool
    from cspbench.network.network import Network
    from cspbench.weights import darknet

    network = Network("means", (3, 19, 19), (LocalAvgPool(sources=(-1,), size=2, stride=2, padding=1),))
    darknet.write(tmp_path / "a.weights", network, random_arrays(network))
    exported = cspbench.export_model(network, tmp_path / "a.onnx", weights=tmp_path / "a.weights", check=True)
    assert [(difference.shape, difference.passed) for difference in exported.differences] == [((1, 3, 10, 10), True)]


@pytest.mark.reference("weights/tiny.weights")
def test_a_trained_classifier(shared: Path, tmp_path: Path) -> None:
    network = cfg.read(shared / "weights/tiny.cfg").network
    exported = cspbench.export_model(
        network, tmp_path / "a.onnx", weights=shared / "weights/tiny.weights", check=True, dynamic=True
    )
    assert [difference.passed for difference in exported.differences] == [True] * 3


@pytest.mark.reference("weights/yolo-fastest-1.1.weights")
def test_a_trained_detector(shared: Path, tmp_path: Path) -> None:
    network = cfg.read(shared / "weights/yolo-fastest-1.1.cfg").network
    file = shared / "weights/yolo-fastest-1.1.weights"
    out = tmp_path / "a.onnx"
    for decode, nms in ((False, False), (True, False), (False, True)):
        exported = cspbench.export_model(network, out, weights=file, decode=decode, nms=nms, check=True, force=True)
        assert exported.passed
    assert assert_the_evaluations(tmp_path / "a.onnx", subject_of(network, file), range(3, 6)) > 60
