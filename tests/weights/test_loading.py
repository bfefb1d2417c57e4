"""Arrays in the torch module: each in its place, under each rule of the epsilon, folded or not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from refusals import refuses
from torch import fx
from weight_files import networks, random_arrays, same

from cspbench.network.epsilon import Epsilon
from cspbench.network.layers import AvgPool, BatchNorm, Connected, Convolution, Implicit, Shortcut
from cspbench.network.module import fold_batch_norm, to_module
from cspbench.network.network import Network
from cspbench.weights.arrays import Array, Weights
from cspbench.weights.loading import extract, load

EVERY = Network(
    "every",
    (2, 6, 6),
    (
        Convolution(sources=(-1,), filters=4, size=3, padding=1, activation="linear"),
        Convolution(sources=(0,), filters=4, size=3, padding=1, batch_normalize=False),
        Convolution(sources=(1,), filters=4, size=3, padding=1, groups=2),
        Convolution(sources=(2,), filters=4, size=3, padding=1, groups=2, share=2),
        BatchNorm(sources=(3,)),
        Shortcut(sources=(4, 2), weighting="per_channel", normalization="relu"),
        Shortcut(sources=(5, 3), weighting="per_feature"),
        AvgPool(sources=(6,)),
        Connected(sources=(7,), outputs=3, batch_normalize=True, activation="leaky"),
        Connected(sources=(8,), outputs=2, activation="linear"),
        Implicit(sources=(9,), filters=3),
    ),
)


def weights(network: Network, arrays: tuple[dict[str, Array], ...]) -> Weights:
    return Weights(Path("net.weights"), arrays, len(arrays))


def loaded(network: Network, seed: int = 0, epsilon: Epsilon = Epsilon.INSIDE_1E5) -> fx.GraphModule:
    return load(to_module(network), network, weights(network, random_arrays(network, seed)), epsilon)


@given(networks(), st.integers(0, 2**32 - 1))
def test_what_is_loaded_is_extracted(network: Network, seed: int) -> None:
    for epsilon in (Epsilon.INSIDE_1E5, Epsilon.INSIDE_1E6):
        assert same(extract(loaded(network, seed, epsilon), network), random_arrays(network, seed))
    result = extract(loaded(network, seed, Epsilon.OUTSIDE_1E6), network)
    for mine, theirs in zip(result, random_arrays(network, seed), strict=True):
        for role in mine:
            np.testing.assert_allclose(mine[role], theirs[role], rtol=3e-7 if role == "variance" else 0)


def test_every_kind_of_layer_has_its_arrays() -> None:
    module, arrays = loaded(EVERY), random_arrays(EVERY)
    state = module.state_dict()
    for name, layer, role in (
        ("layers.0.bn.bias", 0, "bias"),
        ("layers.0.bn.weight", 0, "scale"),
        ("layers.0.bn.running_mean", 0, "mean"),
        ("layers.0.bn.running_var", 0, "variance"),
        ("layers.0.conv.weight", 0, "weight"),
        ("layers.1.conv.bias", 1, "bias"),
        ("layers.4.bn.bias", 4, "bias"),
        ("layers.4.bn.running_var", 4, "variance"),
        ("layers.5.sum.weight", 5, "fusion"),
        ("layers.6.sum.weight", 6, "fusion"),
        ("layers.8.linear.weight", 8, "weight"),
        ("layers.8.bn.running_mean", 8, "mean"),
        ("layers.9.linear.bias", 9, "bias"),
        ("layers.10.vector.weight", 10, "fusion"),
    ):
        assert state[name].numpy().tobytes() == arrays[layer][role].tobytes(), name


DEVIATION = {
    Epsilon.INSIDE_1E3: lambda variance: np.sqrt(variance + 1e-3),
    Epsilon.INSIDE_1E5: lambda variance: np.sqrt(variance + 1e-5),
    Epsilon.INSIDE_1E6: lambda variance: np.sqrt(variance + 1e-6),
    Epsilon.OUTSIDE_1E6: lambda variance: np.sqrt(variance) + 1e-6,
}


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("epsilon", Epsilon)
def test_the_rule_of_the_epsilon(epsilon: Epsilon, folded: bool) -> None:
    layer = Convolution(sources=(-1,), filters=8, size=1, activation="linear")
    network = Network("norm", (8, 1, 1), (layer,))
    variance = np.array([0, 1e-14, 1e-12, 1e-10, 1e-8, 1e-5, 1e-2, 4], np.float32)
    generator = np.random.default_rng(0)
    bias, scale, mean, x = (generator.uniform(0.5, 1.5, 8).astype(np.float32) for _ in range(4))
    kernel = np.eye(8, dtype=np.float32).reshape(8, 8, 1, 1)
    arrays = ({"bias": bias, "scale": scale, "mean": mean, "variance": variance, "weight": kernel},)
    module = load(to_module(network), network, weights(network, arrays), epsilon)
    if folded:
        fold_batch_norm(module)
    with torch.inference_mode():
        result = module(torch.from_numpy(x).view(1, 8, 1, 1)).flatten().numpy()
    factor = scale.astype(np.float64) / DEVIATION[epsilon](variance.astype(np.float64))
    # of the size of its largest term: the two cancel where the factor is large
    assert np.all(np.abs(result - ((x - mean.astype(np.float64)) * factor + bias)) <= 1e-6 * (np.abs(factor) * 1.5 + 1))


@pytest.mark.parametrize("epsilon", Epsilon)
def test_folding_changes_nothing(epsilon: Epsilon) -> None:
    x = torch.rand(2, 2, 6, 6, generator=torch.Generator().manual_seed(1))
    network = replace(EVERY, layers=EVERY.layers[:-1])
    with torch.inference_mode():
        plain = loaded(network, epsilon=epsilon)(x)
        folded = fold_batch_norm(loaded(network, epsilon=epsilon))(x)
    torch.testing.assert_close(plain, folded, rtol=1e-4, atol=1e-5)


def test_connected_norms_follow_the_rule_too() -> None:
    module = loaded(EVERY, epsilon=Epsilon.INSIDE_1E6)
    assert {part.eps for part in module.modules() if hasattr(part, "eps")} == {1e-6}


def test_partial_weights_are_not_loaded() -> None:
    arrays = random_arrays(EVERY)
    partial = Weights(Path("net.conv.3"), arrays, 3)
    with refuses("weights.partial", where="net.conv.3") as caught:
        load(to_module(EVERY), EVERY, partial)
    assert "3 of 11 layers" in caught.value.what


def test_a_module_of_another_network_is_refused() -> None:
    other = Network("other", (2, 6, 6), EVERY.layers[:2])
    with pytest.raises(KeyError, match=r"layers\.2\.bn\.bias"):
        load(to_module(other), EVERY, weights(EVERY, random_arrays(EVERY)))
    with pytest.raises(KeyError, match=r"layers\.0\.bn\.bias"):
        extract(fold_batch_norm(loaded(EVERY)), EVERY)
    with pytest.raises(AssertionError):
        load(to_module(other), other, weights(EVERY, random_arrays(EVERY)))


def test_nothing_of_the_file_is_written_to() -> None:
    arrays = random_arrays(EVERY)
    before = random_arrays(EVERY)
    module = load(to_module(EVERY), EVERY, weights(EVERY, arrays), Epsilon.OUTSIDE_1E6)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            tensor.zero_()
    assert same(arrays, before)
