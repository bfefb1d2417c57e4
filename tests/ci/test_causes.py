"""Why counts changed: the layers that differ, and failing cells grouped by them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cells_by_hand import PARAMS, changes, counted, line
from counts_by_hand import WHO, rows
from hypothesis import given
from hypothesis import strategies as st
from msgspec import ValidationError, structs

from cspbench.ci.causes import Cause, causes, differences, groups
from cspbench.ci.junit import message
from cspbench.ci.render import markdown
from cspbench.network.builder import Builder
from cspbench.network.network import Network
from cspbench.results import layers
from cspbench.results.counts import CountedRow, Counts
from cspbench.zoo.registry import MODELS


def net(filters: int = 8, activation: str = "leaky", more: int = 0, channels: int = 3) -> Network:
    """Convolutions, of which the last is added to the first."""
    b = Builder("net", (channels, 8, 8))
    b.conv(filters, 3, activation=activation)
    for _ in range(2 + more):
        b.conv(8, 3, activation=activation)
    b.conv(filters, 3)
    b.shortcut(0)
    return b.network()


def between(one: Network, other: Network) -> list[str]:
    return differences(layers.texts(one), layers.texts(other))


def test_a_layer_is_a_line_with_its_settings() -> None:
    head, first, *_, last = layers.texts(net())
    assert head == "net channels=3"
    assert first.split(" ")[:4] == ["convolutional", "sources=-1", "filters=8", "size=3"]
    assert last.split(" ")[:2] == ["shortcut", "sources=-1,-4"]


def test_differences_name_the_layer_the_setting_and_both_values() -> None:
    assert between(net(), net()) == []
    assert between(net(), net(filters=16)) == ["2 layers filters 8 → 16, first layer 0"]
    assert between(net(), net(activation="relu")) == ["3 layers activation leaky → relu, first layer 0"]
    assert between(net(), net(channels=1)) == ["[net] channels 3 → 1"]


def test_an_added_layer_is_not_a_change_of_all_later_ones() -> None:
    # the shortcut reads its layer from farther back, which is the same layer
    assert between(net(), net(more=1)) == ["layer 4 added"]
    assert between(net(more=2), net()) == ["layers 4 to 5 removed"]
    direct = Builder("net", (3, 8, 8))
    for _ in range(4):
        direct.conv(8, 3)
    direct.shortcut(1)
    assert between(net(), direct.network()) == ["layer 4 reads -1,-4 → -1,-3"]


@given(st.lists(st.text(" =ab,1", min_size=1, max_size=9), max_size=8), st.lists(st.text(max_size=9), max_size=8))
def test_any_texts_are_compared(one: list[str], other: list[str]) -> None:
    assert differences(one, one) == []
    if one != other and len(one) == len(other):
        assert all(len(text) <= 200 for text in differences(one, other))


def test_the_catalogue_is_recorded_and_read_again() -> None:
    counted_rows = [replace_model(name) for name in ("csdarknet53", "csresnext50")]
    of_models, networks = layers.of_rows(counted_rows)
    record = Counts(session=WHO, rows=counted_rows, layers=of_models, networks=networks)
    assert layers.of_model(record, "csdarknet53") == layers.texts(MODELS["csdarknet53"].build())
    assert layers.of_model(record, "unknown") is None
    assert len(of_models) == len(set(of_models)) < 60


def replace_model(name: str) -> CountedRow:
    return structs.replace(rows()[0], model=name)


@pytest.mark.parametrize("numbers", ["", "1", "a", "0  0", "0 -1", "9" * 400])
def test_a_record_with_layers_that_are_not_there_is_refused(numbers: str) -> None:
    with pytest.raises((ValueError, ValidationError)):
        Counts(session=WHO, rows=[], layers=["net channels=3"], networks={"net": numbers})


def recorded(network: Network, digest: str) -> Counts:
    """Counts of two rows of one model with those layers."""
    of_rows = [structs.replace(row, model="net", network=digest) for row in rows()]
    lines = layers.texts(network)
    result = list(dict.fromkeys(lines))
    return Counts(
        session=WHO, rows=of_rows, layers=result, networks={"net": " ".join(str(result.index(each)) for each in lines)}
    )


def test_each_row_of_another_network_has_its_cause() -> None:
    before, after = recorded(net(), "v2:1"), recorded(net(filters=16), "v2:2")
    cause = Cause("net", "2 layers filters 8 → 16, first layer 0")
    assert causes([before], [after]) == {
        ("imagenet-big", "darknet-53"): cause,
        ("coco-headline", "cspresnext50-panet-spp-sam-512"): cause,
    }
    assert causes([before], [before]) == {}
    # results of an earlier version have no layers
    old = structs.replace(before, layers=[], networks={})
    assert {each.text for each in causes([old], [after]).values()} == {"the network is another"}
    other = structs.replace(before, rows=[structs.replace(row, model="darknet53") for row in before.rows])
    assert {each.text for each in causes([other], [after]).values()} == {"another model than darknet53"}


def test_failing_cells_are_grouped_by_cause_the_largest_group_first() -> None:
    names = ("a", "b", "c", "d")
    before = [line(PARAMS, row=name) for name in names]
    after = [line(counted(1), row=name) for name in names]
    pairs = [
        replace(pair, cause=None if pair.row == "a" else Cause(f"net-{pair.row}", "layer 0 filters 32 → 48"))
        for pair in changes(before, after).pairs
    ]
    result = groups(pairs)
    assert [group.line for group in result] == [
        "net-b, net-c, net-d: layer 0 filters 32 → 48: 3 cells",
        "changed: 1 cell",
    ]
    assert message(pairs[1]).endswith("; net-b: layer 0 filters 32 → 48")
    text = markdown(replace(changes(before, after), pairs=tuple(pairs)), "main")
    assert text.split("\n\n")[1] == "\n".join(f"- {group.line}" for group in result)
