"""All differences between two networks."""

from __future__ import annotations

from dataclasses import astuple, replace

import pytest

from cspbench.network import difference as module
from cspbench.network.builder import Builder
from cspbench.network.difference import differences
from cspbench.network.network import Network
from cspbench.network.network import difference as first_difference
from cspbench.zoo.registry import MODELS, model


def built(*, blocks: int = 2, filters: int = 8, activation: str = "leaky", extra: bool = False) -> Network:
    b = Builder("net", (3, 16, 16))
    b.conv(filters, 3)
    if extra:
        b.conv(5)
        b.conv(filters)
    for _ in range(blocks):
        entry = b.last
        b.conv(filters, 3, activation=activation)
        b.shortcut(entry)
    b.avgpool()
    return b.network()


def found(one: Network, other: Network) -> list[tuple[object, ...]]:
    return [astuple(each) for each in differences(one, other)]


def test_equal_networks_have_none() -> None:
    assert found(built(), replace(built(), name="other", input=(3, 32, 8))) == []


def test_every_setting_is_named() -> None:
    assert found(built(), built(filters=9, activation="mish")) == [
        (0, 0, "convolutional", "filters", "8", "9"),
        (1, 1, "convolutional", "filters", "8", "9"),
        (1, 1, "convolutional", "activation", "leaky", "mish"),
        (3, 3, "convolutional", "filters", "8", "9"),
        (3, 3, "convolutional", "activation", "leaky", "mish"),
    ]


def test_an_insertion_does_not_move_what_follows() -> None:
    inserted = [
        (None, 1, "convolutional", None, None, "[convolutional] 5 1x1 leaky"),
        (None, 2, "convolutional", None, None, "[convolutional] 8 1x1 leaky"),
    ]
    reads = (2, 4, "shortcut", "reads", "1,0", "3,2")  # the block reads the inserted layer
    assert found(built(), built(extra=True)) == [*inserted, reads]
    removed = [(one, None, section, None, text, None) for _, one, section, _, _, text in inserted]
    assert found(built(extra=True), built()) == [*removed, (4, 2, "shortcut", "reads", "3,2", "1,0")]


def test_repeated_blocks() -> None:
    assert found(built(blocks=3), built(blocks=2)) == [
        (5, None, "convolutional", None, "[convolutional] 8 3x3 leaky", None),
        (6, None, "shortcut", None, "[shortcut] linear", None),
    ]


def test_the_net_section() -> None:
    other = replace(built(), letter_box=True)
    assert found(built(), other) == [(None, None, "net", "letter_box", "0", "1")]
    assert first_difference(built(), other) == "letter_box: net has 0, net has 1"
    grey = Builder("net", (1, 16, 16))
    grey.conv(8, 3)
    assert found(grey.network(), replace(grey.network(), input=(2, 16, 16)))[0][3:] == ("channels", "1", "2")


def test_large_networks_correspond_by_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PAIRS", 4)
    assert found(built(), built(activation="mish")) == [
        (1, 1, "convolutional", "activation", "leaky", "mish"),
        (3, 3, "convolutional", "activation", "leaky", "mish"),
    ]
    assert {line[:2] for line in found(built(), built(extra=True))} >= {(None, 6), (None, 7), (5, None)}


@pytest.mark.parametrize("name", ["csresnext50", "csdarknet53-elastic", "yolov4", "snet49-thundernet"])
def test_both_comparisons_agree(name: str) -> None:
    for other in (name, "darknet53", f"{name}-omega"):
        if other in MODELS:
            networks = model(name).build(), model(other).build()
            assert bool(differences(*networks)) is (first_difference(*networks) is not None)
