"""The class orders, and the probe that tells them apart from predictions."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from refusals import refuses

from cspbench.data.classes import ORDERS, order, places
from cspbench.data.label_order import KNOWN, advice, known_images, probe_order


@pytest.mark.parametrize("name", ORDERS)
def test_an_order_has_the_1000_classes(name: str) -> None:
    assert len(set(order(name))) == 1000
    assert set(order("darknet")) == set(order("sorted"))
    assert all(order(name)[place] == wnid for wnid, place in places(name).items())


def test_the_orders_known_places() -> None:
    # timm, torchvision: tench is 0. The devkit's ground truth of validation images 1 to 4 is 490, 361, 171, 822.
    assert order("sorted")[0] == "n01440764"
    assert [order("darknet")[number - 1] for number in (490, 361, 171, 822)] == [
        "n01751748",
        "n09193705",
        "n02105855",
        "n04263257",
    ]
    with refuses("usage.unknown-class-order", expected="one of darknet, sorted, sample", found="alphabetic"):
        order("alphabetic")


@pytest.fixture(scope="module")
def classes() -> dict[str, Any]:
    """What the original program has to say of classes: its order's digest, and the predictions of a trained net."""
    loaded: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "classes.json").read_text())
    return loaded


def test_the_darknet_order_is_the_original_s(classes: dict[str, Any]) -> None:
    assert hashlib.sha256("\n".join(order("darknet")).encode()).hexdigest() == classes["order_sha256"]


def predictions(name: str, share: float, count: int) -> tuple[list[int], list[str]]:
    """Top-1 numbers of a network in an order that is right in a share of the images, and the classes."""
    rng = np.random.default_rng(0)
    wnids = [order("sorted")[number] for number in rng.integers(0, 1000, count)]
    right = rng.random(count) < share
    guesses = rng.integers(0, 1000, count)
    return [
        places(name)[wnid] if good else int(guess) for wnid, good, guess in zip(wnids, right, guesses, strict=True)
    ], wnids


@pytest.mark.parametrize(
    ("name", "share", "count", "verdict"),
    [
        ("darknet", 0.7, 200, "as declared"),
        ("darknet", 0.2, 50_000, "as declared"),
        ("darknet", 1.0, 5, "as declared"),
        ("sorted", 0.7, 200, "swapped"),
        ("sorted", 0.5, 50_000, "swapped"),
        ("sorted", 0.7, 20, "swapped"),
        ("darknet", 0.0, 200, "chance"),
        ("darknet", 0.0, 50_000, "chance"),
        ("darknet", 0.0, 10, "undecided"),
        ("sorted", 0.7, 3, "undecided"),
        ("sorted", 0.7, 0, "undecided"),
    ],
)
def test_the_probe(name: str, share: float, count: int, verdict: str) -> None:
    probe = probe_order(*predictions(name, share, count), declared="darknet")
    assert probe.verdict == verdict
    assert probe.images == count
    if verdict == "swapped":
        assert probe.better == "sorted"
        assert [word for word in str(probe).split() if word in ("sorted", "darknet")][:2] == ["sorted", "darknet"]
    assert f"{probe.hits['darknet'] / max(count, 1):.1%}" in str(probe)


def test_numbers_outside_of_the_classes_are_misses() -> None:
    assert probe_order([1000, -1], ["n01440764", "n01440764"]).hits == {"darknet": 0, "sorted": 0}


def test_the_probe_on_the_binary_s_predictions(classes: dict[str, Any]) -> None:
    predicted, wnids = classes["best"], [order("darknet")[label] for label in classes["labels"]]
    assert probe_order(predicted, wnids, "darknet").verdict == "as declared"
    probe = probe_order(predicted, wnids, "sorted")
    assert probe.verdict == "swapped"
    assert probe.hits["darknet"] == 139


def test_known_images_tell_wrong_labels_from_another_network() -> None:
    assert list(KNOWN.values()) == [order("darknet")[number - 1] for number in (490, 361, 171, 822)]
    right = [(f"{wnid}/{name}.JPEG", wnid) for name, wnid in KNOWN.items()]
    assert known_images([*right, ("n01440764/ILSVRC2012_val_00000293.JPEG", "n01440764")]) == (4, 4)
    numbers = [places("darknet")[wnid] for wnid in KNOWN.values()]
    swapped = [(f"{name}.JPEG", order("sorted")[number]) for name, number in zip(KNOWN, numbers, strict=True)]
    assert known_images(swapped) == (0, 4)
    # evaluating with another order is the advice for the network, correcting the file that for the labels
    for known, network, labels in (((4, 4), True, False), ((0, 4), False, True), ((0, 0), True, True)):
        text = advice("darknet", "sorted", known)
        assert ("--classes sorted" in text, "label file" in text) == (network, labels)
        assert known == (0, 0) or f"{known[0]} of {known[1]}" in text
