"""Networks with another number of classes."""

from __future__ import annotations

import pytest
from refusals import refuses

from cspbench.models.heads import classes_of, classifying_layer, with_classes
from cspbench.network import cfg
from cspbench.network.cfg.writer import write
from cspbench.network.counting import parameters
from cspbench.network.network import Network, difference
from cspbench.zoo.registry import MODELS, model, names_of_layered

NET = "[net]\nwidth=8\nheight=8\nchannels=3\n"


def parsed(text: str) -> Network:
    return cfg.parse(NET + text, "mine").network


@pytest.mark.parametrize("name", [name for name in names_of_layered() if not MODELS[name].build().detections])
def test_a_classifier_of_ten(name: str) -> None:
    network = model(name).build()
    changed, (at,) = with_classes(network, 10)
    before = network.shape(at)[0]
    inputs = network.weights(at)[-1].size // before
    assert (classes_of(network), classes_of(changed), changed.name) == (before, 10, f"{name}-10-classes")
    bias = len(network.weights(at)) > 1
    lost = parameters(network, "stored") - parameters(changed, "stored")
    assert lost == (before - 10) * (inputs + bias)


def test_detectors_of_three() -> None:
    for name, filters in (("yolov4", 24), ("yolov3-tiny", 24), ("csppeleenet-ref-prn-3l", 24)):
        network = model(name).build()
        changed, heads = with_classes(network, 3)
        assert len(heads) == len(network.detections)
        assert {changed.shape(index)[0] for index in heads} == {filters}  # (3 + 5) * 3 anchors
        assert classes_of(changed) == 3
        again = cfg.parse(write(changed), "again").network
        assert difference(changed, again) is None
    region = parsed("[convolutional]\nfilters=14\nactivation=linear\n[region]\nclasses=2\nnum=2\nanchors=1,1,2,2\n")
    changed, heads = with_classes(region, 4)
    assert (changed.shape(0)[0], heads) == (2 * (5 + 4), (0,))


def test_a_connected_layer_classifies() -> None:
    network = parsed("[connected]\noutput=7\nactivation=linear\n[dropout]\n[softmax]\n[cost]\n")
    assert classifying_layer(network) == 0
    changed, _ = with_classes(network, 2)
    assert changed.weights(0)[-1].shape == (2, 192)


@pytest.mark.parametrize("name", ["pelee-304", "snet49-thundernet", "refinedetlite"])
def test_other_heads_are_refused(name: str) -> None:
    with refuses("usage.own-head"):
        with_classes(model(name).build(), 3)


def test_a_trunk_has_no_head() -> None:
    trunk = parsed("[convolutional]\nfilters=4\n")
    assert classifying_layer(trunk) is None
    with refuses("usage.own-head", found="[convolutional]"):
        with_classes(trunk, 3)
    pooled = parsed("[avgpool]\n[softmax]\n")
    with refuses("usage.own-head", found="[softmax]"):
        with_classes(pooled, 3)


@pytest.mark.parametrize("classes", [0, -1, 2**16 + 1])
def test_numbers_of_classes_out_of_range(classes: int) -> None:
    with refuses("usage.out-of-range"):
        with_classes(model("darknet").build(), classes)
