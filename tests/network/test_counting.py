"""Every counting against numbers worked by hand, and both counters against each other on random networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import KINDS, networks
from refusals import refuses

from cspbench.network import counting, fvcore_counter
from cspbench.network.counting import COUNTINGS, PARAMETER_COUNTINGS, classifier, count, ledger
from cspbench.network.layers import (
    AvgPool,
    BatchNorm,
    Connected,
    Convolution,
    MaxPool,
    Shape,
    Shortcut,
    Upsample,
)
from cspbench.network.network import Network
from cspbench.network.operations import Operations
from cspbench.zoo import registry

POOLED = Network(
    "pooled",
    (3, 8, 8),
    (
        # 4 * 64 = 256 values of 3 * 9 = 27: 6912 multiply-adds
        Convolution(sources=(-1,), filters=4, size=3, padding=1),
        # 4 * 16 = 64 values of 4 taps: 256; reads 256
        MaxPool(sources=(0,), size=2, stride=2, padding=1),
        # 64 additions, 64 activations
        Shortcut(sources=(1, 0), activation="leaky"),
    ),
)
CLASSIFIER = Network(
    "classifier",
    (2, 6, 6),
    (
        # 4 * 36 = 144 values of 2: 288
        Convolution(sources=(-1,), filters=4, activation="relu"),
        # reads 144, writes 4
        AvgPool(sources=(0,)),
        # 4 * 5 = 20
        Connected(sources=(1,), outputs=5),
    ),
)
BLURRED = Network(
    "blurred",
    (1, 4, 4),
    (
        # at stride 1, 2 * 16 = 32 values of 1: 32; blurred to 2 * 4 = 8 values of 9: 72
        Convolution(
            sources=(-1,), filters=2, stride=(2, 2), antialiasing=1, batch_normalize=False, activation="linear"
        ),
        # 2 * 16 = 32
        Upsample(sources=(0,)),
        # 32
        BatchNorm(sources=(1,)),
    ),
)


BY_HAND: list[tuple[Network, str, int]] = [
    (POOLED, "conv", 13_824),  # 2 * 6912
    (POOLED, "conv+maxpool", 14_080),  # + 256
    (POOLED, "conv+maxpool+shortcut", 14_144),  # + 64
    (POOLED, "mac", 6_912),
    (POOLED, "fvcore", 7_424),  # 6912 + 2 * 256
    (POOLED, "thop", 7_232),  # 6912 + 256 + 64 leaky; fused batch norms are not counted
    (POOLED, "mmcv", 8_000),  # 6912 + 2 * 256 + 256 + 64 + 256 read by the pool
    (POOLED, "sparsenet", 14_592),  # 2 * 6912 + 2 * 256 + 256
    (POOLED, "elastic", 16_000),  # 2 * (6912 + 2 * 256 + 256 + 64 + 256)
    (CLASSIFIER, "conv", 616),  # 2 * 288 + 2 * 20
    (CLASSIFIER, "conv+maxpool", 576),  # Darknet counts no connected layer
    (CLASSIFIER, "conv+maxpool+shortcut", 576),
    (CLASSIFIER, "mac", 308),
    (CLASSIFIER, "fvcore", 740),  # 288 + 2 * 144 + 144 + 20
    (CLASSIFIER, "thop", 436),  # 288 + 144 + 4; no ReLU, no classifier
    (CLASSIFIER, "mmcv", 864),  # 288 + 2 * 144 + 144 + 144
    (CLASSIFIER, "sparsenet", 1_048),  # 2 * 288 + 2 * 20 + 2 * 144 + 144
    (CLASSIFIER, "elastic", 1_490),  # 2 * (288 + 20 + 2 * 144 + 144 + 5); no global pooling
    (BLURRED, "conv", 64),
    (BLURRED, "conv+maxpool", 64),
    (BLURRED, "mac", 32),
    (BLURRED, "fvcore", 200),  # 32 + 72 + 32 + 2 * 32
    (BLURRED, "thop", 32),
    (BLURRED, "mmcv", 96),  # 32 + 2 * 32
]


@pytest.mark.parametrize(("network", "name", "total"), BY_HAND)
def test_by_hand(network: Network, name: str, total: int) -> None:
    assert ledger(network).total(name) == total
    assert count(network).total(name) == total


@pytest.mark.parametrize(
    ("network", "weights", "learnable", "stored"),
    [
        (POOLED, 108, 116, 124),  # 4 * 27; + 4 beta + 4 gamma; + 4 means + 4 variances
        (CLASSIFIER, 28, 41, 49),  # 8 + 20; + 8 + 5; + 8
        (BLURRED, 2, 8, 12),  # the blur is not stored
    ],
)
def test_parameters_by_hand(network: Network, weights: int, learnable: int, stored: int) -> None:
    assert count(network).parameters == {"weights": weights, "learnable": learnable, "stored": stored}
    assert set(PARAMETER_COUNTINGS) == {"weights", "learnable", "stored"}
    assert counting.stored_bytes(network) == 20 + 4 * stored


def test_parameters_of_fusion_factors_and_of_shared_arrays() -> None:
    shared = Convolution(sources=(0,), filters=2, batch_normalize=True, share=0)
    network = Network(
        "fused",
        (2, 3, 3),
        (
            Convolution(sources=(-1,), filters=2),
            shared,
            Shortcut(sources=(1, 0), weighting="per_channel"),
        ),
    )
    # 4 in one kernel, 2 + 2 of its batch norm, 2 * 2 factors; + 2 + 2 statistics
    assert count(network).parameters == {"weights": 4, "learnable": 12, "stored": 16}
    # each convolution works by itself: 2 * 9 * 2 = 36
    assert [operation.conv for operation in count(network).operations] == [36, 36, 0]


def test_unknown_counting() -> None:
    with refuses("usage.unknown-counting") as caught:
        ledger(POOLED).total("macs")
    assert "'macs'" in caught.value.what
    assert "conv+maxpool" in (caught.value.expected or "")
    # thop-2021 is of torch modules: tests/zoo/test_yolox.py
    assert {name for _, name, _ in BY_HAND} == set(COUNTINGS) - {"thop-2021"}


def test_which_layer_is_the_classifier() -> None:
    assert classifier(CLASSIFIER) == 2
    assert classifier(POOLED) is None
    assert classifier(registry.model("csresnext50-panet-spp").build()) is None
    darknet = registry.model("csdarknet53").build()
    index = classifier(darknet)
    assert index is not None
    assert darknet.shape(index) == (1000, 1, 1)


# --- the two counters


@pytest.mark.parametrize("kind", sorted(KINDS))
@settings(max_examples=5)
@given(data=st.data())
def test_ledger_and_fvcore_agree_on_random_networks(kind: str, data: st.DataObject) -> None:
    network = data.draw(networks(kind, most=5, foreign=True), label="network")
    result = count(network)
    assert result.operations == network.operations
    assert result.parameters["weights"] <= result.parameters["learnable"] <= result.parameters["stored"]


@pytest.mark.parametrize(
    ("name", "operation"), [("POOLED", "conv"), ("POOLED", "pool_taps"), ("POOLED", "shortcut"), ("BLURRED", "blur")]
)
def test_a_broken_ledger_is_found_out(name: str, operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = {"POOLED": POOLED, "BLURRED": BLURRED}[name]
    at = {"conv": 0, "pool_taps": 1, "shortcut": 2, "blur": 0}[operation]
    kind = type(network.layers[at])
    honest = kind.operations
    true = getattr(network.operations[at], operation)

    def broken(self: Convolution, inputs: Sequence[Shape], output: Shape) -> Operations:
        right = honest(self, inputs, output)
        return replace(right, **{operation: getattr(right, operation) + 1})

    monkeypatch.setattr(kind, "operations", broken)
    wrong = Network(network.name, network.input, network.layers)
    where = f"{network.name}, layer {at} [{network.layers[at].section}], {operation}"
    with refuses("count.disagree", where=where) as caught:
        count(wrong)
    assert {caught.value.expected, caught.value.found} == {f"{true + 1} by the ledger", f"{true} by fvcore"}
    assert caught.value.exit_code == 1


def test_a_broken_parameter_count_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "parameters", lambda network, rule: 109)
    where = "pooled, parameters (weights)"
    with refuses("count.disagree", where=where, expected="109 by the ledger", found="108 by fvcore"):
        count(POOLED)


def test_an_operation_that_fvcore_weighs_otherwise_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def trace(network: Network, known: object) -> list[fvcore_counter.Traced]:
        first, *others = honest(network)
        return [replace(first, fvcore=first.fvcore + 1), *others]

    honest = fvcore_counter.trace
    monkeypatch.setattr(fvcore_counter, "trace", trace)
    where = "pooled, fvcore's total"
    with refuses("count.disagree", where=where, expected="7424 by the ledger", found="7425 by fvcore"):
        count(POOLED)


# --- what timm and mmpretrain published


@pytest.mark.parametrize(
    ("name", "height", "width", "total"),
    [
        ("timm/cspdarknet53", 256, 326, 8_545_018_880),
        ("timm/cspresnet50", 256, 326, 5_924_992_000),
        ("timm/cspresnext50", 224, 285, 3_962_945_536),
    ],
)
def test_thop_of_the_timm_card(name: str, height: int, width: int, total: int) -> None:
    network = registry.model(name).build()
    assert ledger(network.resized(height, width)).total("thop") == total
    assert ledger(network.resized(height, width + 2)).total("thop") != total


@pytest.mark.parametrize(
    ("name", "mmcv", "fvcore", "learnable"),
    [
        ("timm/cspdarknet53", "5.0402", "5.0273", 27_642_184),
        ("timm/cspresnet50", "3.4835", "3.4754", 21_616_168),
        ("timm/cspresnext50", "3.1082", "3.0968", 20_569_896),
    ],
)
def test_mmcv_and_fvcore_of_the_mmpretrain_card(name: str, mmcv: str, fvcore: str, learnable: int) -> None:
    network = registry.model(name).build().resized(224, 224)
    result = ledger(network)
    head = classifier(network)
    assert head is not None
    assert f"{result.total('mmcv') / 1e9:.4f}" == mmcv
    assert f"{(result.total('fvcore') - result.operations[head].conv) / 1e9:.4f}" == fvcore
    assert result.parameters["learnable"] == learnable


def test_layers_are_counted_alike_however_many_are_traced_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    network = registry.model("enetb0").build()
    whole = fvcore_counter.trace(network)
    monkeypatch.setattr(fvcore_counter, "AT_ONCE", 3)
    assert fvcore_counter.trace(network) == whole


def test_too_little_memory_for_a_layer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    empty = torch.empty

    def refuse(*sizes: Any, **options: Any) -> torch.Tensor:
        if sizes == (2**28,):
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return empty(*sizes, **options)

    monkeypatch.setattr(torch, "empty", refuse)
    network = Network("wide", (4096, 1, 1), (Convolution(sources=(-1,), filters=2**16),))
    with refuses("network.too-large-to-count", where="wide") as caught:
        count(network)
    assert "1.0 GiB" in (caught.value.expected or "")
    assert "ulimit" in (caught.value.remedy or "")
