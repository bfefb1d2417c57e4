"""The torch module against the specification: its test vectors, its formulas, and loops written from its words."""

from __future__ import annotations

import copy
import gc
import math
from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from random_networks import KINDS, fill, networks
from refusals import refuses
from torch import Tensor, fx

from cspbench.network.layers import (
    ACTIVATIONS,
    Activation,
    AvgPool,
    BatchNorm,
    Connected,
    Convolution,
    Crop,
    Dropout,
    GaussianYolo,
    Implicit,
    Layer,
    Local,
    LocalAvgPool,
    Loss,
    MaxPool,
    MaxPoolDepth,
    Region,
    Reorg,
    ResponseNorm,
    Route,
    Sam,
    ScaleChannels,
    Shape,
    Shortcut,
    Softmax,
    Upsample,
    Yolo,
)
from cspbench.network.module import fold_batch_norm, to_module
from cspbench.network.network import Network
from cspbench.zoo import registry

LAST = (-1,)
Array = NDArray[np.float32]


def build(shape: Shape, layers: Sequence[Layer], outputs: Sequence[int] | None = None) -> fx.GraphModule:
    """The module of these layers with the arrays that `fill` draws."""
    module = to_module(Network("net", shape, tuple(layers)), outputs)
    fill(module)
    return module


def run(module: fx.GraphModule, x: Tensor) -> list[Array]:
    """Every output for the first image, as numpy arrays."""
    with torch.no_grad():
        result = module(x)
    return [each[0].detach().numpy() for each in (result if isinstance(result, tuple) else (result,))]


def one(layer: Layer, x: Tensor) -> Array:
    """What a single layer makes of one image."""
    _, channels, height, width = x.shape
    (out,) = run(build((channels, height, width), [layer]), x)
    return out


def array(module: fx.GraphModule, path: str) -> Array:
    result: Array = module.state_dict()[path].numpy()
    return result


def ramp(*shape: int) -> Tensor:
    """0, 1, 2, ... in the order of memory."""
    return torch.arange(math.prod(shape), dtype=torch.float32).reshape(1, *shape)


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(1, *shape, generator=torch.Generator().manual_seed(seed))


def point(filters: int, activation: str = "linear") -> Convolution:
    return Convolution(sources=LAST, filters=filters, batch_normalize=False, activation=activation)


# --- convolution


def convolve(x: Array, weight: Array, stride: tuple[int, int], padding: int, groups: int, dilation: int) -> Array:
    """Cross-correlation by its definition; the size is computed as if there were no dilation."""
    _, height, width = x.shape
    filters, taken, size, _ = weight.shape
    rows = (height + 2 * padding - size) // stride[0] + 1
    columns = (width + 2 * padding - size) // stride[1] + 1
    out = np.zeros((filters, rows, columns), np.float32)
    for f, y, z in product(range(filters), range(rows), range(columns)):
        first = f // (filters // groups) * taken
        for c, i, j in product(range(taken), range(size), range(size)):
            row = y * stride[0] - padding * dilation + i * dilation
            column = z * stride[1] - padding * dilation + j * dilation
            if 0 <= row < height and 0 <= column < width:
                out[f, y, z] += weight[f, c, i, j] * x[first + c, row, column]
    return out


