"""Weights as safetensors: the same arrays there and back, and nothing that does not fit."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from refusals import refuses
from safetensors.numpy import load_file, save_file
from weight_files import networks, random_arrays, same, save

from cspbench.network.layers import AvgPool, Convolution
from cspbench.network.network import Network
from cspbench.weights import darknet, safetensors_file
from cspbench.weights.arrays import arrays_digest
from cspbench.weights.catalogue import model_of
from cspbench.weights.header import Header

NET = Network("two", (3, 4, 4), (Convolution(sources=(-1,), filters=2), AvgPool(sources=(0,))))


@given(networks(), st.integers(0, 2**32 - 1))
def test_there_and_back(tmp_path_factory: pytest.TempPathFactory, network: Network, seed: int) -> None:
    folder = tmp_path_factory.mktemp("round")
    arrays, header = random_arrays(network, seed), Header(0, 2, 0, seed)
    darknet.write(folder / "a.weights", network, arrays, header)
    read = darknet.read(folder / "a.weights", network)
    safetensors_file.write(folder / "a.safetensors", network, read.arrays, read.header)
    again = safetensors_file.read(folder / "a.safetensors", network)
    assert same(again.arrays, arrays)
    assert (again.header, again.complete) == (header, True)
    darknet.write(folder / "b.weights", network, again.arrays, again.header)
    assert (folder / "b.weights").read_bytes() == (folder / "a.weights").read_bytes()


def test_names_and_metadata(tmp_path: Path) -> None:
    path = tmp_path / "two.safetensors"
    safetensors_file.write(path, NET, random_arrays(NET), Header(0, 1, 0, 5))
    assert {name: array.shape for name, array in load_file(path).items()} == {
        "layers.0.bn.bias": (2,),
        "layers.0.bn.weight": (2,),
        "layers.0.bn.running_mean": (2,),
        "layers.0.bn.running_var": (2,),
        "layers.0.bn.num_batches_tracked": (),
        "layers.0.conv.weight": (2, 3, 1, 1),
    }
    with safetensors_file.opened(path) as file:
        assert file.metadata() == {"network": "two", "darknet_version": "0.1.0", "images_seen": "5"}
    (tmp_path / "any file").touch()
    assert path.stat().st_mode == (tmp_path / "any file").stat().st_mode


def test_the_names_of_earlier_versions_are_read(tmp_path: Path) -> None:
    arrays = random_arrays(NET)
    save_file({f"layers.0.{role}": array for role, array in arrays[0].items()}, tmp_path / "old.safetensors")
    safetensors_file.write(tmp_path / "new.safetensors", NET, arrays)
    old, new = (safetensors_file.read(tmp_path / f"{age}.safetensors", NET) for age in ("old", "new"))
    assert same(old.arrays, arrays)
    assert old.digest == new.digest == arrays_digest(arrays)


@given(networks(), st.integers(0, 2**32 - 1))
def test_the_module_loads_the_file_strictly(
    tmp_path_factory: pytest.TempPathFactory, network: Network, seed: int
) -> None:
    from safetensors.torch import load_file as load_tensors

    from cspbench.network.module import to_module
    from cspbench.weights.loading import extract

    path = tmp_path_factory.mktemp("strict") / "a.safetensors"
    arrays = random_arrays(network, seed)
    safetensors_file.write(path, network, arrays)
    module = to_module(network)
    assert set(load_tensors(path)) == set(module.state_dict())
    module.load_state_dict(load_tensors(path), strict=True)
    assert same(extract(module, network), arrays)


def test_a_transposed_view_is_written_as_it_reads(tmp_path: Path) -> None:
    arrays = random_arrays(NET)
    turned = ({**arrays[0], "weight": np.asfortranarray(arrays[0]["weight"])}, arrays[1])
    safetensors_file.write(tmp_path / "a", NET, turned)
    assert same(safetensors_file.read(tmp_path / "a", NET).arrays, arrays)
    assert safetensors_file.read(tmp_path / "a", NET).header is None


def test_tensors_that_do_not_fit(tmp_path: Path) -> None:
    good = {f"layers.0.{role}": array for role, array in random_arrays(NET)[0].items()}
    missing = {name: array for name, array in good.items() if name != "layers.0.mean"}
    path = tmp_path / "x.safetensors"
    mean = "layers.0.mean as F32 of (2,)"
    cases: list[tuple[dict[str, NDArray[Any]], str, str]] = [
        (missing, "layers.0.mean", "none"),
        ({**good, "layers.1.weight": np.zeros(1, np.float32)}, "no more tensors", "layers.1.weight"),
        ({**good, "layers.0.mean": np.zeros(3, np.float32)}, mean, "F32 of (3,)"),
        ({**good, **{f"x\n{at}": np.zeros(1) for at in range(9)}}, "no more tensors", "x\\n0, "),
        ({**good, **{f"x\n{at}": np.zeros(1) for at in range(9)}}, "no more tensors", " 4 more"),
        ({**good, "layers.0.mean": np.zeros(2, np.int16)}, mean, "I16 of (2,)"),
    ]
    for tensors, expected, result in cases:
        save_file(tensors, path)
        with refuses("weights.other-tensors", where=str(path)) as caught:
            safetensors_file.read(path, NET)
        assert expected in str(caught.value.expected)
        assert result in str(caught.value.found)


def test_values_that_no_network_has(tmp_path: Path) -> None:
    good = {f"layers.0.{role}": array for role, array in random_arrays(NET)[0].items()}
    path = tmp_path / "x.safetensors"
    for role, value, code in (("variance", -1, "weights.negative-variance"), ("weight", np.nan, "weights.not-finite")):
        save_file({**good, f"layers.0.{role}": np.full_like(good[f"layers.0.{role}"], value)}, path)
        with refuses(code, where=f"{path}, two, layer 0 [convolutional], {role}"):
            safetensors_file.read(path, NET)


def test_files_that_are_damaged(tmp_path: Path) -> None:
    safetensors_file.write(tmp_path / "good", NET, random_arrays(NET))
    data = (tmp_path / "good").read_bytes()
    lying = struct.pack("<Q", 2**62) + data[8:]
    long = struct.pack("<Q", 2**24 + 8) + b"{}" + b" " * (2**24 + 6)
    for damaged in (data[:-4], data[:20], lying, long, data + b"more", data.replace(b"F32", b"F99")):
        path = save(tmp_path, damaged, "bad.safetensors")
        with refuses("weights.safetensors-unreadable", where=str(path)):
            safetensors_file.read(path, NET)


def test_arrays_that_do_not_fit_are_not_written(tmp_path: Path) -> None:
    with refuses("weights.array-shape", found="none"):
        safetensors_file.write(tmp_path / "x", NET, ({}, {}))
    (tmp_path / "file").write_text("")
    with refuses("disk.write-failed"):
        safetensors_file.write(tmp_path / "file" / "x", NET, random_arrays(NET))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("metadata", [{}, {"darknet_version": "0.2.5"}, {"darknet_version": "x", "images_seen": "-1"}])
def test_metadata_is_not_trusted(tmp_path: Path, metadata: dict[str, str]) -> None:
    save_file({f"layers.0.{role}": array for role, array in random_arrays(NET)[0].items()}, tmp_path / "x", metadata)
    assert safetensors_file.read(tmp_path / "x", NET).header is None
    with refuses("weights.unknown-model"):
        model_of(tmp_path / "x")


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_other_floating_point_types_are_read_as_the_numbers_they_hold(dtype: str, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file as save_tensors

    arrays = random_arrays(NET)
    tensors = {
        f"layers.0.{role}": torch.from_numpy(array).to(getattr(torch, dtype)) for role, array in arrays[0].items()
    }
    save_tensors(tensors, tmp_path / "x.safetensors")
    result = safetensors_file.read(tmp_path / "x.safetensors", NET)
    for role, array in result.arrays[0].items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, tensors[f"layers.0.{role}"].float().numpy())
    assert "read as float32" in result.said["stored as"]
