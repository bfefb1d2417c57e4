"""What is checked of a network's arrays, one fault at a time, in the first and the last layer and value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from weight_files import random_arrays

from cspbench.errors import WeightsError
from cspbench.network.layers import AvgPool, BatchNorm, Connected, Convolution, Shortcut
from cspbench.network.network import Network
from cspbench.weights.arrays import Array, Weights, check, digest, first_names, layout, numbers_after

NET = Network(
    "net",
    (2, 4, 6),
    (
        Convolution(sources=(-1,), filters=3),  # 3 + 3 + 3 + 3 + 6 numbers
        AvgPool(sources=(0,)),
        Connected(sources=(1,), outputs=2),  # 2 + 6
        BatchNorm(sources=(2,)),  # 2 + 2 + 2 + 2
    ),
)
Arrays = tuple[dict[str, Array], ...]


def changed(layer: int, **arrays: Any) -> Arrays:
    """Good arrays but for these of one layer; None takes one away."""
    good = random_arrays(NET)
    layers = [dict(each) for each in good]
    layers[layer].update(arrays)
    layers[layer] = {role: array for role, array in layers[layer].items() if array is not None}
    return tuple(layers)


def with_value(layer: int, role: str, at: int, value: float) -> Arrays:
    array = random_arrays(NET)[layer][role].copy()
    array.flat[at] = value
    return changed(layer, **{role: array})


def test_numbers_and_layout() -> None:
    assert numbers_after(NET) == [18, 18, 26, 34]
    assert layout(NET) == (
        ("bias", (3,)),
        ("scale", (3,)),
        ("mean", (3,)),
        ("variance", (3,)),
        ("weight", (3, 2, 1, 1)),
        ("bias", (2,)),
        ("weight", (2, 3)),
        ("bias", (2,)),
        ("scale", (2,)),
        ("mean", (2,)),
        ("variance", (2,)),
    )
    plain = Convolution(sources=(-1,), filters=3, batch_normalize=False, activation="mish", stride=(2, 2))
    assert layout(Network("a", (2, 4, 6), (plain,))) == layout(Network("b", (2, 8, 8), (AvgPool(sources=(-1,)), plain)))
    fused = Shortcut(sources=(0, -1), weighting="per_channel")
    assert layout(Network("c", (3, 4, 6), (AvgPool(sources=(-1,)), Shortcut(sources=(0, 0))))) == ()
    assert layout(Network("c", (3, 1, 1), (AvgPool(sources=(-1,)), fused))) == (("fusion", (2, 3)),)


def test_good_arrays_pass() -> None:
    check(NET, random_arrays(NET), "here")
    check(NET, with_value(0, "variance", 0, 0.0), "here")
    check(NET, with_value(0, "variance", 0, -0.0), "here")
    for role in ("bias", "scale", "mean", "weight"):
        check(NET, with_value(0, role, -1, -1e30), "here")
    largest = float(np.finfo(np.float32).max)
    check(NET, with_value(0, "weight", 0, largest), "here")
    check(NET, with_value(0, "weight", 0, -largest), "here")


LAST_LAYERS = [(0, role) for role in ("bias", "scale", "mean", "variance", "weight")] + [(3, "mean"), (3, "variance")]


@pytest.mark.parametrize(("layer", "role"), LAST_LAYERS)
@pytest.mark.parametrize("at", [0, -1])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite(layer: int, role: str, at: int, value: float) -> None:
    arrays = with_value(layer, role, at, value)
    with pytest.raises(WeightsError) as caught:
        check(NET, arrays, "here")
    assert caught.value.where == f"here, {NET.place(layer)}, {role}"
    place = np.unravel_index(0 if at == 0 else arrays[layer][role].size - 1, arrays[layer][role].shape)
    assert str(tuple(map(int, place))) in str(caught.value.found)
    assert f"1 of {arrays[layer][role].size} " in str(caught.value.found)


def test_infinities_of_both_signs_do_not_cancel() -> None:
    weight = random_arrays(NET)[0]["weight"].copy()
    weight.flat[0], weight.flat[1] = np.inf, -np.inf
    with pytest.raises(WeightsError) as caught:
        check(NET, changed(0, weight=weight), "here")
    assert "2 of 6 " in str(caught.value.found)


@pytest.mark.parametrize("layer", [0, 3])
@pytest.mark.parametrize("at", [0, -1])
@pytest.mark.parametrize("value", [-1.0, -1e-45])
def test_a_negative_variance(layer: int, at: int, value: float) -> None:
    with pytest.raises(WeightsError) as caught:
        check(NET, with_value(layer, "variance", at, value), "here")
    assert caught.value.where == f"here, {NET.place(layer)}, variance"


@pytest.mark.parametrize(
    ("layer", "arrays", "role", "expected", "found"),
    [
        (0, {"bias": None}, "bias", "float32 of (3,)", "none"),
        (0, {"weight": None}, "weight", "float32 of (3, 2, 1, 1)", "none"),
        (3, {"variance": None}, "variance", "float32 of (2,)", "none"),
        (0, {"extra": np.zeros(1, np.float32)}, "extra", "no such array", "float32 of (1,)"),
        (1, {"bias": np.zeros(3, np.float32)}, "bias", "no such array", "float32 of (3,)"),
        (2, {"scale": np.zeros(2, np.float32)}, "scale", "no such array", "float32 of (2,)"),
        (0, {"mean": np.zeros(2, np.float32)}, "mean", "float32 of (3,)", "float32 of (2,)"),
        (0, {"mean": np.zeros((3, 1), np.float32)}, "mean", "float32 of (3,)", "float32 of (3, 1)"),
        (0, {"mean": np.zeros(3)}, "mean", "float32 of (3,)", "float64 of (3,)"),
        (0, {"mean": np.zeros(3, np.float16)}, "mean", "float32 of (3,)", "float16 of (3,)"),
        (2, {"weight": np.zeros((3, 2), np.float32)}, "weight", "float32 of (2, 3)", "float32 of (3, 2)"),
    ],
)
def test_arrays_of_another_form(layer: int, arrays: dict[str, Any], role: str, expected: str, found: str) -> None:
    with pytest.raises(WeightsError) as caught:
        check(NET, changed(layer, **arrays), "here")
    assert caught.value.where == f"here, {NET.place(layer)}, {role}"
    assert (caught.value.expected, caught.value.found) == (expected, found)


def test_as_many_dictionaries_as_layers() -> None:
    good = random_arrays(NET)
    for arrays in (good[:-1], (*good, {}), ()):
        with pytest.raises(AssertionError):
            check(NET, arrays, "here")


@pytest.mark.parametrize(("layers", "checked"), [(0, False), (1, True), (2, True), (4, True), (None, True)])
def test_only_the_first_layers_are_checked(layers: int | None, checked: bool) -> None:
    arrays = with_value(0, "mean", 0, np.nan)
    if checked:
        with pytest.raises(WeightsError):
            check(NET, arrays, "here", layers)
    else:
        check(NET, arrays, "here", layers)


@pytest.mark.parametrize("layer", [0, 2, 3])
def test_a_fault_counts_from_its_own_layer_on(layer: int) -> None:
    arrays = changed(layer, bias=None)
    check(NET, arrays, "here", layer)
    with pytest.raises(WeightsError):
        check(NET, arrays, "here", layer + 1)


@pytest.mark.parametrize(("layers", "complete"), [(0, False), (3, False), (4, True)])
def test_weights_are_complete_with_all_layers(layers: int, complete: bool) -> None:
    assert Weights(Path("net.weights"), random_arrays(NET), layers).complete is complete


def test_the_digest_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest(path) == known
    assert Weights(path, (), 0).sha256 == known


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1, "n0"),
        (5, "n0, n1, n2, n3, n4"),
        (6, "n0, n1, n2, n3, n4 and 1 more"),
        (9, "n0, n1, n2, n3, n4 and 4 more"),
    ],
)
def test_some_of_many_names(count: int, text: str) -> None:
    assert first_names([f"n{at}" for at in range(count)]) == text


def test_a_name_in_a_message_is_short() -> None:
    assert first_names(["x" * 80]) == "x" * 80
    assert len(first_names(["x" * 81])) == 80
    assert first_names(["a", "b", "c"], limit=2) == "a, b and 1 more"
