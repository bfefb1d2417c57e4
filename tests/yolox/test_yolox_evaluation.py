"""YOLOX through an evaluation: the published nets on photographs, and a small drawn one for everything else."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import coco_sets
import numpy as np
import pytest
import torch
from refusals import refuses
from safetensors.torch import load_file, save_file

import cspbench
from cspbench.data.coco.source import open_coco
from cspbench.detection.ap.average_precision import average_precision
from cspbench.detection.ap.matching import Detections
from cspbench.evaluation.coco import DetectionResult, evaluate_coco
from cspbench.evaluation.score import score
from cspbench.evaluation.selection import of_models
from cspbench.evaluation.subject import default_preset
from cspbench.inference.description import describe
from cspbench.network.modular.network import ModuleNetwork
from cspbench.zoo.yolox.designs import YoloxDesign

WEIGHTS = ("weights/yolox-nano.safetensors", "weights/yolox-nano-legacy.safetensors")
REFERENCES = (*WEIGHTS, "data/coco-mini", "golden/yolox")
SMALL = ModuleNetwork("small", (3, 64, 64), YoloxDesign(channels=16, depth=1, separable=True), "yolox")
STATS = ("ap", "ap50", "ap75", "aps", "apm", "apl", "ar1", "ar10", "ar100", "ars", "arm", "arl")


def evaluated(*arguments: Any, **options: Any) -> DetectionResult:
    result = evaluate_coco(*arguments, **options)
    assert result is not None
    return result


def ap_of(result: DetectionResult) -> list[float]:
    (threshold,) = result.metrics.thresholds
    return [float(value) for name in STATS if (value := threshold.ap[name]) is not None]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A file of drawn arrays."""
    torch.manual_seed(3)
    module = SMALL.design.module()
    with torch.no_grad():
        for name, array in module.named_parameters():
            if "obj_preds" in name and name.endswith("bias"):
                array.fill_(1)  # so that many boxes are above the threshold
    path = tmp_path / "small.safetensors"
    save_file(module.state_dict(), path)
    return path


@pytest.mark.reference(*REFERENCES)
def test_the_published_nano_on_photographs(shared: Path, tmp_path: Path) -> None:
    """AP as the original's to .02 points, boxes to .05 pixels and scores to 1e-4 but for a few near the threshold."""
    result = evaluated("yolox-nano", shared / "data" / "coco-mini", weights=shared / WEIGHTS[0], store=tmp_path)
    record = result.run.record
    assert record.settings is not None
    assert (record.settings.name, record.settings.conf, record.settings.nms) == ("yolox", 0.001, 0.65)
    expected = json.loads((shared / "golden" / "yolox" / "yolox-nano.coco-mini.stats.json").read_text("utf-8"))
    np.testing.assert_allclose(ap_of(result), expected["results"]["conf .001, nms .65"], rtol=0, atol=0.02)
    stored = gzip.decompress((shared / "golden" / "yolox" / "yolox-nano.coco-mini.json.gz").read_bytes())
    theirs: dict[tuple[int, int], list[list[float]]] = defaultdict(list)
    for each in json.loads(stored):
        theirs[each["image_id"], each["category_id"]].append([*each["bbox"], each["score"]])
    found: Detections = result.at[0].detections
    alike = 0
    for image, category, box, own in zip(*found, strict=True):
        rows = np.array(theirs[int(image), int(category)]).reshape(-1, 5)
        near = (np.abs(rows[:, :4] - box) <= 0.05).all(1) & (np.abs(rows[:, 4] - own) <= 1e-4)
        alike += bool(near.any())
    assert len(found.scores) == pytest.approx(sum(map(len, theirs.values())), rel=1e-3)
    assert alike > 0.999 * len(found.scores)


