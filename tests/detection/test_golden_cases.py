"""Golden cases as an evaluation goes: a file opened, loaded under the model's epsilon rule, folded, fused."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from cspbench.classification.classifiers import preset_of
from cspbench.inference.engine import prepare
from cspbench.network.epsilon import Epsilon
from cspbench.network.module import to_module
from cspbench.weights.loading import load
from cspbench.weights.opening import open_weights
from cspbench.zoo.registry import MODELS


# the other rules are off by 5e-5 for resnet10 and by 3e-3 for the others
@pytest.mark.parametrize(("name", "tolerance"), [("resnet10", 1e-5), ("csmobilenet-v2", 3e-4), ("enetb0", 3e-4)])
def test_what_is_evaluated_is_darknets(name: str, tolerance: float, golden: ModuleType, tmp_path: Path) -> None:
    case = golden.load(name)
    network = MODELS[name].build().resized(*map(int, case["input_shape"][1:]))
    (tmp_path / "net.weights").write_bytes(golden.weights(name))
    weights = open_weights(tmp_path / "net.weights", network)
    module = load(to_module(network), network, weights, Epsilon(preset_of(name).epsilon))
    (result,) = prepare(module, torch.device("cpu"))(torch.from_numpy(golden.input_tensor(name)))
    assert np.abs(result.numpy().ravel() - case["softmax"].ravel()).max() < tolerance * np.abs(case["softmax"]).max()


def test_the_epsilon_rule_is_of_the_preset_and_the_engine() -> None:
    original = {name for name in MODELS if preset_of(name, "readme").epsilon == "outside-1e-6"}
    assert original == {"resnet10", "resnet50", "resnext50"}
    assert preset_of("resnet50", "head").epsilon == "inside-1e-5"
    assert preset_of("resnet50", file=True).epsilon == "inside-1e-5"
    assert preset_of("csdarknet53", "pjreddie").epsilon == "outside-1e-6"
    assert preset_of("timm/cspdarknet53").name == "timm"
