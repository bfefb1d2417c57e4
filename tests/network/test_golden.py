"""The judge: what the original Darknet computed with the same weights and input, for every golden case."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from golden.rule import CASES, GRIDS
from numpy.typing import NDArray
from torch import Tensor, fx

from cspbench.network.layers import Softmax, Yolo
from cspbench.network.module import BATCH_NORM_EPS, to_module
from cspbench.network.network import Network
from cspbench.zoo.registry import model

# Today's Darknet refuses shortcuts of unequal size; these ran in the original engine.
ORIGINAL_ENGINE = frozenset({"resnet10", "resnet50", "resnext50"})
HEADER = 20
Array = NDArray[np.float32]


def load(network: Network, module: fx.GraphModule, data: bytes, original_engine: bool) -> None:
    """Put a weight file into the module: the network's arrays in their order, and nothing left over."""
    values = torch.frombuffer(bytearray(data), dtype=torch.float32, offset=HEADER)
    arrays = module.state_dict()
    at = 0
    for index in range(len(network.layers)):
        stored = network.weights(index)
        normalized = any(weight.role == "scale" for weight in stored)
        for weight in stored:
            value = values[at : at + weight.size].view(weight.shape)
            at += weight.size
            if weight.role == "variance" and original_engine:
                # (x - mean) / (sqrt(var) + 1e-6), in terms of a variance that an epsilon is added to
                value = ((value.double().sqrt() + 1e-6) ** 2 - BATCH_NORM_EPS).float()
            path = {
                "bias": "bn.bias" if normalized else "conv.bias",
                "scale": "bn.weight",
                "mean": "bn.running_mean",
                "variance": "bn.running_var",
                "weight": "conv.weight",
            }[weight.role]
            arrays[f"layers.{index}.{path}"].copy_(value)
    assert at == len(values)


def deviation(found: Tensor, reference: Array) -> Array:
    """Absolute difference of every value in units of the reference's largest."""
    assert found.numel() == reference.size
    difference: Array = np.abs(found.numpy().reshape(reference.shape) - reference) / np.abs(reference).max()
    return difference


def assert_map(found: Tensor, reference: Array) -> None:
    """Single values' rounding is blown up by random weights (float32 against float64 differs as much); most stay."""
    off = deviation(found, reference)
    assert off.max() < 5e-3
    assert np.median(off) < 3e-4


def as_darknet_keeps_it(x: Tensor, layer: Yolo) -> Tensor:
    """A [yolo] layer's own output (spec c.1): logistic everywhere but on w and h, then scale_x_y on x and y."""
    planes = torch.unflatten(x, 0, (layer.used, layer.per_anchor + layer.classes)).clone()
    planes[:, 4:] = planes[:, 4:].sigmoid()
    planes[:, :2] = planes[:, :2].sigmoid() * layer.scale_x_y - (layer.scale_x_y - 1) / 2
    return planes.flatten(0, 1)


@pytest.mark.parametrize("name", CASES)
def test_forward_is_darknets(name: str, golden: ModuleType, references: Path) -> None:
    case = golden.load(name)
    _, height, width = (int(side) for side in case["input_shape"])
    network = model(name).build().resized(height, width)
    softmax = [index for index, layer in enumerate(network.layers) if isinstance(layer, Softmax)]
    outputs = [softmax[-1] - 1, softmax[-1]] if softmax else list(network.detections)
    module = to_module(network, outputs)
    load(network, module, golden.weights(name), name in ORIGINAL_ENGINE)
    with torch.inference_mode():
        result = module(torch.from_numpy(golden.input_tensor(name)))
    if softmax:
        logits, scores = result
        assert deviation(logits, case["logits"]).max() < 3e-4
        assert deviation(scores, case["softmax"]).max() < 3e-4
        return
    whole = references / "golden" / "forward" / f"{name}.npz"
    in_full = np.load(whole) if whole.is_file() else {}
    assert [f"yolo_{index}" for index in outputs] == list(GRIDS)
    for index, head in zip(outputs, result, strict=True):
        layer = network.layers[index]
        assert isinstance(layer, Yolo)
        kept = as_darknet_keeps_it(head[0], layer)
        key = f"yolo_{index}"
        step = GRIDS[key]
        assert_map(kept[:, ::step, ::step], case[key])
        if step > 1:
            assert_map(kept.double().sum((1, 2)), case[f"{key}_sums"])
        if key in in_full:
            assert_map(kept, in_full[key])
