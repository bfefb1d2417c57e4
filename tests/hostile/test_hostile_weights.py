"""Hostile weight files: headers and sizes that lie, and Darknet and safetensors files with random damage."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contract import chosen, fuzz, refused, result_of
from hypothesis import given

from cspbench.network import cfg
from cspbench.network.network import Network
from cspbench.weights import darknet, safetensors_file
from cspbench.weights.arrays import Array, Weights
from cspbench.weights.header import Header
from cspbench.weights.opening import open_weights

NET = cfg.parse(
    "[net]\nwidth=4\nheight=4\nchannels=2\n[convolutional]\nbatch_normalize=1\nfilters=3\n[avgpool]\n", "net"
)


def arrays(network: Network) -> tuple[dict[str, Array], ...]:
    return tuple(
        {weight.role: np.full(weight.shape, 0.5, np.float32) for weight in network.weights(index)}
        for index in range(len(network.layers))
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Darknet file of each header and a safetensors file, all whole."""
    folder = tmp_path_factory.mktemp("weights")
    darknet.write(folder / "old.weights", NET.network, arrays(NET.network), Header(0, 1, 0, 64))
    darknet.write(folder / "new.weights", NET.network, arrays(NET.network), Header(0, 2, 5, 64))
    safetensors_file.write(folder / "x.safetensors", NET.network, arrays(NET.network), Header())
    return folder


def _wholes() -> list[bytes]:
    numbers = np.full(18, 0.5, "<f4").tobytes()
    return [Header(0, 1, 0, 64).pack() + numbers, Header(0, 2, 5, 64).pack() + numbers]


def test_the_whole_files_are_read(folder: Path) -> None:
    assert [(folder / f"{name}.weights").read_bytes() for name in ("old", "new")] == _wholes()
    for path in folder.iterdir():
        assert isinstance(result_of(lambda path=path: open_weights(path, NET.network)), Weights)  # type: ignore[misc]


@fuzz(150)
@given(data=chosen(_wholes()))
def test_damaged_darknet_files(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.weights"
    path.write_bytes(data)
    result = result_of(lambda: open_weights(path, NET.network), path)
    if isinstance(result, Weights):
        values = [array for layer in result.arrays for array in layer.values()]
        assert sum(array.size for array in values) == 18
        assert all(np.isfinite(array).all() for array in values)


def safetensors(header: dict[str, Any] | bytes, numbers: bytes = bytes(72), length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + numbers


def tensors(**changes: dict[str, Any]) -> dict[str, Any]:
    """The header of a file for `NET`; each change names an array."""
    shapes = {"bias": [3], "scale": [3], "mean": [3], "variance": [3], "weight": [3, 2, 1, 1]}
    result, at = {}, 0
    for role, shape in shapes.items():
        size = 4 * int(np.prod(shape))
        result[f"layers.0.{role}"] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
        result[f"layers.0.{role}"] |= changes.get(role, {})
        at += size
    return result


@fuzz(150)
@given(data=chosen([safetensors(tensors()), safetensors({"__metadata__": {"network": "net"}, **tensors()})]))
def test_damaged_safetensors(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.safetensors"
    path.write_bytes(data)
    result_of(lambda: open_weights(path, NET.network), path)


HUGE = 2**62


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (safetensors(tensors(), length=2**27), "not-darknet"),
        (safetensors(tensors(), length=HUGE), "not-darknet"),
        (safetensors(tensors(weight={"shape": [HUGE, 2, 1, 1]})), "safetensors-unreadable"),
        (safetensors(tensors(weight={"shape": [3, 2, -1, 1]})), "safetensors-unreadable"),
        (safetensors(tensors(weight={"data_offsets": [48, HUGE]})), "safetensors-unreadable"),
        (safetensors(tensors(weight={"data_offsets": [0, 24]})), "safetensors-unreadable"),
        (safetensors(tensors(bias={"data_offsets": [12, 0]})), "safetensors-unreadable"),
        (safetensors(tensors(bias={"dtype": "F64"})), "safetensors-unreadable"),
        (safetensors(tensors(bias={"dtype": "BF16"})), "safetensors-unreadable"),
        (safetensors(tensors(), numbers=bytes(68)), "safetensors-unreadable"),
        (safetensors(b'{"a":' * 9999), "safetensors-unreadable"),
        (
            safetensors(b'{"layers.0.bias":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}', b"\xff" * 12),
            "other-tensors",
        ),
        (
            safetensors({"__metadata__": {"network": "two\nlines\x1b"}, "layers.9.x": tensors()["layers.0.bias"]}),
            "safetensors-unreadable",
        ),
    ],
)
def test_safetensors_that_lie(data: bytes, code: str, tmp_path: Path) -> None:
    path = tmp_path / "lying.safetensors"
    path.write_bytes(data)
    refused(lambda: open_weights(path, NET.network), f"weights.{code}", path)


def test_a_header_of_100_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "long.safetensors"
    path.write_bytes(safetensors(b'{"__metadata__":{"a":"' + b"b" * 101_000_000 + b'"}}'))
    refused(lambda: open_weights(path, NET.network), "weights.safetensors-unreadable", path)


@pytest.mark.parametrize(
    ("header", "code", "found"),
    [
        (struct.pack("<iiiQ", 0, 2**30, 0, 0), "not-darknet", "0.1073741824.0"),
        (struct.pack("<iiiQ", -1, 2, 0, 0), "not-darknet", "-1.2.0"),
        (struct.pack("<iiiQ", 0, 1, 0, 0), "too-long", "92"),
        (struct.pack("<iiiI", 0, 2, 0, 0), "too-short", "88"),
    ],
)
def test_headers_that_lie(header: bytes, code: str, found: str, tmp_path: Path) -> None:
    path = tmp_path / "lying.weights"
    path.write_bytes(header + _wholes()[0][16:])
    refused(lambda: open_weights(path, NET.network), f"weights.{code}", path, found=found)


def test_weights_of_another_network_of_the_same_size(tmp_path: Path) -> None:
    # which array comes when is not in the file: what gives it away is a variance below zero
    net, norm, plain = "[net]\nwidth=4\nheight=4\nchannels=2\n", "[conv]\nfilters=2\nbatch_normalize=1\n", "[conv]\n"
    one = cfg.parse(f"{net}{norm}{plain}filters=2\n", "one").network
    other = cfg.parse(f"{net}{plain}filters=2\n{norm}", "other").network
    path = tmp_path / "one.weights"
    trained = arrays(one)
    trained[1]["bias"][:] = -0.5
    darknet.write(path, one, trained)
    assert isinstance(result_of(lambda: darknet.read(path, one)), Weights)
    where = f"{path}, other:7, layer 1 [convolutional], variance"
    refused(lambda: darknet.read(path, other), "weights.negative-variance", path, found="-0.5", where=where)


def test_a_file_cut_off_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "short.weights"
    path.write_bytes(_wholes()[1])
    layer_count = darknet._layer_count

    def cut(*arguments: Any) -> int:
        os.truncate(path, 40)
        return layer_count(*arguments)

    monkeypatch.setattr(darknet, "_layer_count", cut)
    refused(lambda: darknet.read(path, NET.network), "weights.changed", path)
