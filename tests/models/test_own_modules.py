"""`create_model` of networks that are torch modules of their own."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from refusals import refuses
from torch import nn

import cspbench
from cspbench.models.create import create_model, list_models
from cspbench.network.modular.network import ModuleNetwork
from cspbench.zoo.registry import MODELS

NANO, CLASSIFIER = "yolox-nano", "cspdarknet-nano"


def test_a_detector_says_what_it_is() -> None:
    module = create_model(NANO)
    assert module.training
    assert (module.meta.name, module.meta.input_size) == (NANO, (3, 416, 416))
    assert (module.preset, module.strides, module.definition) == ("yolox", [8, 16, 32], "paper")
    assert module.meta.class_names[0] == "person"
    assert len(module.meta.class_names) == 80
    assert module.description.input == (3, 416, 416)
    with torch.inference_mode():
        assert module.eval()(torch.zeros(1, 3, 32, 64)).shape == (1, 8 * 4 + 4 * 2 + 2, 85)


def test_a_classifier_can_be_evaluated_as_a_module() -> None:
    module = create_model(CLASSIFIER)
    assert (module.description.input, module.description.classes) == ((3, 224, 224), "sorted")
    assert module.meta.class_names[0].startswith("tench")
    with torch.inference_mode():
        assert module.eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 1000)


def test_weights_of_a_file_and_another_head(tmp_path: Path) -> None:
    torch.manual_seed(1)
    trained = create_model(NANO)
    torch.save({"model": trained.state_dict()}, tmp_path / "net.pth")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same = create_model(NANO, weights=tmp_path / "net.pth")
    assert not same.training
    assert all(torch.equal(array, trained.state_dict()[key]) for key, array in same.state_dict().items())
    assert {part.eps for part in same.modules() if isinstance(part, nn.BatchNorm2d)} == {1e-3}
    with pytest.warns(UserWarning, match=r"head.cls_preds.0 and 2 more"):
        other = create_model(NANO, weights=tmp_path / "net.pth", num_classes=3)
    assert other.meta.class_names == ()
    differing = {key for key, array in other.state_dict().items() if array.shape != trained.state_dict()[key].shape}
    assert differing == {f"head.cls_preds.{k}.{role}" for k in range(3) for role in ("weight", "bias")}
    assert torch.equal(other.state_dict()["head.stems.0.conv.weight"], trained.state_dict()["head.stems.0.conv.weight"])
    torch.save(other.state_dict(), tmp_path / "three.pth")
    again = create_model(NANO, weights=tmp_path / "three.pth", num_classes=3)
    assert all(torch.equal(array, other.state_dict()[key]) for key, array in again.state_dict().items())


def test_another_rule_for_batch_norm(tmp_path: Path) -> None:
    torch.save(create_model(CLASSIFIER).state_dict(), tmp_path / "net.pth")
    module = create_model(CLASSIFIER, weights=tmp_path / "net.pth", epsilon="inside-1e-5")
    assert {part.eps for part in module.modules() if isinstance(part, nn.BatchNorm2d)} == {1e-5}


def test_what_such_a_module_cannot_do() -> None:
    with refuses("usage.no-features"):
        create_model(NANO, features_only=True)
    with refuses("weights.not-there"):
        create_model(NANO, weights="published")


def test_they_are_listed_by_their_task() -> None:
    assert NANO in list_models(task="coco")
    assert NANO not in list_models(task="imagenet")
    assert CLASSIFIER in list_models("cspdarknet-*", task="imagenet")


def test_an_architecture_of_ones_own() -> None:
    network = MODELS[NANO].architecture()
    assert isinstance(network, ModuleNetwork)
    assert create_model(network.resized(64, 64)).meta.input_size == (3, 64, 64)
    assert cspbench.count(network).total("mac") == 522_553_408
    assert cspbench.count(NANO, (32, 32)).total("mac") == 522_553_408 // 169
