"""The training keys of a cfg: every one has Darknet's default, is read, written back, and part of the digest."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusals import refuses

from cspbench.network import cfg
from cspbench.network.cfg import writer
from cspbench.network.network import digest
from cspbench.network.recipe import (
    NAMES,
    CostRecipe,
    ImplicitRecipe,
    LayerRecipe,
    NetRecipe,
    Policy,
    Recipe,
    SoftmaxRecipe,
    YoloRecipe,
    default,
)
from cspbench.network.recipe import digest as recipe_digest

NET = "[net]\nwidth=8\nheight=8\nchannels=21\n"
LAYERS = """[dropout]\nprobability=.3\n[implicit]\nfilters=21\n[route]\nlayers=0
[yolo]\nnum=3\nmask=0,1,2\nclasses=2\nanchors=1,2,3,4,5,6\n[softmax]\n[cost]\n"""
KINDS = (LayerRecipe, ImplicitRecipe, LayerRecipe, YoloRecipe, SoftmaxRecipe, CostRecipe)


def read(net: str = "", layers: str = LAYERS) -> cfg.Reading:
    return cfg.parse(f"{NET}{net}{layers}", "small", "small.cfg")


def test_defaults() -> None:
    reading = read()
    recipe = reading.training.recipe
    assert recipe == default(reading.network)
    assert tuple(type(part) for part in recipe.layers) == KINDS
    net, yolo = recipe.net, recipe.layers[3]
    assert (net.batch, net.subdivisions, net.momentum, net.decay, net.learning_rate) == (1, 1, 0.9, 0.0001, 0.001)
    assert (net.policy, net.burn_in, net.power, net.max_batches) == (Policy.CONSTANT, 0, 4, 0)
    assert (net.flip, net.aspect, net.min_crop, net.resize_step) == (True, 1, None, 32)
    assert isinstance(yolo, YoloRecipe)
    assert (yolo.max_boxes, yolo.jitter, yolo.ignore_thresh, yolo.truth_thresh, yolo.iou_thresh) == (
        200,
        0.2,
        0.5,
        1,
        1,
    )
    assert (yolo.iou_loss, yolo.iou_normalizer, yolo.cls_normalizer, yolo.max_delta) == ("mse", 0.75, 1, float("inf"))


def test_the_first_of_repeated_keys_counts() -> None:
    recipe = read("decay=.0005\nmomentum=.8\ndecay=.00005\nlearning_rate=.256\nlearning_rate=.1\n").training.recipe
    assert (recipe.net.decay, recipe.net.momentum, recipe.net.learning_rate) == (0.0005, 0.8, 0.256)


def test_words() -> None:
    assert read("policy=sgdr\nmax_batches=10\n").training.recipe.net.policy is Policy.SGDR
    reading = read("policy=sig\n").training
    assert reading.recipe.net.policy is Policy.CONSTANT
    (warning,) = reading.warnings
    assert warning.startswith("small.cfg:5: policy=sig is read as constant")
    assert read("steps=7\n").training.recipe.net.steps == (7,)


@pytest.mark.parametrize(
    ("net", "code"),
    [
        ("learning_rate=fast\n", "cfg.bad-value"),
        ("batch=2\nsubdivisions=4\n", "cfg.out-of-range"),
        ("batch=0\nsubdivisions=0\n", "cfg.out-of-range"),
        ("policy=steps\nsteps=1,2\n", "cfg.missing-key"),
        ("policy=steps\nscales=.1\n", "cfg.missing-key"),
        ("policy=steps\nsteps=1,2\nscales=.1\n", "cfg.out-of-range"),
        ("policy=step\nstep=0\n", "cfg.out-of-range"),
        ("policy=poly\n", "cfg.out-of-range"),
        ("policy=sgdr\n", "cfg.out-of-range"),
    ],
)
def test_keys_that_cannot_be_used(net: str, code: str) -> None:
    reading = read(net)  # whoever does not train does not mind
    with refuses(code):
        _ = reading.training


def test_counters_for_every_class() -> None:
    reading = read(layers=LAYERS.replace("num=3", "num=3\ncounters_per_class=4,5"))
    assert reading.training.recipe.layers[3] == YoloRecipe(counters_per_class=(4, 5))
    with refuses("cfg.out-of-range", where="small.cfg:13", expected="2 numbers, one for each class", found="3"):
        _ = read(layers=LAYERS.replace("num=3", "num=3\ncounters_per_class=4,5,6")).training


def test_mixing() -> None:
    result = {
        (m, c, o): NetRecipe(mixup=m, cutmix=c > 0, mosaic=o > 0).mixing for m in (0, 1) for c in (0, 1) for o in (0, 1)
    }
    assert result == {
        (0, 0, 0): 0, (1, 0, 0): 1, (0, 1, 0): 2, (1, 1, 0): 2, (0, 0, 1): 3, (1, 0, 1): 3, (0, 1, 1): 4, (1, 1, 1): 4,
    }  # fmt: skip


def test_what_is_not_implemented_is_listed() -> None:
    text = LAYERS.replace("probability=.3", "probability=.3\ndropblock=1\nstopbackward=5")
    recipe = read("time_steps=1\ntrack=1\nadversarial_lr=0\ndynamic_minibatch=1\n", text).training.recipe
    assert recipe.unsupported() == (
        (-1, "track=1"), (-1, "dynamic_minibatch=1"), (0, "stopbackward=5"), (0, "dropblock=1")
    )  # fmt: skip


def other(name: str, value: Any) -> Any:
    """Another value of a field."""
    special: dict[str, Any] = {
        "policy": Policy.STEP,
        "iou_loss": "ciou",
        "iou_thresh_kind": "giou",
        "kind_of_cost": "smooth",
        "counters_per_class": (3, 4),
        "steps": (1, 2),
        "scales": (0.25, 0.5),
        "max_delta": 2.5,
        "subdivisions": 1,
        "unsupported": ("track=1",),
    }
    match value:
        case _ if name in special:
            return special[name]
        case bool():
            return not value
        case int():
            return value + 3
        case float():
            return value + 0.125
        case None:
            return 77
    raise AssertionError(name)


def written(recipe: Recipe) -> cfg.Reading:
    return cfg.parse(writer.write(read().network, recipe), "small")


@pytest.mark.parametrize(
    "item", [item for item in fields(NetRecipe) if item.name != "unsupported"], ids=lambda i: i.name
)
def test_every_key_of_net(item: Any) -> None:
    network = read().network
    plain = default(network)
    net = replace(NetRecipe(), **{item.name: other(item.name, item.default)})
    recipe = Recipe(net, plain.layers)
    assert f"\n{NAMES.get(item.name, item.name)}=" in writer.write(network, recipe)
    back = written(recipe)
    assert back.training.recipe == recipe
    assert back.network == network
    assert (recipe_digest(network, recipe) == recipe_digest(network, plain)) is (item.name == "subdivisions")
    assert digest(back.network) == digest(network)


@pytest.mark.parametrize("at", range(6))
def test_every_key_of_layers(at: int) -> None:
    network = read().network
    plain = default(network)
    seen = {recipe_digest(network, plain)}
    for item in fields(plain.layers[at]):
        if item.name == "unsupported":
            continue
        part = replace(plain.layers[at], **{item.name: other(item.name, item.default)})
        recipe = Recipe(plain.net, (*plain.layers[:at], part, *plain.layers[at + 1 :]))
        assert written(recipe).training.recipe == recipe
        seen.add(recipe_digest(network, recipe))
    assert len(seen) == len(fields(plain.layers[at]))


def test_dropout_is_part_of_the_recipe_alone() -> None:
    one, two = read(), read(layers=LAYERS.replace(".3", ".4"))
    assert digest(one.network) == digest(two.network)
    assert recipe_digest(one.network, one.training.recipe) != recipe_digest(two.network, two.training.recipe)


def test_a_digest_does_not_change() -> None:
    reading = read("batch=64\nsubdivisions=8\nlearning_rate=.001\npolicy=steps\nsteps=4,5\nscales=.1,.1\n")
    assert recipe_digest(reading.network, reading.training.recipe) == PINNED


PINNED = "r1:e877a8be18b418ac9e2ca94e902220e03bda80585c97a200a9903ca2cfde3aab"


@given(
    st.builds(
        NetRecipe,
        batch=st.integers(8, 999),
        subdivisions=st.integers(1, 8),
        learning_rate=st.floats(1e-7, 10),
        decay=st.floats(0, 1),
        hue=st.floats(0, 1),
        steps=st.lists(st.integers(0, 10**6), max_size=4).map(tuple),
        scales=st.lists(st.floats(0, 2), min_size=4, max_size=5).map(tuple),
        max_batches=st.integers(1, 10**6),
        policy=st.sampled_from([policy for policy in Policy if policy is not Policy.STEPS]),
        min_crop=st.none() | st.integers(1, 999),
    )
)
def test_any_recipe_is_read_back(net: NetRecipe) -> None:
    recipe = Recipe(net, default(read().network).layers)
    assert written(recipe).training.recipe == recipe
