"""Weights in the formats of other programs: what these read, and what comes back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from refusals import refuses
from timm_cspnet import SHAPES, constants, tensors
from weight_files import random_arrays, same

from cspbench.network.builder import Builder
from cspbench.network.module import to_module
from cspbench.weights.arrays import Weights
from cspbench.weights.header import Header
from cspbench.weights.opening import open_weights
from cspbench.weights.writing import Form, write
from cspbench.zoo.registry import model


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("form", ["timm", "mmpretrain"])
def test_a_checkpoint_comes_back_as_it_was(name: str, form: Form, tmp_path: Path) -> None:
    original = constants(name) if form == "timm" else _constants_of_mmpretrain(name)
    torch.save(original, tmp_path / "in.pth")
    network = model(name).build()
    write(tmp_path / "out.pth", form, network, open_weights(tmp_path / "in.pth", network))
    state = torch.load(tmp_path / "out.pth", weights_only=True)
    assert set(state) == set(original)
    for key, tensor in original.items():
        assert state[key].shape == tensor.shape
        if not key.endswith("num_batches_tracked"):
            assert torch.equal(state[key], tensor), key


def _constants_of_mmpretrain(name: str) -> dict[str, torch.Tensor]:
    return {
        each: torch.tensor(0.25 + at / 1024).expand(result.shape) if result.ndim else result
        for at, (each, result) in enumerate(tensors(name, mmpretrain=True).items())
    }


def test_timm_in_safetensors(tmp_path: Path) -> None:
    network = model("timm/cspresnext50").build()
    torch.save(constants(network.name), tmp_path / "in.pth")
    read = open_weights(tmp_path / "in.pth", network)
    write(tmp_path / "out.safetensors", "timm", network, read)
    assert open_weights(tmp_path / "out.safetensors", network).digest == read.digest


def test_a_state_dict_loads_strictly_and_is_read_again(tmp_path: Path) -> None:
    b = Builder("small", (3, 8, 8))
    b.conv(4, 3)
    b.conv(2, 1, batch_normalize=False, activation="linear")
    network = b.network()
    arrays = random_arrays(network)
    write(tmp_path / "a.pth", "state-dict", network, Weights(tmp_path, arrays, 2, Header()))
    state = torch.load(tmp_path / "a.pth", weights_only=True)
    to_module(network).load_state_dict(state, strict=True)
    assert same(open_weights(tmp_path / "a.pth", network).arrays, arrays)
    torch.save({"epoch": 1, "state_dict": state}, tmp_path / "b.pth")
    assert same(open_weights(tmp_path / "b.pth", network).arrays, arrays)
    write(tmp_path / "c.pth", "state-dict", network, Weights(tmp_path, arrays, 2, Header()))
    assert (tmp_path / "a.pth").read_bytes() == (tmp_path / "c.pth").read_bytes()


def test_a_darknet_network_is_not_timms(tmp_path: Path) -> None:
    b = Builder("csdarknet53", (3, 8, 8))
    b.conv(4, 3)
    with refuses("usage.not-a-card"):
        write(tmp_path / "a.pth", "timm", b.network(), Weights(tmp_path, random_arrays(b.network()), 1))