@pytest.mark.reference(*REFERENCES)
def test_the_preset_must_follow_the_weights(shared: Path, tmp_path: Path) -> None:
    """The first net with the later pixels, here on eight of the photographs; on all of them it has an AP of 0.001."""
    data, file = shared / "data" / "coco-mini", shared / WEIGHTS[1]
    right = evaluated("yolox-nano-legacy", data, weights=file, store=tmp_path)
    wrong = evaluated("yolox-nano-legacy", data, weights=file, store=tmp_path, limit="8", preset="yolox")
    assert right.run.record.settings is not None
    assert right.run.record.settings.name == "yolox-legacy"
    np.testing.assert_allclose(ap_of(right)[:6], [31.162, 48.717, 32.852, 12.163, 32.894, 47.188], rtol=0, atol=0.02)
    assert ap_of(wrong)[0] < 0.1
    assert right.run.path != wrong.run.path


@pytest.mark.parametrize("preset", ["yolox", "yolox-legacy", "mmdet"])
def test_a_drawn_net_under_every_preset(tmp_path: Path, small: Path, preset: str) -> None:
    data = coco_sets.write(tmp_path / "coco")
    result = evaluated(SMALL, data, weights=small, store=tmp_path / "runs", preset=preset)
    found: Detections = result.at[0].detections
    assert len(found.scores) > 100
    # boxes may leave the image, and nothing is rounded
    assert (found.boxes[:, 0] < 0).any()
    assert (np.rint(found.boxes * 1e6) / 1e6 != found.boxes).any()
    truth = open_coco(data).ground_truth
    assert truth is not None
    expected = average_precision(truth, found, most=1000 if preset == "mmdet" else 100).percent()
    assert result.metrics.thresholds[0].ap == expected
    # without the network, from what is stored, the same
    again = score(result.run.path)
    assert isinstance(again, DetectionResult)
    for left, right in zip(found, again.at[0].detections, strict=True):
        np.testing.assert_array_equal(left, right)
    assert again.metrics.thresholds[0].ap == expected
    record = result.run.record
    assert record.settings is not None
    assert record.settings.fields.get("most", 100) == (1000 if preset == "mmdet" else 100)
    assert record.identity.preset["resize"] == ("mmdet" if preset == "mmdet" else "yolox")
    assert record.identity.preset.get("normalised", False) is (preset == "yolox-legacy")


def test_presets_and_heads_that_do_not_fit(tmp_path: Path, small: Path) -> None:
    data = coco_sets.write(tmp_path / "coco")
    with refuses("usage.preset-of-other-heads", expected="yolox, yolox-legacy, yolox-nms-free, mmdet", found="readme"):
        evaluate_coco(SMALL, data, weights=small, preset="readme", store=tmp_path)
    with refuses("usage.preset-of-other-heads", found="mmdet"):
        evaluate_coco("sample-csp-detector", data, preset="mmdet", store=tmp_path)
    with refuses("usage.other-task"):
        of_models(["cspdarknet-nano"], small, "coco")


def test_the_preset_is_by_default_that_of_the_weights() -> None:
    assert default_preset("yolox-s") == "yolox"
    assert default_preset("yolox-s-legacy") == "yolox-legacy"
    assert default_preset("yolov3-tiny") == "readme"
    assert default_preset(replace(SMALL, preset=None)) == "readme"
    module = cspbench.create_model("yolox-nano-legacy")
    assert default_preset(module) == "yolox-legacy"
    with refuses("usage.module-without-description"):
        default_preset(torch.nn.ReLU())  # type: ignore[arg-type]


def test_a_module_is_evaluated_like_its_file(tmp_path: Path, small: Path) -> None:
    data = coco_sets.write(tmp_path / "coco")
    module: Any = SMALL.design.module().eval()
    module.load_state_dict(load_file(small))
    module.description = describe(SMALL)
    one = evaluated(module, data, store=tmp_path / "a")
    other = evaluated(SMALL, data, weights=small, store=tmp_path / "b")
    for left, right in zip(one.at[0].detections, other.at[0].detections, strict=True):
        np.testing.assert_array_equal(left, right)
