"""Checkpoints of timm and mmpretrain: the same logits from our layers, and no code run to read them."""

from __future__ import annotations

import argparse
import collections
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from refusals import refuses
from safetensors.torch import save_file
from timm_cspnet import SHAPES, constants, tensors
from torch import Tensor
from weight_files import random_arrays, same, save

from cspbench.network.module import to_module
from cspbench.weights import checkpoint, darknet, safetensors_file, states
from cspbench.weights.arrays import Weights
from cspbench.weights.filekind import Kind
from cspbench.weights.loading import load
from cspbench.weights.opening import open_weights
from cspbench.zoo.registry import model
from cspbench.zoo.timm_import import import_timm

SMALLEST = "timm/cspresnext50"


def logits(name: str, weights: Weights, x: Tensor) -> Tensor:
    network = model(name).build().resized(*x.shape[2:])
    with torch.inference_mode():
        result: Tensor = load(to_module(network), network, weights)(x)
    return result.flatten(1)


def image() -> Tensor:
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("name", SHAPES)
def test_the_logits_are_timms(name: str, tmp_path: Path) -> None:
    timms = import_timm().create_model(name.removeprefix("timm/")).eval()
    assert list(timms.state_dict()) == list(tensors(name))
    timms.load_state_dict(tensors(name))
    save_file(tensors(name), tmp_path / "model.safetensors")
    torch.save({"meta": {"epoch": 1}, "state_dict": tensors(name, mmpretrain=True)}, tmp_path / "mm.pth")
    with torch.inference_mode():
        expected = timms(image())
    for file in ("model.safetensors", "mm.pth"):
        weights = open_weights(tmp_path / file, model(name).build())
        result = logits(name, weights, image())
        assert result.shape == expected.shape
        assert (result - expected).abs().max() < 3e-6 * expected.abs().max()
        assert (weights.complete, weights.header) == (True, None)


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return constants(SMALLEST)


def read(path: Path) -> Weights:
    return checkpoint.read(path, model(SMALLEST).build())