CONVOLUTIONS: dict[str, dict[str, object]] = {
    "plain": {"filters": 3, "size": 3, "padding": 1},
    "even": {"filters": 2, "size": 2, "padding": 1},
    "groups": {"filters": 6, "size": 3, "padding": 1, "groups": 2},
    "depthwise": {"filters": 4, "size": 3, "padding": 0, "groups": 4},
    "two strides": {"filters": 2, "size": 3, "padding": 1, "stride": (2, 1)},
    "dilation 2": {"filters": 2, "size": 3, "padding": 1, "dilation": 2},
    "dilation 3, stride 2": {"filters": 2, "size": 3, "padding": 1, "dilation": 3, "stride": (2, 2)},
    "point with padding": {"filters": 2, "size": 1, "padding": 1},
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolution_by_its_definition(name: str) -> None:
    layer = Convolution(sources=LAST, activation="linear", **CONVOLUTIONS[name])  # type: ignore[arg-type]
    x = noise(4, 5, 6)
    module = build((4, 5, 6), [layer])
    raw = convolve(
        x[0].numpy(), array(module, "layers.0.conv.weight"), layer.stride, layer.padding, layer.groups, layer.dilation
    )
    gamma, beta, mu, variance = (
        array(module, f"layers.0.bn.{role}")[:, None, None]
        for role in ("weight", "bias", "running_mean", "running_var")
    )
    expected = gamma * (raw - mu) / np.sqrt(variance + 1e-5) + beta
    np.testing.assert_allclose(run(module, x)[0], expected, rtol=1e-5, atol=1e-5)


def test_convolution_with_neither_batch_norm_nor_bias_adds_nothing() -> None:
    layer = Convolution(sources=LAST, filters=3, batch_normalize=False, bias=False, activation="linear")
    module = build((2, 3, 3), [layer])
    assert one(layer, torch.zeros(1, 2, 3, 3)).max() == 0
    assert [name for name, _ in module.named_parameters()] == ["layers.0.conv.weight"]


def test_convolution_without_batch_norm_adds_its_bias() -> None:
    module = build((2, 3, 3), [point(3)])
    x = noise(2, 3, 3)
    expected = np.einsum("fc,chw->fhw", array(module, "layers.0.conv.weight")[:, :, 0, 0], x[0].numpy())
    expected += array(module, "layers.0.conv.bias")[:, None, None]
    np.testing.assert_allclose(run(module, x)[0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("antialiasing", "kernel", "padding"),
    [(1, np.outer([1, 2, 1], [1, 2, 1]) / 16, 1), (2, np.ones((2, 2)) / 4, 0)],
)
def test_antialiasing_blurs_the_activated_map_at_the_stride(antialiasing: int, kernel: Array, padding: int) -> None:
    layer = Convolution(
        sources=LAST, filters=3, size=3, padding=1, stride=(2, 2), antialiasing=antialiasing, batch_normalize=False
    )
    module = build((2, 7, 8), [layer])
    x = noise(2, 7, 8)
    sharp = convolve(x[0].numpy(), array(module, "layers.0.conv.weight"), (1, 1), 1, 1, 1)
    sharp += array(module, "layers.0.conv.bias")[:, None, None]
    sharp = np.where(sharp > 0, sharp, 0.1 * sharp)
    fixed = np.broadcast_to(kernel.astype(np.float32), (3, 1, *kernel.shape))
    np.testing.assert_allclose(run(module, x)[0], convolve(sharp, fixed, (2, 2), padding, 3, 1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("normalized", [True, False])
def test_shared_convolution_uses_the_arrays_but_its_own_activation_and_stride(normalized: bool) -> None:
    own = Convolution(sources=LAST, filters=2, size=3, padding=1, batch_normalize=normalized, activation="leaky")
    theirs = Convolution(
        sources=(0,),
        filters=2,
        size=3,
        padding=1,
        stride=(2, 2),
        dilation=2,
        batch_normalize=normalized,
        activation="relu",
        share=0,
    )
    module = build((2, 6, 6), [own, theirs], [0, 1])
    first, second = run(module, noise(2, 6, 6))
    expected = convolve(first, array(module, "layers.0.conv.weight"), (2, 2), 1, 1, 2)
    if normalized:
        gamma, beta, mu, variance = (
            array(module, f"layers.0.bn.{role}")[:, None, None]
            for role in ("weight", "bias", "running_mean", "running_var")
        )
        expected = gamma * (expected - mu) / np.sqrt(variance + 1e-5) + beta
    else:
        expected += array(module, "layers.0.conv.bias")[:, None, None]
    np.testing.assert_allclose(second, np.maximum(expected, 0), rtol=1e-5, atol=1e-5)


# --- connected, batchnorm, implicit


@pytest.mark.parametrize("normalized", [True, False])
def test_connected_reads_channels_then_rows(normalized: bool) -> None:
    layer = Connected(sources=LAST, outputs=3, batch_normalize=normalized, activation="linear")
    module = build((2, 2, 3), [layer])
    x = noise(2, 2, 3)
    expected = array(module, "layers.0.linear.weight") @ x[0].numpy().reshape(12)
    if normalized:
        gamma, beta, mu, variance = (
            array(module, f"layers.0.bn.{role}") for role in ("weight", "bias", "running_mean", "running_var")
        )
        expected = gamma * (expected - mu) / np.sqrt(variance + 1e-5) + beta
    else:
        expected = expected + array(module, "layers.0.linear.bias")
    np.testing.assert_allclose(run(module, x)[0], expected.reshape(3, 1, 1), rtol=1e-5, atol=1e-6)


def test_batchnorm_alone() -> None:
    module = build((3, 2, 2), [BatchNorm(sources=LAST)])
    gamma, beta, mu, variance = (
        array(module, f"layers.0.bn.{role}")[:, None, None]
        for role in ("weight", "bias", "running_mean", "running_var")
    )
    x = noise(3, 2, 2)
    expected = gamma * (x[0].numpy() - mu) / np.sqrt(variance + 1e-5) + beta
    np.testing.assert_allclose(run(module, x)[0], expected, rtol=1e-5, atol=1e-6)


def test_implicit_is_its_vector_whatever_the_input() -> None:
    module = build((3, 2, 2), [Implicit(sources=LAST, filters=2, atoms=2)])
    vector = array(module, "layers.0.vector.weight").reshape(4, 1, 1)
    np.testing.assert_array_equal(run(module, noise(3, 2, 2))[0], vector)
    np.testing.assert_array_equal(run(module, noise(3, 2, 2, seed=2))[0], vector)


# --- activations


def _mish(x: float) -> float:
    softplus = x if x > 20 else math.exp(x) if x < -20 else math.log(math.exp(x) + 1)
    return x * math.tanh(softplus)


FORMULAS: dict[str, Callable[[float], float]] = {
    "linear": lambda x: x,
    "leaky": lambda x: x if x > 0 else 0.1 * x,
    "relu": lambda x: max(0.0, x),
    "relu6": lambda x: min(max(0.0, x), 6.0),
    "relie": lambda x: x if x > 0 else 0.01 * x,
    "logistic": lambda x: 1 / (1 + math.exp(-x)),
    "swish": lambda x: x / (1 + math.exp(-x)),
    "mish": _mish,
    "hard_mish": lambda x: x if x > 0 else x * x / 2 + x if x > -2 else 0.0,
    "tanh": lambda x: 2 / (1 + math.exp(-2 * x)) - 1,
    "elu": lambda x: x if x >= 0 else math.exp(x) - 1,
    "selu": lambda x: 1.0507 * x if x >= 0 else 1.0507 * 1.6732 * (math.exp(x) - 1),
    "gelu": lambda x: 0.5 * x * (1 + math.tanh(0.797885 * x + 0.035677 * x**3)),
    "ramp": lambda x: 1.1 * x if x > 0 else 0.1 * x,
    "loggy": lambda x: 2 / (1 + math.exp(-x)) - 1,
    "plse": lambda x: 0.01 * (x + 4) if x < -4 else 0.01 * (x - 4) + 1 if x > 4 else 0.125 * x + 0.5,
    "hardtan": lambda x: min(1.0, max(-1.0, x)),
    "lhtan": lambda x: 0.001 * x if x < 0 else 0.001 * (x - 1) + 1 if x > 1 else x,
    "stair": lambda x: math.floor(x / 2) + (x - math.floor(x) if math.floor(x) % 2 else 0),
    "revleaky": lambda x: x if x > 0 else 0.1 * x,
}


def test_every_activation_has_a_formula_here() -> None:
    over_channels = {name for name in ACTIVATIONS if name.startswith("normalize_channels")}
    assert FORMULAS.keys() | over_channels == set(ACTIVATIONS)


@pytest.mark.parametrize("name", FORMULAS)
def test_activation(name: str) -> None:
    x = torch.tensor([-30.0, -7.5, -2.5, -2.0, -1.99, -1.0, -0.5, -0.0, 0.25, 1.0, 5.9, 6.1, 30.0]).view(1, 1, 1, -1)
    given_to = x.clone()
    result = one(Activation(sources=LAST, activation=name), given_to)[0, 0]
    np.testing.assert_allclose(result, [FORMULAS[name](float(v)) for v in x[0, 0, 0]], rtol=2e-6, atol=1e-7)
    # [shortcut] adds the input to itself: its activation sees 2x
    result = one(Shortcut(sources=(-1, -1), activation=name), given_to)[0, 0]
    np.testing.assert_allclose(result, [FORMULAS[name](2 * float(v)) for v in x[0, 0, 0]], rtol=2e-6, atol=1e-7)
    assert torch.equal(given_to, x)


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name not in FORMULAS])
def test_activation_over_channels(name: str) -> None:
    x = noise(5, 2, 3)
    result = one(Shortcut(sources=(-1, -1), activation=name), x)
    for row, column in product(range(2), range(3)):
        values = [2 * float(v) for v in x[0, :, row, column]]
        if name == "normalize_channels":
            raised = [max(v, 0.0) for v in values]
        elif name == "normalize_channels_softmax":
            raised = [math.exp(v) for v in values]
        else:
            raised = [math.exp(v - max(values)) for v in values]
        expected = [v / (sum(raised) + 1e-4) for v in raised]
        np.testing.assert_allclose(result[:, row, column], expected, rtol=1e-5, atol=1e-7)


# --- pooling


def pooled(x: Array, size: int, stride: int, padding: int, mean: bool) -> Array:
    """[maxpool] and [local_avgpool] as the specification words them: taps outside the image do not count."""
    channels, height, width = x.shape
    rows, columns = ((side + padding - size) // stride + 1 for side in (height, width))
    out = np.empty((channels, rows, columns), np.float32)
    for c, y, z in product(range(channels), range(rows), range(columns)):
        top, left = y * stride - padding // 2, z * stride - padding // 2
        taps = [
            x[c, i, j]
            for i, j in product(range(top, top + size), range(left, left + size))
            if 0 <= i < height and 0 <= j < width
        ]
        out[c, y, z] = sum(taps) / len(taps) if mean else max(taps)
    return out


@pytest.mark.parametrize(
    ("values", "size", "stride", "expected"),
    [
        # Appendix B.6
        ([[1, 2], [3, 4]], 2, 1, [[4, 4], [4, 4]]),
        ([[0, 1, 2], [3, 4, 5], [6, 7, 8]], 2, 2, [[4, 5], [7, 8]]),
        ([[0, 1, 2, 3]], 3, 2, [[1, 3]]),
        ([[-4, -3], [-2, -1]], 2, 1, [[-1, -1], [-1, -1]]),  # a border never wins, not even over negative values
    ],
)
def test_maxpool_vectors(values: list[list[float]], size: int, stride: int, expected: list[list[float]]) -> None:
    x = torch.tensor(values, dtype=torch.float32)[None, None]
    result = one(MaxPool(sources=LAST, size=size, stride=stride, padding=size - 1), x)
    np.testing.assert_array_equal(result[0], expected)


@pytest.mark.parametrize("size", [5, 9, 13])
def test_pyramid_pools_are_torchs_symmetric_ones(size: int) -> None:
    x = noise(2, 13, 13)
    result = one(MaxPool(sources=LAST, size=size, stride=1, padding=size - 1), x)
    assert torch.equal(torch.from_numpy(result), torch.nn.functional.max_pool2d(x, size, 1, size // 2)[0])


@settings(max_examples=120)
@given(
    data=st.data(),
    mean=st.booleans(),
    size=st.integers(1, 6),
    stride=st.integers(1, 4),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
)
def test_pools_by_their_definition(
    data: st.DataObject, mean: bool, size: int, stride: int, height: int, width: int
) -> None:
    least = max(0, size - min(height, width))
    padding = data.draw(st.integers(least, max(least, 2 * (size - 1))), label="padding")
    kind = LocalAvgPool if mean else MaxPool
    x = noise(2, height, width) - 3
    result = one(kind(sources=LAST, size=size, stride=stride, padding=padding), x)
    np.testing.assert_allclose(result, pooled(x[0].numpy(), size, stride, padding, mean), rtol=1e-5)


def test_maxpool_depth_takes_every_kth_channel() -> None:
    x = noise(6, 2, 2)
    result = one(MaxPoolDepth(sources=LAST, channels=2), x)
    for group in range(2):
        np.testing.assert_array_equal(result[group], x[0, group::2].numpy().max(0))


def test_avgpool() -> None:
    np.testing.assert_array_equal(one(AvgPool(sources=LAST), ramp(2, 2, 3))[:, 0, 0], [2.5, 8.5])


# --- joining


def test_route_takes_its_slice_of_each_source() -> None:
    """Appendix B.7: groups 2, group 1 of 4 and 6 channels are channels 2, 3 and 3, 4, 5."""
    layers = [point(4), point(6), Route(sources=(0, 1), groups=2, group_id=1), Route(sources=(1, 0))]
    first, second, sliced, whole = run(build((3, 2, 2), layers, [0, 1, 2, 3]), noise(3, 2, 2))
    np.testing.assert_array_equal(sliced, np.concatenate([first[2:4], second[3:6]]))
    np.testing.assert_array_equal(whole, np.concatenate([second, first]))


def shortcut(current: Array, source: Array) -> Array:
    """The original engine's shortcut_cpu, as the specification words it."""
    (c1, h1, w1), (c2, h2, w2) = source.shape, current.shape
    stride, sample = max(1, w1 // w2), max(1, w2 // w1)
    out = current.copy()
    for k, j, i in product(range(min(c1, c2)), range(min(h1, h2)), range(min(w1, w2))):
        out[k, j * sample, i * sample] += source[k, j * stride, i * stride]
    return out


def test_strided_shortcut_vector() -> None:
    """Appendix B.8: a 4x4x2 ramp onto 2x2x4 zeros."""
    zeros = Convolution(sources=LAST, filters=4, stride=(2, 2), batch_normalize=False, activation="linear")
    module = build((2, 4, 4), [zeros, Shortcut(sources=(0, -1))])
    for value in module.parameters():
        value.data.zero_()
    (result,) = run(module, ramp(2, 4, 4))
    np.testing.assert_array_equal(result[:2], [[[0, 2], [8, 10]], [[16, 18], [24, 26]]])
    np.testing.assert_array_equal(result[2:], np.zeros((2, 2, 2)))


@settings(max_examples=80)
@given(
    source=st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9)),
    current=st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9)),
)
def test_shortcut_by_its_definition(source: Shape, current: Shape) -> None:
    strides = {max(1, source[axis] // current[axis]) for axis in (1, 2)}
    samples = {max(1, current[axis] // source[axis]) for axis in (1, 2)}
    if len(strides) > 1 or len(samples) > 1:
        with refuses("network.shortcut-sizes"):
            Shortcut(sources=(3, 1)).output([current, source])
        return
    # Both maps are crops of one larger map, so that both shapes can be anything.
    layers = [
        point(source[0]),
        Crop(sources=(0,), height=source[1], width=source[2], noadjust=True),
        Convolution(sources=(-1,), filters=current[0], batch_normalize=False, activation="linear"),
        Crop(sources=(2,), height=current[1], width=current[2], noadjust=True),
        Shortcut(sources=(3, 1)),
    ]
    added, onto, result = run(build((2, 9, 9), layers, [1, 3, 4]), noise(2, 9, 9))
    np.testing.assert_allclose(result, shortcut(onto, added), rtol=1e-6)


def weighted(weighting: str, normalization: str, values: Sequence[Sequence[float]]) -> tuple[list[Array], Array]:
    """The summands and the result of a weighted shortcut with these stored factors."""
    count = len(values)
    sources = (count - 1, *range(count - 1))
    layer = Shortcut(sources=sources, weighting=weighting, normalization=normalization)
    module = build((2, 2, 2), [*(point(2) for _ in range(count)), layer], [*range(count), count])
    module.get_parameter(f"layers.{count}.sum.weight").data.copy_(torch.tensor(values))
    *maps, result = run(module, noise(2, 2, 2))
    return [maps[source] for source in sources], result


# Appendix B.9, as `valid` fuses them: max(w, 0.001) / (1e-4 + the sum of those). Unfused, the second row would be
# 2 / 2.0001 and 0; the module computes what the published numbers were measured with.
@pytest.mark.parametrize(
    ("stored", "factors"),
    [((2.0, 1.0), (2 / 3.0001, 1 / 3.0001)), ((2.0, -1.0), (2 / 2.0011, 0.001 / 2.0011))],
)
def test_weighted_shortcut_vectors(stored: tuple[float, float], factors: tuple[float, float]) -> None:
    maps, result = weighted("per_feature", "relu", [[value] for value in stored])
    np.testing.assert_allclose(result, factors[0] * maps[0] + factors[1] * maps[1], rtol=1e-5, atol=1e-7)


def test_weighted_shortcut_by_softmax() -> None:
    stored = (0.5, -1.0, 2.0)
    maps, result = weighted("per_feature", "softmax", [[value] for value in stored])
    raised = [math.exp(value - 2.0) for value in stored]
    expected = sum(each / (sum(raised) + 1e-4) * part for each, part in zip(raised, maps, strict=True))
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)


def test_weighted_shortcut_per_channel() -> None:
    """The file holds one row of channels for each summand, the current map first; unnormalised they are factors."""
    maps, result = weighted("per_channel", "none", [[2.0, -1.0], [0.5, 3.0]])
    for channel, (one_factor, other) in enumerate([(2.0, 0.5), (-1.0, 3.0)]):
        expected = one_factor * maps[0][channel] + other * maps[1][channel]
        np.testing.assert_allclose(result[channel], expected, rtol=1e-5, atol=1e-6)


def test_scale_channels_and_sam() -> None:
    layers = [
        point(3),
        AvgPool(sources=(0,)),
        ScaleChannels(sources=(1, 0), activation="relu"),
        Convolution(sources=(0,), filters=1, batch_normalize=False),
        ScaleChannels(sources=(3, 0), per_pixel=True),
        Sam(sources=(4, 0), activation="leaky"),
    ]
    base, gate, scaled, pixels, weighed, product_ = run(build((2, 3, 4), layers, range(6)), noise(2, 3, 4))
    np.testing.assert_allclose(scaled, np.maximum(gate * base, 0), rtol=1e-6)
    np.testing.assert_allclose(weighed, pixels[:1] * base, rtol=1e-6)
    raw = weighed * base
    np.testing.assert_allclose(product_, np.where(raw > 0, raw, 0.1 * raw), rtol=1e-6)


# --- reshaping


def test_upsample_repeats_and_scales() -> None:
    result = one(Upsample(sources=LAST, stride=2, scale=0.5), ramp(1, 2, 2))
    np.testing.assert_array_equal(result[0], [[0, 0, 0.5, 0.5]] * 2 + [[1, 1, 1.5, 1.5]] * 2)


def test_bilinear_upsample_interpolates_between_pixel_centres() -> None:
    """Pixel i of the output lies at (i + 1/2) / 2 - 1/2 of the input, no further out than the outermost centres."""
    result = one(Upsample(sources=LAST, stride=2, bilinear=True), ramp(1, 1, 3))
    np.testing.assert_allclose(result[0], [[0, 0.25, 0.75, 1.25, 1.75, 2]] * 2)


def test_reverse_upsample_sums_blocks() -> None:
    result = one(Upsample(sources=LAST, stride=2, scale=2.0, reverse=True), ramp(1, 2, 4))
    np.testing.assert_array_equal(result[0], [[2 * (0 + 1 + 4 + 5), 2 * (2 + 3 + 6 + 7)]])


@pytest.mark.parametrize(("shape", "stride"), [((3, 4, 6), 2), ((2, 6, 3), 3), ((1, 2, 2), 1)])
def test_reorg3d_by_its_definition(shape: Shape, stride: int) -> None:
    channels, height, width = shape
    x = ramp(*shape)
    result = one(Reorg(sources=LAST, stride=stride), x)
    for k, j, i in product(range(channels * stride**2), range(height // stride), range(width // stride)):
        offset = k // channels
        assert result[k, j, i] == x[0, k % channels, j * stride + offset // stride, i * stride + offset % stride]


@pytest.mark.parametrize(("shape", "stride"), [((8, 4, 6), 2), ((9, 6, 3), 3), ((4, 2, 2), 2)])
def test_reorg_by_its_definition(shape: Shape, stride: int) -> None:
    """Value (k, j, i), counted in the input's own dimensions, comes from where reorg's inverse would have put it."""
    channels, height, width = shape
    x = ramp(*shape).flatten()
    result = one(Reorg(sources=LAST, stride=stride, legacy=True), ramp(*shape)).flatten()
    narrow = channels // stride**2
    for k, j, i in product(range(channels), range(height), range(width)):
        offset = k // narrow
        row, column = j * stride + offset // stride, i * stride + offset % stride
        assert result[(k * height + j) * width + i] == x[(k % narrow * height * stride + row) * width * stride + column]


def test_crop_is_central_and_doubles() -> None:
    x = ramp(1, 5, 4)
    inside = x[0, :, 1:4, 1:3].numpy()
    np.testing.assert_array_equal(one(Crop(sources=LAST, height=3, width=2, noadjust=True), x), inside)
    np.testing.assert_array_equal(one(Crop(sources=LAST, height=3, width=2), x), 2 * inside - 1)


def test_softmax_of_groups_at_a_temperature() -> None:
    x = noise(6, 1, 1)
    result = one(Softmax(sources=LAST, groups=2, temperature=0.5), x)
    for part in (slice(0, 3), slice(3, 6)):
        raised = [math.exp(float(value) / 0.5) for value in x[0, part, 0, 0]]
        np.testing.assert_allclose(result[part, 0, 0], [each / sum(raised) for each in raised], rtol=1e-5)
    whole = one(Softmax(sources=LAST), x)
    raised = [math.exp(float(value)) for value in x[0, :, 0, 0]]
    np.testing.assert_allclose(whole[:, 0, 0], [each / sum(raised) for each in raised], rtol=1e-5)


@pytest.mark.parametrize(
    "layer",
    [
        Dropout(sources=LAST),
        Loss(sources=LAST),
        Yolo(sources=LAST, classes=1, anchors=((1.0, 1.0),), mask=(0,)),
        GaussianYolo(sources=LAST, classes=1, anchors=((1.0, 1.0),), mask=(0,)),
        Region(sources=LAST, classes=1, anchors=((1.0, 1.0),)),
    ],
)
def test_these_hand_their_input_on(layer: Layer) -> None:
    channels = layer.per_anchor + 1 if isinstance(layer, Yolo | Region) else 2
    x = noise(channels, 2, 2)
    np.testing.assert_array_equal(one(layer, x), x[0].numpy())


# --- the module as a whole


def test_default_outputs_are_the_detections_or_the_last_layer() -> None:
    box = Yolo(sources=(0,), classes=1, anchors=((1.0, 1.0),), mask=(0,))
    again = Yolo(sources=(2,), classes=1, anchors=((1.0, 1.0),), mask=(0,))
    x = noise(2, 2, 2)
    module = build((2, 2, 2), [point(6), box, Convolution(sources=(1,), filters=6), again, BatchNorm(sources=(3,))])
    assert len(run(module, x)) == 2
    plain = build((2, 2, 2), [point(6), Dropout(sources=(0,))])
    assert [result.shape for result in run(plain, x)] == [(6, 2, 2)]
    assert isinstance(plain(x), Tensor)


def test_outputs_select_layers_in_the_order_asked_for() -> None:
    layers = [point(4), point(3, "leaky"), AvgPool(sources=(1,)), Route(sources=(0,))]
    layers[1] = Convolution(sources=(0,), filters=3, batch_normalize=False)
    module = build((2, 3, 3), layers, [2, 0, 1])
    assert [result.shape for result in run(module, noise(2, 3, 3))] == [(3, 1, 1), (4, 3, 3), (3, 3, 3)]


def test_an_output_is_not_overwritten_by_later_layers() -> None:
    layers = [
        point(3),
        Shortcut(sources=(0, 0), activation="leaky"),
        Dropout(sources=(1,)),
        Convolution(sources=(2,), filters=3, activation="relu"),
        Shortcut(sources=(3, 0), activation="mish"),
    ]
    x = noise(3, 3, 3)
    together = run(build((3, 3, 3), layers, range(5)), x)
    for index, result in enumerate(together):
        np.testing.assert_array_equal(result, run(build((3, 3, 3), layers[: index + 1], [index]), x)[0])


def test_forward_lets_go_of_what_nothing_reads_any_more() -> None:
    net = registry.model("csresnext50").build()
    code = to_module(net).code
    freed = code.count("= None")
    # every convolution, batch norm and activation result dies as soon as it is read
    assert freed > len(net.layers)
    assert "getattr(self.layers" in code


def test_memory_of_a_forward_stays_near_its_two_largest_maps() -> None:
    """A chain of 50 maps of 1 MiB each would hold 50 MiB if nothing were let go."""
    layers = [Convolution(sources=(at - 1,), filters=1, batch_normalize=False) for at in range(50)]
    module = build((1, 512, 512), layers)
    living: list[int] = []

    def hook(*_: object) -> None:
        maps = {
            get_object.untyped_storage().data_ptr()
            for get_object in gc.get_objects()
            if type(get_object) is Tensor and get_object.shape == (1, 1, 512, 512)
        }
        living.append(len(maps))

    handles = [module.get_submodule(f"layers.{at}.conv").register_forward_hook(hook) for at in (30, 49)]
    with torch.no_grad():
        module(torch.zeros(1, 1, 512, 512))
    for handle in handles:
        handle.remove()
    assert 1 <= min(living) <= max(living) <= 4


@pytest.mark.parametrize("kind", sorted(KINDS))
@settings(max_examples=5)
@given(data=st.data())
def test_every_output_has_the_shape_the_network_says(kind: str, data: st.DataObject) -> None:
    net = data.draw(networks(kind, most=4, foreign=True), label="network")
    module = to_module(net, range(len(net.layers)))
    fill(module)
    shapes = [net.shape(index) for index in range(len(net.layers))]

    def check(x: Tensor) -> None:
        with torch.no_grad():
            result = module(x)
        result = result if isinstance(result, tuple) else (result,)
        assert [tuple(each.shape) for each in result] == [(x.shape[0], *shape) for shape in shapes]
        assert {each.device.type for each in result} == {x.device.type}

    for batch in (0, 1, 3):
        check(torch.rand(batch, *net.input))
    module.to("meta")
    check(torch.empty(2, *net.input, device="meta"))


@pytest.mark.parametrize("kind", ["Convolution", "share", "BatchNorm", "Connected", "Shortcut"])
@settings(max_examples=12)
@given(data=st.data())
def test_folding_changes_nothing(kind: str, data: st.DataObject) -> None:
    net = data.draw(networks(kind, most=5, foreign=True), label="network")
    plain = to_module(net, range(len(net.layers)))
    fill(plain)
    folded = fold_batch_norm(copy.deepcopy(plain))
    # in double, so that only a wrong fold can make a difference
    plain.double()
    folded.double()
    convolutions = [index for index, layer in enumerate(net.layers) if isinstance(layer, Convolution)]
    assert not [name for name, _ in folded.named_modules() if name in {f"layers.{at}.bn" for at in convolutions}]
    x = torch.rand(2, *net.input, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        before, after = plain(x), folded(x)
        for mine, theirs in zip(
            *(each if isinstance(each, tuple) else (each,) for each in (before, after)), strict=True
        ):
            torch.testing.assert_close(theirs, mine, rtol=1e-5, atol=1e-5 * (1 + float(mine.abs().max())))


def test_local_by_hand() -> None:
    """Two places of two taps over two channels, with kernels and biases of their own."""
    module = build((2, 2, 2), [Local(sources=LAST, filters=1, size=2, stride=1, activation="linear")])
    x = torch.arange(8.0).view(1, 2, 2, 2)
    with torch.no_grad():
        module.get_parameter("layers.0.conv.weight").copy_(torch.arange(1.0, 9.0).view(1, 1, 8))
        module.get_parameter("layers.0.conv.bias").fill_(0.5)
    assert float(run(module, x)[0][0, 0, 0]) == sum(at * (at + 1) for at in range(8)) + 0.5
    module = build((1, 1, 3), [Local(sources=LAST, filters=2, size=1, stride=2, activation="relu")])
    with torch.no_grad():
        module.get_parameter("layers.0.conv.weight").copy_(torch.tensor([[[2.0], [3.0]], [[-5.0], [7.0]]]))
        module.get_parameter("layers.0.conv.bias").copy_(torch.tensor([[[1.0, 10.0]], [[0.0, -100.0]]]))
    result = run(module, torch.tensor([[[[1.0, 9.0, 2.0]]]]))[0]
    # place 0: 2 * 1 + 1, 3 * 1 + 0; place 1: -5 * 2 + 10, 7 * 2 - 100
    assert result.tolist() == [[[3.0, 0.0]], [[3.0, 0.0]]]


@pytest.mark.parametrize(("channels", "size"), [(1, 1), (1, 3), (2, 5), (4, 1), (5, 2), (7, 3), (7, 4), (8, 5), (3, 7)])
def test_response_normalisation_is_darknets_running_sum(channels: int, size: int) -> None:
    layer = ResponseNorm(sources=LAST, size=size, alpha=0.3, beta=0.75, kappa=2.0)
    x = noise(channels, 2, 1)
    result = run(build((channels, 2, 1), [layer]), x)[0]
    for row in range(2):
        values = [float(v) for v in x[0, :, row, 0]]
        total = sum(v * v for v in values[: size // 2])  # the original begins one channel short
        for at, value in enumerate(values):
            if at:
                before, after = at - (size - 1) // 2 - 1, at + size // 2
                total -= values[before] ** 2 if before >= 0 else 0
                total += values[after] ** 2 if after < channels else 0
            assert float(result[at, row, 0]) == pytest.approx(value * (2 + 0.3 * total) ** -0.75, rel=1e-5)


def test_a_pool_that_blurs() -> None:
    """The largest of 2x2 at stride 1, the windows at the edge with fewer taps, then means of 2x2 at stride 2."""
    x = torch.tensor([[[[1.0, 2, 3, 4], [5, 6, 7, 8], [8, 7, 6, 5], [4, 3, 2, 1]]]])
    layer = MaxPool(sources=LAST, size=2, stride=2, padding=1, antialiasing=2)
    result = run(build((1, 4, 4), [layer]), x)[0]
    # pooled: 6 7 8 8, 8 7 8 8, 8 7 6 5, 4 3 2 1
    assert result.tolist() == [[[7.0, 8.0], [5.5, 3.5]]]


def test_a_pool_with_two_strides() -> None:
    x = torch.arange(12.0).view(1, 1, 3, 4)
    for kind, expected in (
        (MaxPool, [[5, 6, 7, 7], [9, 10, 11, 11]]),
        (LocalAvgPool, [[2.5, 3.5, 4.5, 5], [8.5, 9.5, 10.5, 11]]),
    ):
        layer = kind(sources=LAST, size=2, stride=2, padding=1, horizontal=1)
        assert run(build((1, 3, 4), [layer]), x)[0][0].tolist() == expected


def test_folding_leaves_a_batchnorm_layer_of_its_own_alone() -> None:
    """Layer 1 normalises what layer 2 also reads as it was: Darknet folds only a convolution's own batch norm."""
    layers = [
        Convolution(sources=LAST, filters=3, batch_normalize=False, activation="linear"),
        BatchNorm(sources=(0,)),
        Route(sources=(0, 1)),
        Convolution(sources=(2,), filters=2, batch_normalize=True, activation="linear"),
        BatchNorm(sources=(3,)),
    ]
    module = build((2, 3, 3), layers, range(5))
    x = noise(2, 3, 3)
    before = run(module, x)
    after = run(fold_batch_norm(module), x)
    for mine, theirs in zip(before, after, strict=True):
        np.testing.assert_allclose(theirs, mine, rtol=1e-5, atol=1e-6)
    left = [name for name, each in module.named_modules() if isinstance(each, torch.nn.BatchNorm2d)]
    assert left == ["layers.1.bn", "layers.4.bn"]


def test_folding_a_whole_network() -> None:
    net = registry.model("darknet").build().resized(64, 64)
    module = to_module(net)
    fill(module)
    x = torch.rand(1, *net.input, generator=torch.Generator().manual_seed(3))
    (before,) = run(module, x)
    (after,) = run(fold_batch_norm(module), x)
    assert np.abs(after - before).max() <= 1e-5 * np.abs(before).max()
    assert "bn" not in module.code
