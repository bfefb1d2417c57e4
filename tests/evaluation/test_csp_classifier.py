"""A CSPDarknet classifier from a file of its training or of mmcls: evaluation, prediction, export."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import cspbench
from cspbench.data.presets import preset
from cspbench.evaluation.execution import Execution
from cspbench.evaluation.imagenet import evaluate_imagenet
from cspbench.evaluation.subject import subject_of
from cspbench.export.protocol import protocol_of
from cspbench.prediction.predictions import Classified
from cspbench.sample import classification
from cspbench.sample.classification import draw
from cspbench.speed.pipeline import Classes, pipeline_of
from cspbench.speed.subjects import of_models
from cspbench.zoo import registry
from cspbench.zoo.yolox.keys import to_mmdetection

HERE = Execution(workers=0, device="cpu", command=("cspbench", "train"))
NANO = "cspdarknet-nano"


def state(classes: int) -> dict[str, Tensor]:
    torch.manual_seed(3)
    network = registry.model(NANO).architecture()
    module = network.design.with_classes(classes).module()  # type: ignore[attr-defined]
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = 1
    with torch.no_grad():
        module(torch.randn(4, 3, 64, 64))  # for statistics without which nothing of an image arrives at the end
    return {name: array.contiguous() for name, array in module.state_dict().items()}


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    save_file(state(16), tmp_path / "ours.safetensors")
    return tmp_path / "ours.safetensors"


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """As mmcls writes it, with mmdetection's names in the backbone."""
    named = {to_mmdetection(name, detects=False): array for name, array in state(16).items()}
    assert "backbone.stage4.2.main_conv.conv.weight" in named
    torch.save({"meta": {"mmcls_version": "0.23.2"}, "state_dict": named}, tmp_path / "theirs.pth")
    return tmp_path / "theirs.pth"


def test_both_files_are_evaluated_alike(tmp_path: Path, ours: Path, theirs: Path) -> None:
    """By default under the preset mmcls, in the order of the sample's classes; their logits are the module's own."""
    classification.write(tmp_path / "set", 4)
    scores = []
    for file in (ours, theirs):
        result = evaluate_imagenet(NANO, tmp_path / "set", weights=file, size=(64, 64), store=tmp_path, execution=HERE)
        assert result is not None
        identity = result.run.record.identity
        assert (identity.model, identity.preset["name"]) == ("cspdarknet-nano-16-classes", "mmcls")
        assert (identity.classes, identity.preset["interpolation"]) == ("sample", "opencv")  # type: ignore[union-attr]
        scores.append(identity.weights)
    assert scores[0] == scores[1]
    module = cspbench.create_model(NANO, weights=theirs, num_classes=16)
    assert (module.preset, module.description.preset) == ("mmcls", "mmcls")
    pixels = draw(5, 1)
    own = torch.from_numpy(preset("mmcls").prepare(pixels, 224))[None]
    with torch.inference_mode():
        expected = module(own)[0].softmax(0)
    (predicted,) = cspbench.predict(NANO, pixels, weights=ours)
    assert isinstance(predicted, Classified)
    np.testing.assert_allclose(predicted.pred_scores, expected.numpy(), atol=1e-5)
    (other,) = cspbench.predict(NANO, pixels, weights=ours, preset="mmpretrain")
    assert isinstance(other, Classified)
    assert np.abs(other.pred_scores - predicted.pred_scores).max() > 1e-3


def test_presets_of_the_other_commands(ours: Path) -> None:
    subject = subject_of(NANO, ours)
    protocol = protocol_of(subject, None, None)
    assert (protocol.name, protocol.epsilon) == ("mmcls", "inside-1e-3")
    assert protocol_of(subject, "timm", None).name == "timm"
    pipeline = pipeline_of(of_models([registry.model(NANO)], None).subjects[0])
    assert isinstance(pipeline, Classes)
    assert pipeline.preset.name == "mmcls"


def test_backbone_of_a_trained_classifier(tmp_path: Path, shared: Path) -> None:
    """The names and shapes of mmdetection's own YOLOX-s, none missing and none left over."""
    classification.write(tmp_path / "set", 4)
    how = ["width=32", "height=32", "batch=4", "subdivisions=1"]
    weights = cspbench.train(
        "csp-darknet-s", tmp_path / "set", tmp_path / "run", settings=how, iterations=1, execution=HERE
    ).weights
    keys = json.loads((shared / "golden/yolox/keys-mmdet-yolox-s.json").read_text())
    golden = {key: shape for key, shape in keys if key.startswith("backbone.")}
    for form in ("mmdet-backbone", "yolox-backbone"):
        cspbench.export_model("cspdarknet-s", tmp_path / f"{form}.safetensors", form, weights=weights)
    written = {name: list(array.shape) for name, array in load_file(tmp_path / "mmdet-backbone.safetensors").items()}
    assert written == golden
    module = registry.model("yolox-s").architecture().design.module()  # type: ignore[attr-defined]
    own = {name for name in module.state_dict() if name.startswith("backbone.backbone.")}
    loaded = load_file(tmp_path / "yolox-backbone.safetensors")
    assert loaded.keys() == own
    assert module.load_state_dict(loaded, strict=False).unexpected_keys == []
    trained = load_file(weights)
    assert torch.equal(loaded["backbone.backbone.dark5.2.conv3.bn.weight"], trained["backbone.dark5.2.conv3.bn.weight"])