@pytest.mark.parametrize("key", states.KEYS)
def test_nested_tensors_and_data_parallel_names(key: str, state: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(state, tmp_path / "plain.pth")
    wrapped = {f"module.{name}": value.double() for name, value in state.items()}
    torch.save({"epoch": 3, "arch": "cspresnext50", key: wrapped}, tmp_path / "nested.pth")
    assert same(read(tmp_path / "nested.pth").arrays, read(tmp_path / "plain.pth").arrays)


def test_averaged_weights_come_first(state: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save({"state_dict": constants(SMALLEST, 0.5), "state_dict_ema": state}, tmp_path / "both.pth")
    torch.save(state, tmp_path / "plain.pth")
    assert same(read(tmp_path / "both.pth").arrays, read(tmp_path / "plain.pth").arrays)


@pytest.mark.parametrize(
    ("first", "second"), [("state_dict_ema", "model_ema"), ("model_ema", "state_dict"), ("state_dict", "model")]
)
def test_of_several_states_the_first_that_timm_looks_for(
    first: str, second: str, state: dict[str, Tensor], tmp_path: Path
) -> None:
    torch.save({second: constants(SMALLEST, 0.5), first: state}, tmp_path / "both.pth")
    assert read(tmp_path / "both.pth").arrays[0]["bias"][0] == state["stem.conv1.bn.bias"][0]


def test_old_pickles_and_convolutional_classifiers(state: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(state, tmp_path / "new.pth")
    fc = {"head.fc.weight": state["head.fc.weight"][:, :, None, None]}
    torch.save({**state, **fc}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert (tmp_path / "old.pth").read_bytes()[0] == 0x80
    assert same(read(tmp_path / "old.pth").arrays, read(tmp_path / "new.pth").arrays)


def _without(name: str) -> Callable[[dict[str, Tensor]], Any]:
    return lambda state: {each: value for each, value in state.items() if each != name}


def _with(name: str, value: Tensor) -> Callable[[dict[str, Tensor]], Any]:
    return lambda state: {**state, name: value}


@pytest.mark.parametrize(
    ("change", "expected", "found"),
    [
        (_without("stem.conv1.bn.bias"), "stem.conv1.bn.bias of (64,)", "head.fc.bias"),
        (_without("head.fc.bias"), "head.fc.bias of (1000,)", "head.fc.weight"),
        (_with("stages.9.conv.weight", torch.zeros(1)), SMALLEST, "stages.9.conv.weight"),
        (_with("head.fc.weight", torch.zeros(21841, 2048)), "head.fc.weight of (1000, 2048, 1, 1)", "(21841, 2048)"),
        (_with("stem.conv1.conv.weight", torch.zeros(64, 3, 3, 3)), "of (64, 3, 7, 7)", "(64, 3, 3, 3)"),
        (_with("stem.conv1.bn.bias", "text"), "tensors", "stem.conv1.bn.bias"),  # type: ignore[arg-type]
        (lambda state: {"model": {}}, "state_dict_ema", "nothing"),
        (lambda state: [1, 2], "tensors", "a list"),
        (lambda state: constants("timm/cspresnet50"), "blocks.0.conv1.bn.bias of (128,)", "(64,)"),
    ],
)
def test_checkpoints_that_do_not_fit(
    change: Callable[[dict[str, Tensor]], Any], expected: str, found: str, state: dict[str, Tensor], tmp_path: Path
) -> None:
    torch.save(change(state), tmp_path / "bad.pth")
    with refuses("checkpoint.other-tensors", where=str(tmp_path / "bad.pth")) as caught:
        read(tmp_path / "bad.pth")
    assert expected in str(caught.value.expected)
    assert found in str(caught.value.found)


@pytest.mark.parametrize(
    ("name", "value", "code", "role"),
    [
        ("stem.conv1.bn.bias", torch.nan, "weights.not-finite", "bias"),
        ("stem.conv1.bn.running_var", -1.0, "weights.negative-variance", "variance"),
    ],
)
def test_values_that_no_network_has(
    name: str, value: float, code: str, role: str, state: dict[str, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "bad.pth"
    torch.save({**state, name: torch.full((64,), value)}, path)
    with refuses(code, where=f"{path}, {SMALLEST}, layer 0 [convolutional], {role}"):
        read(path)


def test_half_precision_is_read_as_the_numbers_it_holds(state: dict[str, Tensor], tmp_path: Path) -> None:
    halves = {name: value.half().contiguous() if value.ndim else value for name, value in state.items()}
    save_file(halves, tmp_path / "half.safetensors")
    torch.save(halves, tmp_path / "half.pth")
    arrays = read(tmp_path / "half.safetensors").arrays
    assert arrays[0]["bias"].dtype == "float32"
    assert arrays[0]["bias"].tolist() == halves["stem.conv1.bn.bias"].tolist()
    assert same(read(tmp_path / "half.pth").arrays, arrays)


def test_number_formats_of_safetensors(state: dict[str, Tensor], tmp_path: Path) -> None:
    for kind in (torch.float64, torch.bfloat16):
        other = {name: (value.to(kind) if value.ndim else value).contiguous() for name, value in state.items()}
        save_file(other, tmp_path / "other.safetensors")
        torch.save(other, tmp_path / "other.pth")
        arrays = read(tmp_path / "other.safetensors").arrays
        assert arrays[0]["bias"].tolist() == other["stem.conv1.bn.bias"].tolist()
        assert same(read(tmp_path / "other.pth").arrays, arrays)


class _Hostile:
    """Creates a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("kind", ["zip", "legacy", "pickle"])
def test_a_hostile_pickle_runs_no_code(tmp_path: Path, kind: str, protocol: int) -> None:
    target, path = tmp_path / "made", tmp_path / "evil.pth"
    evil = {"state_dict": _Hostile(target)}
    if kind == "pickle":
        path.write_bytes(pickle.dumps(evil, protocol))
    else:
        torch.save(evil, path, pickle_protocol=protocol, _use_new_zipfile_serialization=kind == "zip")
    with refuses("checkpoint.unreadable", where=str(path)) as caught:
        read(path)
    if protocol == 2 and kind != "pickle":  # the one that torch writes, so that it gets as far as the name
        assert ".mkdir" in str(caught.value.found)
    with refuses("weights.other-kind", found=(Kind.ZIP if kind == "zip" else Kind.PICKLE).value[0]):
        darknet.read(path, model("darknet").build())
    assert not target.exists()
    pickle.loads(pickle.dumps(evil))
    assert target.exists()  # it would have


def test_archives_that_are_no_checkpoint(tmp_path: Path, state: dict[str, Tensor]) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("a.jpg", "x")
    torch.save(state, tmp_path / "good.pth")
    cut = save(tmp_path, (tmp_path / "good.pth").read_bytes()[:-1000], "cut.pth")
    for path in (tmp_path / "photos.zip", cut, save(tmp_path, b"text, not a checkpoint", "text.pth")):
        with refuses("checkpoint.unreadable", where=str(path)):
            read(path)


def test_only_timms_models_are_read_from_checkpoints(tmp_path: Path, state: dict[str, Tensor]) -> None:
    torch.save(state, tmp_path / "x.pth")
    with refuses("checkpoint.not-darknet", where=str(tmp_path / "x.pth")):
        open_weights(tmp_path / "x.pth", model("csresnext50").build())


def test_any_kind_of_file_is_opened_by_its_contents(tmp_path: Path) -> None:
    network = model("csmobilenet-v2").build()
    arrays = random_arrays(network)
    darknet.write(tmp_path / "one.bin", network, arrays)
    safetensors_file.write(tmp_path / "other.bin", network, arrays)
    assert same(open_weights(tmp_path / "one.bin", network).arrays, arrays)
    assert same(open_weights(tmp_path / "other.bin", network).arrays, arrays)


def test_what_timms_train_script_writes(state: dict[str, Tensor], tmp_path: Path) -> None:
    layer = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(2)).sum().backward()
    optimizer.step()
    written: dict[str, Any] = {
        "epoch": 299,
        "arch": "cspresnext50",
        "state_dict": {f"module.{name}": value for name, value in constants(SMALLEST, 0.5).items()},
        "optimizer": optimizer.state_dict(),
        "version": 2,
        "args": argparse.Namespace(model="cspresnext50", lr=0.1, decay_milestones=[90, 180], mean=None),
        "amp_scaler": {"scale": 65536.0, "_growth_tracker": 1},
        "state_dict_ema": state,
        "metric": 78.9,
    }
    torch.save(state, tmp_path / "plain.pth")
    for options in ({}, {"_use_new_zipfile_serialization": False}):
        torch.save(written, tmp_path / "model_best.pth.tar", **options)
        weights = read(tmp_path / "model_best.pth.tar")
        assert same(weights.arrays, read(tmp_path / "plain.pth").arrays)
        assert "state_dict_ema" in weights.said["taken"]
    last = checkpoint.read(tmp_path / "model_best.pth.tar", model(SMALLEST).build(), ema=False)
    assert last.arrays[0]["bias"][0] == written["state_dict"]["module.stem.conv1.bn.bias"][0]


def test_what_lightning_writes(state: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(
        {
            "epoch": 9,
            "global_step": 1000,
            "pytorch-lightning_version": "2.2.0",
            "state_dict": {f"model._orig_mod.{name}": value for name, value in state.items()}
            | {"criterion.weight": torch.ones(1000)},
            "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 10}}}},
            "callbacks": {"ModelCheckpoint{'monitor': 'acc'}": {"best_model_score": torch.tensor(0.7)}},
            "optimizer_states": [{"state": {0: {"step": torch.tensor(5.0)}}, "param_groups": [{"params": [0]}]}],
            "lr_schedulers": [{"milestones": collections.Counter({30: 1}), "last_epoch": 10}],
            "hparams_name": "kwargs",
            "hyper_parameters": {"folder": Path("/data"), "lr": 0.1},
        },
        tmp_path / "last.ckpt",
    )
    torch.save(state, tmp_path / "plain.pth")
    weights = read(tmp_path / "last.ckpt")
    assert same(weights.arrays, read(tmp_path / "plain.pth").arrays)
    assert weights.said == {"left out": "tensors outside of the network: criterion.weight"}


def _head(state: dict[str, Tensor], classes: int) -> dict[str, Tensor]:
    return {**state, "head.fc.weight": torch.zeros(1).expand(classes, 2048), "head.fc.bias": torch.zeros(classes)}


def test_heads_of_other_classes(state: dict[str, Tensor], tmp_path: Path) -> None:
    path, network = tmp_path / "own.pth", model(SMALLEST).build()
    without = {name: value for name, value in state.items() if not name.startswith("head.")}
    for written, result in ((_head(state, 10), "a classifier of 10 classes"), (without, "no classifier")):
        torch.save({"state_dict": written}, path)
        with refuses(
            "checkpoint.other-classes", where=str(path), expected="a classifier of 1000 classes", found=result
        ):
            read(path)
        weights = checkpoint.read(path, network, partial=True)
        assert not weights.complete
        assert weights.layers == max(index for index in range(len(network.layers)) if network.weights(index))
        assert weights.said == {"head": f"{result}, left out"}
        assert weights.arrays[0]["bias"].tolist() == state["stem.conv1.bn.bias"].tolist()
        with refuses("weights.partial", where=str(path)):
            load(to_module(network), network, weights)
    torch.save(_head(state, 1000), path)
    assert checkpoint.read(path, network, partial=True).complete


def test_types_of_numbers_are_said(state: dict[str, Tensor], tmp_path: Path) -> None:
    halves = {name: (value.bfloat16() if value.ndim else value).contiguous() for name, value in state.items()}
    save_file(halves, tmp_path / "half.safetensors")
    torch.save(halves, tmp_path / "half.pth")
    assert read(tmp_path / "half.safetensors").said == {"stored as": "BF16, read as float32"}
    assert read(tmp_path / "half.pth").said == {"stored as": "torch.bfloat16, read as float32"}
