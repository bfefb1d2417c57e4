"""Which of several sets of weights is taken from a checkpoint, and under which names."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import torch
from refusals import refuses

from cspbench.weights.states import KEYS, State, choose
from cspbench.zoo.timm_import import import_timm

NAMES = ("stem.conv1.conv.weight", "stages.0.conv_exp.bn.bias", "head.fc.bias")
FILE = Path("x.pth")


def named(mark: str, prefix: str = "") -> dict[str, Any]:
    return {f"{prefix}{name}": f"{mark} {name}" for name in NAMES}


def taken(content: dict[str, Any], ema: bool | None = None) -> State:
    return choose(FILE, content, ema)[0]


def mark(state: State) -> str:
    """The set that all tensors of a state are of."""
    assert [*state.tensors] == [*NAMES]
    (result,) = {value.partition(" ")[0] for value in state.tensors.values()}
    return str(result)


@pytest.mark.parametrize("keys", [keys for count in range(1, 5) for keys in combinations(KEYS[:4], count)], ids=str)
def test_the_choice_is_timms(keys: tuple[str, ...], tmp_path: Path) -> None:
    import_timm()
    from timm.models import load_state_dict

    content = {key: {name: torch.tensor(KEYS.index(key)) for name in NAMES} for key in reversed(keys)}
    torch.save({"epoch": 3, "arch": "cspresnet50", **content}, tmp_path / "x.pth")
    for ema in (None, False):
        timms = load_state_dict(str(tmp_path / "x.pth"), use_ema=ema is None)
        if ema is False and not {"state_dict", "model"} & {*keys}:
            with refuses("checkpoint.only-averaged", where=str(FILE), found=", ".join(keys)):
                taken(content, ema)
        else:
            assert taken(content, ema).tensors == timms


def test_averaged_weights_can_be_required() -> None:
    both = {"model": named("last"), "ema": named("averaged")}
    assert mark(taken(both)) == "last"  # timm does not know `ema`
    assert mark(taken(both, ema=True)) == "averaged"
    assert mark(taken({"epoch": 1, "ema": named("averaged")})) == "averaged"
    for content in ({"model": named("last")}, named("last")):
        with refuses("checkpoint.no-averaged", where=str(FILE)):
            taken(content, ema=True)
        assert mark(taken(content, ema=False)) == "last"


@pytest.mark.parametrize("value", [None, True, "cspresnet50", 0.9998])
def test_other_values_under_these_keys_are_not_weights(value: object) -> None:
    assert mark(taken({"state_dict_ema": value, "model": value, "state_dict": named("last")})) == "last"


def test_a_set_under_a_key_that_is_never_read_is_said() -> None:
    """Mmengine swaps the two: its state_dict is averaged, its ema_state_dict is not."""
    content = {"state_dict": named("averaged"), "ema_state_dict": named("last", "module."), "optimizer": {"state": {}}}
    state, said = choose(FILE, content)
    assert mark(state) == "averaged"
    assert said == {"taken": "state_dict, not ema_state_dict"}
    with refuses("checkpoint.no-averaged", found="state_dict"):
        choose(FILE, content, ema=True)
    both = {**content, "model_ema": named("b")}
    assert choose(FILE, both)[1] == {"taken": "model_ema, not state_dict, ema_state_dict; --no-ema takes state_dict"}
    assert choose(FILE, {"model": named("a"), "mean": {"r": 1.0}})[1] == {}


def test_what_was_taken_is_said_where_there_is_a_choice() -> None:
    assert choose(FILE, {"state_dict": named("a")})[1] == {}
    assert choose(FILE, {"state_dict": named("a"), "state_dict_ema": named("b")})[1] == {
        "taken": "state_dict_ema, not state_dict; --no-ema takes state_dict"
    }
    assert choose(FILE, {"state_dict": named("a"), "state_dict_ema": named("b")}, ema=False)[1] == {
        "taken": "state_dict, not state_dict_ema; --ema takes state_dict_ema"
    }
    assert choose(FILE, {"state_dict": named("a"), "model": named("b")})[1] == {"taken": "state_dict, not model"}


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "module.",
        "_orig_mod.",
        "module._orig_mod.",
        "_orig_mod.module.",
        "model.",
        "model._orig_mod.",
        "net.",
        "a.b.",
    ],
)
def test_what_trainers_put_before_names(prefix: str) -> None:
    assert mark(taken({"state_dict": named("x", prefix)})) == "x"
    assert mark(taken(named("x", prefix))) == "x"


def test_an_average_by_torch() -> None:
    assert mark(taken({**named("x", "module."), "n_averaged": 5})) == "x"


def test_what_else_a_lightning_module_holds_is_left_out_and_said() -> None:
    content = {"state_dict": {**named("x", "model."), "criterion.weight": 1, "accuracy.total": 2, "loss.head": 3}}
    state, said = choose(FILE, content)
    assert mark(state) == "x"
    assert said == {"left out": "tensors outside of the network: criterion.weight, accuracy.total, loss.head"}


def test_without_a_prefix_nothing_is_left_out() -> None:
    state, said = choose(FILE, {"state_dict": {**named("x"), "criterion.weight": 1}})
    assert [*state.tensors] == [*NAMES, "criterion.weight"]
    assert said == {}


@pytest.mark.parametrize("prefix", ["model_ema.", "ema_model.module.", "ema.", "callback.ema."])
def test_averaged_weights_beside_the_others_in_one_state(prefix: str) -> None:
    both = {"state_dict": {**named("last", "model."), **named("averaged", prefix)}}
    assert mark(taken(both)) == "averaged"
    assert mark(taken(both, ema=True)) == "averaged"
    assert mark(taken(both, ema=False)) == "last"


def test_two_networks_in_one_state() -> None:
    both = {"state_dict": {**named("one", "student."), **named("other", "teacher.")}}
    with refuses("checkpoint.several-networks", where=str(FILE), found="student, teacher"):
        taken(both)


def test_a_backbone_and_its_head_under_other_names() -> None:
    mm = {("head.fc.bias" if name.startswith("head") else f"backbone.{name}"): f"x {name}" for name in NAMES}
    assert mark(taken({"state_dict": mm})) == "x"
    assert mark(taken({"state_dict": {f"module.{name}": value for name, value in mm.items()}})) == "x"


def test_more_tensors_than_any_network_has() -> None:
    many = {f"stages.{at}.weight": at for at in range(10_001)}
    for content in (many, {"model": many, "state_dict": named("x")}):
        with refuses("checkpoint.too-many-tensors", where=str(FILE), found="10,001"):
            taken(content)
    del many["stages.0.weight"]
    assert len(taken({"model": many}).tensors) == 10_000


def test_names_of_very_many_parts() -> None:
    name = "." * 1_000_000 + "stem.conv1.bn.bias"
    assert [*taken({name: 1}).tensors] == [name]
