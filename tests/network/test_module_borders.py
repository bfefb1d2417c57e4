"""Layers of the torch module on maps where a shortcut in the code would show: odd rests, maps of several pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from cspbench.network.layers import (
    Activation,
    BatchNorm,
    Connected,
    Convolution,
    Crop,
    GaussianYolo,
    Layer,
    MultiBox,
    Region,
    Softmax,
    Upsample,
    Yolo,
)
from cspbench.network.module import to_module
from cspbench.network.network import Network

LAST = (-1,)


def one(layer: Layer, x: torch.Tensor) -> NDArray[np.float32]:
    """What a single layer without arrays makes of one image (C, H, W)."""
    channels, height, width = x.shape
    with torch.no_grad():
        result: torch.Tensor = to_module(Network("net", (channels, height, width), (layer,)))(x[None])
    return result[0].numpy()


def ramp(*shape: int) -> torch.Tensor:
    return torch.arange(math.prod(shape), dtype=torch.float32).reshape(shape)


@pytest.mark.parametrize(
    ("height", "width", "top", "left"),
    [(5, 7, 0, 0), (4, 6, 0, 0), (3, 5, 1, 1), (2, 4, 1, 1), (1, 1, 2, 3), (5, 4, 0, 1), (2, 7, 1, 0)],
)
def test_of_an_odd_rest_a_crop_leaves_more_at_the_end(height: int, width: int, top: int, left: int) -> None:
    x = ramp(2, 5, 7)
    result = one(Crop(sources=LAST, height=height, width=width, noadjust=True), x)
    np.testing.assert_array_equal(result, x[:, top : top + height, left : left + width].numpy())


@pytest.mark.parametrize("groups", [1, 2, 3, 6, 12])
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_softmax_of_a_map_is_over_all_its_values(groups: int, temperature: float) -> None:
    """In the order of memory: channels, rows, columns; each group of equal parts sums to one."""
    x = ramp(2, 2, 3) / 10
    result = one(Softmax(sources=LAST, groups=groups, temperature=temperature), x).reshape(groups, -1)
    for part, values in zip(result, x.reshape(groups, -1).tolist(), strict=True):
        raised = [math.exp(value / temperature) for value in values]
        np.testing.assert_allclose(part, [each / sum(raised) for each in raised], rtol=1e-5)


def test_channels_are_normalised_pixel_by_pixel() -> None:
    """One pixel of large values takes nothing away from the others."""
    x = torch.tensor([[80.0, -80.0], [81.0, -79.0]])[:, None]
    raised = [1 / math.e, 1.0]
    expected = [each / (sum(raised) + 1e-4) for each in raised]
    result = one(Activation(sources=LAST, activation="normalize_channels_softmax_maxval"), x)
    for column in (0, 1):
        np.testing.assert_allclose(result[:, 0, column], expected, rtol=1e-5)
    x = torch.tensor([[3.0, 0.0, -1.0], [1.0, 0.0, 0.5]])[:, None]
    result = one(Activation(sources=LAST, activation="normalize_channels"), x)
    np.testing.assert_allclose(result[:, 0, 0], [3 / 4.0001, 1 / 4.0001], rtol=1e-6)
    np.testing.assert_array_equal(result[:, 0, 1], [0, 0])
    np.testing.assert_allclose(result[:, 0, 2], [0, 0.5 / 0.5001], rtol=1e-6)


def test_batch_norms_divide_and_learn_as_darknets() -> None:
    """sqrt(var + 1e-5), and a hundredth of each batch (spec d.3)."""
    layers = (
        Convolution(sources=LAST, filters=2),
        BatchNorm(sources=(0,)),
        Connected(sources=(1,), outputs=2, batch_normalize=True),
    )
    module = to_module(Network("net", (3, 4, 4), layers))
    norms = [each for each in module.modules() if isinstance(each, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert [(norm.eps, norm.momentum) for norm in norms] == [(1e-5, 0.01)] * 3
    assert not module.training


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("scale", [1.0, 0.5, 0.0])
def test_enlarged_maps_that_are_not_square(stride: int, scale: float) -> None:
    x = ramp(2, 2, 3)
    result = one(Upsample(sources=LAST, stride=stride, scale=scale), x)
    np.testing.assert_array_equal(result, scale * x.numpy().repeat(stride, 1).repeat(stride, 2))


def test_the_boxes_of_every_head_come_as_the_network_has_them() -> None:
    """By default each box layer is an output, in the network's order."""
    anchors = ((1.0, 2.0),)
    layers = (
        Yolo(sources=LAST, classes=5, anchors=anchors, mask=(0,)),
        GaussianYolo(sources=LAST, classes=1, anchors=anchors, mask=(0,)),
        Region(sources=LAST, classes=5, anchors=anchors),
        MultiBox(sources=LAST, classes=5, anchors=anchors),
    )
    x = ramp(1, 10, 2, 3)
    result = to_module(Network("net", (10, 2, 3), layers))(x)
    assert len(result) == 4
    assert all(torch.equal(each, x) for each in result)


def test_a_layer_that_no_output_needs_is_computed_all_the_same() -> None:
    """As in Darknet, so that its arrays have a place and its work is counted."""
    layers = (Convolution(sources=LAST, filters=2), Convolution(sources=LAST, filters=3), BatchNorm(sources=(0,)))
    module = to_module(Network("net", (3, 4, 4), layers), [0])
    called = {str(node.target) for node in module.graph.nodes if node.op == "call_module"}
    assert called >= {"layers.0.conv", "layers.1.conv", "layers.2.bn"}
