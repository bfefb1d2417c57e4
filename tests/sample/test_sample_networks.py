"""The sample's networks: the shipped files are theirs, and they find what is drawn."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from cspbench.data.presets import preset
from cspbench.network import cfg
from cspbench.network.layers import Route, Yolo
from cspbench.network.network import difference
from cspbench.sample import classification, detection
from cspbench.sample.seeds import HELD_OUT
from cspbench.weights import darknet
from cspbench.zoo.model import Model
from cspbench.zoo.registry import model as named

NUMBERS = {"sample-csp-classifier": 219_808, "sample-csp-detector": 448_442}
MODELS = [named(name) for name in NUMBERS]
HEADER = 20


def shipped(model: Model, suffix: str) -> Path:
    path = files("cspbench.sample").joinpath(f"{model.name}.{suffix}")
    assert isinstance(path, Path)
    return path


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_equals_the_shipped_file(model: Model) -> None:
    network, theirs = model.build(), cfg.read(shipped(model, "cfg")).network
    assert difference(network, theirs) is None
    assert (network.name, network.input) == (theirs.name, theirs.input)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_weights_have_their_size(model: Model) -> None:
    network, path = model.build(), shipped(model, "weights")
    numbers = sum(weight.size for index in range(len(network.layers)) for weight in network.weights(index))
    assert numbers == NUMBERS[model.name]
    assert path.stat().st_size == HEADER + 4 * numbers
    weights = darknet.read(path, network)
    assert weights.complete
    assert weights.header is not None
    assert weights.header.seen > 50_000


def test_both_are_small() -> None:
    assert sum(shipped(model, kind).stat().st_size for model in MODELS for kind in ("cfg", "weights")) < 3_000_000


@pytest.mark.parametrize("name", NUMBERS)
def test_stages_are_cross_stage_partial(name: str) -> None:
    """Every stage has an input that two ways start from, and a join of both ways, each half as wide as the stage."""
    network = named(name).build()
    joins = 0
    for index, layer in enumerate(network.layers):
        if not isinstance(layer, Route) or len(layer.sources) != 2:
            continue
        part2, part1 = layer.sources
        start = part1 - 1
        again = network.layers[part1 + 1]
        if isinstance(again, Route) and again.sources == (start,):
            joins += 1
            assert network.shape(part1) == network.shape(part2)
            assert 2 * network.shape(part1)[0] == network.shape(start)[0] == network.shape(index + 1)[0]
    assert joins == {"sample-csp-classifier": 3, "sample-csp-detector": 4}[network.name]


def test_heads_fit_the_sample() -> None:
    network = named("sample-csp-detector").build()
    heads = {network.shape(at)[1]: layer for at, layer in enumerate(network.layers) if isinstance(layer, Yolo)}
    assert list(heads) == [14, 28]
    assert {layer.classes for layer in heads.values()} == {len(detection.CATEGORIES)}
    assert [min(heads[size].mask) for size in (14, 28)] == [3, 0]
    classifier = named("sample-csp-classifier").build()
    assert classifier.shape(len(classifier.layers) - 1) == (len(classification.CLASSES), 1, 1)


def test_the_classifier_knows_plain_cases() -> None:
    import torch

    from cspbench.network.module import to_module
    from cspbench.weights.loading import load

    network = named("sample-csp-classifier").build()
    module = load(to_module(network), network, darknet.read(shipped(MODELS[0], "weights"), network))
    labels = [at % len(classification.CLASSES) for at in range(48)]
    images = [
        preset("readme").prepare(classification.draw(HELD_OUT + 1000 + at, label), network.input[1])
        for at, label in enumerate(labels)
    ]
    with torch.no_grad():
        result = torch.flatten(module(torch.from_numpy(np.stack(images))), 1)
    torch.testing.assert_close(result.sum(1), torch.ones(48))
    assert (result.argmax(1).numpy() == labels).mean() > 0.85
