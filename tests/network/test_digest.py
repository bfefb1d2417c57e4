"""The digest of a network: what changes it, and above all what does not."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass, field, fields, make_dataclass, replace
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import Any, ClassVar

import pytest

from cspbench.network import canonical, cfg, layers
from cspbench.network.canonical import NOT_DIGESTED
from cspbench.network.layers import Convolution, Crop, Dropout, Layer, MaxPool, Route, Softmax, Upsample, Yolo, Yolox
from cspbench.network.network import Network, digest
from cspbench.zoo.registry import MODELS, names_of_layered

SNAPSHOT = Path(__file__).with_name("digests.json")
CLASSES = [
    each
    for name in vars(layers)
    if isinstance(each := getattr(layers, name), type) and issubclass(each, Layer) and "section" in vars(each)
]
CLASSES.remove(Yolox)  # the head of a torch module, whose digest is that of its design
"""Every layer that can be in a network."""

OTHER: dict[str, Any] = {
    "activation": "tanh",
    "count_only": ("xnor=1",),
    "horizontal": 1,
    "anchors": ((1.0, 2.5), (3.0, 4.0)),
    "mask": (1,),
    "nms_kind": "greedynms",
    "normalization": "softmax",
    "step": 8.0,
    "share": 1,
    "sources": (2, 1),
    "stride": (2, 1),
    "variances": (0.1, 0.3),
    "weighting": "per_channel",
    "yolo_point": "left_up",
}
"""Values of fields that are neither numbers nor bools."""

FIRST: dict[str, Any] = {
    "sources": (1, 0),
    "anchors": ((1.0, 2.0), (3.0, 4.0)),
    "mask": (0,),
    "filters": 8,
    "outputs": 8,
    "channels": 8,
    "groups": 2,
    "size": 3,
    "stride": 2,
    "padding": 1,
}
"""Values of fields that have no default, or whose default allows no other value of another field."""


def form(*settings: Any) -> str:
    return canonical.text({"values": settings})


def layer(class_: type[Layer], **settings: Any) -> Any:
    """A layer of any class, all that has no default filled in."""
    needed = {
        item.name: FIRST[item.name]
        for item in fields(class_)
        if item.default is dataclasses.MISSING or item.name in ("anchors", "mask")
    }
    return class_(**{**needed, **settings})


def others(class_: type[Layer], name: str) -> list[Any]:
    """Two layers that differ in one field."""
    base = layer(class_, **{"group_id": {"groups": 2}, "padding": {"size": 3}}.get(name, {}))
    value = getattr(base, name)
    if isinstance(value, tuple) and name not in OTHER:
        raise AssertionError(name)
    other = OTHER.get(name)
    if isinstance(value, bool):
        other = not value
    elif isinstance(value, int):
        other = value + 1
    elif isinstance(value, float):
        other = value + 0.25
    return [base, replace(base, **{name: other})]


def alone(each: Layer) -> str:
    """The digest of a network of that layer, whose shapes need not fit."""
    network = object.__new__(Network)
    for name, value in (("name", "net"), ("input", (3, 8, 8)), ("layers", (each,)), ("letter_box", False)):
        object.__setattr__(network, name, value)
    return digest(network)


@pytest.mark.parametrize(
    ("class_", "name"), [(of_class, item.name) for of_class in CLASSES for item in canonical.digested(of_class)]
)
def test_every_field_of_every_layer_changes_it(class_: type[Layer], name: str) -> None:
    one, other = others(class_, name)
    assert one != other
    assert alone(one) != alone(other)


def test_of_all_fields_only_these_are_not_part_of_it() -> None:
    left_out = {
        (each.__name__, item.name)
        for each in (*CLASSES, Network)
        for item in fields(each)
        if item not in canonical.digested(each)
    }
    assert left_out == {("Dropout", "probability"), ("Network", "name"), ("Network", "origin"), ("Network", "places")}


def test_layers_alike_in_every_field_differ_by_their_kind() -> None:
    kinds = [canonical.kind(of_class) for of_class in CLASSES]
    assert len(set(kinds)) == len(kinds) == 33
    assert len({alone(layer(each)) for each in CLASSES}) == 33


SMALL = Network("small", (3, 8, 8), (Convolution(sources=(-1,), filters=4), Softmax(sources=(0,))))


def test_every_field_of_a_network_that_changes_what_it_computes() -> None:
    one = digest(SMALL)
    assert re.fullmatch("v2:[0-9a-f]{64}", one)
    assert digest(replace(SMALL, letter_box=True)) != one
    assert digest(SMALL.resized(8, 9)) != digest(SMALL.resized(9, 8)) != one
    assert digest(replace(SMALL, layers=SMALL.layers[:1])) != one
    assert digest(replace(SMALL, name="other", origin="a.cfg:1", places=("a.cfg:2", "a.cfg:9"))) == one


def test_a_new_field_with_a_default_changes_nothing_until_it_is_used() -> None:
    extended = make_dataclass(
        "Convolution",
        [("dropblock", float, field(default=0.0)), ("taps", tuple[int, ...], field(default_factory=lambda: (1, 2)))],
        bases=(Convolution,),
        frozen=True,
        kw_only=True,
    )
    old = replace(SMALL, layers=(Convolution(sources=(-1,), filters=4, activation="mish"),))
    same = replace(SMALL, layers=(extended(sources=(-1,), filters=4, activation="mish"),))
    used = replace(SMALL, layers=(extended(sources=(-1,), filters=4, activation="mish", dropblock=0.1),))
    assert digest(old) == digest(same) != digest(used)


def test_a_new_field_of_the_network_changes_nothing_until_it_is_used() -> None:
    extended = make_dataclass(
        "Network", [("colours", str, field(default="rgb"))], bases=(Network,), frozen=True
    )  # placed after `places`
    assert digest(extended("small", SMALL.input, SMALL.layers)) == digest(SMALL)
    assert digest(extended("small", SMALL.input, SMALL.layers, colours="bgr")) != digest(SMALL)


def test_what_only_training_reads_is_not_part_of_it() -> None:
    trained = make_dataclass(
        "Convolution", [("decay", float, field(default=0.0, metadata=NOT_DIGESTED))], bases=(Convolution,), frozen=True
    )
    layers_ = (trained(sources=(-1,), filters=4, decay=0.5), SMALL.layers[1])
    assert digest(replace(SMALL, layers=layers_)) == digest(SMALL)
    assert alone(Dropout(sources=(-1,), probability=0.2)) == alone(Dropout(sources=(-1,)))


def test_a_class_may_be_renamed_and_its_fields_put_in_another_order() -> None:
    renamed = type("Pool2d", (MaxPool,), {})
    assert alone(renamed(sources=(-1,), size=2, stride=2, padding=1)) == alone(
        MaxPool(sources=(-1,), size=2, stride=2, padding=1)
    )

    @dataclass(frozen=True, kw_only=True)
    class Rearranged(Layer):
        kind: ClassVar[str] = "crop"
        noadjust: bool = False
        width: int = 1
        height: int = 1

    assert alone(Rearranged(sources=(-1,), width=3)) == alone(Crop(sources=(-1,), width=3))


@pytest.mark.parametrize("text", ["1.5", "1.50", "0.15e1", "15e-1", "+1.5"])
def test_the_look_of_a_number_in_a_cfg_is_none_of_it(tmp_path: Path, text: str) -> None:
    def read(scale: str) -> str:
        file = tmp_path / "net.cfg"
        file.write_text(f"[net]\nchannels=3\nheight=8\nwidth=8\n[upsample]\nstride=2\nscale={scale}\n")
        return digest(cfg.read(file).network)

    assert read(text) == read("1.5") != read("1.25")


@pytest.mark.parametrize("keys", ["learning_rate=0.5\nmomentum=0.1\ndecay=0.2", "burn_in=7\nmax_batches=3", "mosaic=1"])
def test_training_keys_of_a_cfg_are_none_of_it(tmp_path: Path, keys: str) -> None:
    def read(more: str) -> str:
        file = tmp_path / "net.cfg"
        file.write_text(f"[net]\nchannels=3\nheight=8\nwidth=8\n{more}\n[maxpool]\nsize=2\nstride=2\n")
        return digest(cfg.read(file).network)

    assert read(keys) == read("") != read("letter_box=1")


def test_whole_numbers_are_one_number_whatever_their_type() -> None:
    assert alone(Upsample(sources=(-1,), scale=3)) == alone(Upsample(sources=(-1,), scale=3.0))
    anchors = [((1, 2), (3.0, 4)), ((1.0, 2.0), (3.0, 4.0))]
    one, other = (Yolo(sources=(-1,), anchors=anchor, mask=(0,)) for anchor in anchors)
    assert alone(one) == alone(other)


class Word(StrEnum):
    """Equal to its values."""

    A = "a"


class Number(IntEnum):
    """Equal to its values."""

    A = 1


class Plain(Enum):
    """Not equal to its values."""

    A = "a"


@dataclass(frozen=True)
class Inner:
    """A dataclass within a layer."""

    kind: ClassVar[str] = "inner"
    size: int = 1
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Other(Inner):
    """Another of the same fields."""

    kind: ClassVar[str] = "other"


DIFFERENT = [
    None, 0, 1, -1, 2**53, 2**53 + 1, 0.1, 0.1 + 2**-56, float("inf"), "a", "", "1", "0.1", "null", "None",
    float.hex(0.1), Plain.A, (), ((),), (1,), ((1,),), (1, 2), ((1,), 2), (1, (2,)), ("1",), ("1,2",), ("1", "2"),
    (12,), ("a", "b"), ("ab",), ('a","b',), ("tuple",), ("float", float.hex(0.1)), ("enum", "a"), "v2:", Inner(),
    Inner(2), Inner(names=("a",)), Inner(2, ("a",)), Other(), (Inner(),), ("inner", ()), "é", "\\u00e9",
]  # fmt: skip


def test_different_values_have_different_forms() -> None:
    assert len({form(value) for value in DIFFERENT}) == len(DIFFERENT)
    assert form(1, 2) != form((1, 2)) != form((1,), 2)


@pytest.mark.parametrize(
    "equal", [(1, 1.0, True, Number.A), (0, 0.0, -0.0, False), ("a", Word.A), (Inner(), Inner(1, ()))]
)
def test_equal_values_have_one_form(equal: tuple[Any, ...]) -> None:
    assert len({form(value) for value in equal}) == 1


def test_the_form_is_as_documented() -> None:
    small = Network("x", (3, 4, 5), (Convolution(sources=(-1,), filters=4, batch_normalize=False), Route(sources=(0,))))
    assert canonical.text(canonical.settings(small)) == (
        '{"input":{"tuple":[3,4,5]},"layers":{"tuple":['
        '["convolutional",{"batch_normalize":0,"filters":4,"sources":{"tuple":[-1]}}],'
        '["route",{"sources":{"tuple":[0]}}]]}}'
    )
    assert form(0.1, Plain.A) == '{"values":{"tuple":[{"float":"0x1.999999999999ap-4"},{"enum":"a"}]}}'


@pytest.mark.parametrize("value", [[1], {"a": 1}, {1}, b"a", object(), make_dataclass("Kindless", ["x"])(1)])
def test_what_has_no_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match=type(value).__name__):
        form(value)


# --- the catalogue


def shown(value: Any) -> Any:
    return [shown(item) for item in value] if isinstance(value, tuple) else value


def snapshot() -> dict[str, Any]:
    """Every default that digests leave out, and the digest of every model. `python tests/network/test_digest.py`."""
    named: dict[str, type] = {
        "network": Network,
        **{str(canonical.kind(each)): each for each in sorted(CLASSES, key=lambda each: str(canonical.kind(each)))},
    }
    return {
        "defaults": {
            name: {
                item.name: shown(item.default)
                for item in canonical.digested(each)
                if item.default is not dataclasses.MISSING
            }
            for name, each in named.items()
        },
        "models": {name: digest(model.architecture()) for name, model in MODELS.items()},
    }


@pytest.mark.parametrize("part", ["defaults", "models"])
def test_the_catalogue_and_the_defaults_are_what_they_were(part: str) -> None:
    """A default never gets another value, or old digests would stand for new networks: see `canonical`."""
    assert snapshot()[part] == json.loads(SNAPSHOT.read_text())[part]


def test_equal_digests_are_equal_networks() -> None:
    built = [(digest(network), network) for network in (MODELS[name].build() for name in names_of_layered())]
    for mine, one in built:
        for theirs, other in built:
            same = (one.input, one.layers, one.letter_box) == (other.input, other.layers, other.letter_box)
            assert same is (mine == theirs)


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(snapshot(), indent=1) + "\n")
