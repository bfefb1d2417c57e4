"""Weights are told by their arrays, whatever the format of their file."""

from __future__ import annotations

import hashlib
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from timm_cspnet import tensors
from weight_files import V010, V025, count_up, floats, random_arrays, save

from cspbench.network.layers import BatchNorm, Connected, Convolution
from cspbench.network.network import Network
from cspbench.weights import darknet, safetensors_file
from cspbench.weights.arrays import arrays_digest, digest
from cspbench.weights.catalogue import published, shipped
from cspbench.weights.opening import open_weights
from cspbench.zoo.registry import model

NET = Network("net", (2, 3, 3), (Convolution(sources=(-1,), filters=2), BatchNorm(sources=(0,))))
BODY = count_up(12 + 8)
"""bias, scale, mean, variance, kernels of the convolution; then the batch norm's four."""


def test_it_is_of_the_numbers_behind_darknets_header(tmp_path: Path) -> None:
    expected = hashlib.sha256(BODY).hexdigest()
    for name, header in (("a.weights", V010), ("b.weights", V025)):
        assert open_weights(save(tmp_path, header + BODY, name), NET).digest == expected
    read = open_weights(tmp_path / "a.weights", NET)
    safetensors_file.write(tmp_path / "c.safetensors", NET, read.arrays)
    darknet.write(tmp_path / "d.weights", NET, read.arrays)
    assert {open_weights(tmp_path / name, NET).digest for name in ("c.safetensors", "d.weights")} == {expected}
    assert read.sha256 == hashlib.sha256(V010 + BODY).hexdigest() == digest(tmp_path / "a.weights")


@pytest.mark.parametrize("at", [0, 11, 19])
def test_every_number_counts_to_its_last_bit(at: int) -> None:
    numbers = np.frombuffer(BODY, "<f4").copy()
    numbers[at] = np.nextafter(numbers[at], np.float32(np.inf))
    layers = ({"bias": numbers[:12]}, {"bias": numbers[12:]})
    assert arrays_digest(layers) == hashlib.sha256(numbers.tobytes()).hexdigest() != hashlib.sha256(BODY).hexdigest()


def test_connected_layers_are_in_the_order_of_today_s_files(tmp_path: Path) -> None:
    """Files of the original engine have them input by input: 2 outputs of 3 inputs, so 1 4, 2 5, 3 6."""
    net = Network("net", (3, 1, 1), (Connected(sources=(-1,), outputs=2),))
    plain = save(tmp_path, V025 + floats(7, 8, 1, 2, 3, 4, 5, 6), "plain.weights")
    turned = save(tmp_path, struct.pack("<iiiI", 0, 1001, 0, 0) + floats(7, 8, 1, 4, 2, 5, 3, 6), "turned.weights")
    assert open_weights(plain, net).digest == hashlib.sha256(floats(7, 8, 1, 2, 3, 4, 5, 6)).hexdigest()
    assert open_weights(turned, net).digest == open_weights(plain, net).digest


def test_a_checkpoint_and_what_it_is_converted_to(tmp_path: Path) -> None:
    name = "timm/cspresnext50"
    network = model(name).build()
    state = tensors(name)
    torch.save(state, tmp_path / "a.pth")
    torch.save({"state_dict": tensors(name, mmpretrain=True), "meta": {}}, tmp_path / "mm.pth")
    read = open_weights(tmp_path / "a.pth", network)
    darknet.write(tmp_path / "a.weights", network, read.arrays)
    safetensors_file.write(tmp_path / "a.safetensors", network, read.arrays)
    expected = hashlib.sha256((tmp_path / "a.weights").read_bytes()[20:]).hexdigest()
    assert {open_weights(path, network).digest for path in tmp_path.iterdir()} == {expected}
    first = next(key for key, value in state.items() if value.is_floating_point())
    torch.save({**state, first: state[first] + 1}, tmp_path / "b.pth")
    assert open_weights(tmp_path / "b.pth", network).digest != expected


def test_part_of_a_file_has_another(tmp_path: Path) -> None:
    part = save(tmp_path, V025 + BODY[: 4 * 12])
    read = darknet.read(part, NET, partial=True)
    assert (read.complete, read.digest) == (False, hashlib.sha256(BODY[: 4 * 12]).hexdigest())


def test_no_array_is_copied(tmp_path: Path) -> None:
    network = model("darknet").build()
    darknet.write(tmp_path / "net.weights", network, random_arrays(network))
    read = open_weights(tmp_path / "net.weights", network)
    tracemalloc.start()
    try:
        assert read.digest
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**18 < (tmp_path / "net.weights").stat().st_size / 20


# --- what the catalogue knows


@pytest.mark.parametrize("name", ["sample-csp-classifier", "sample-csp-detector"])
def test_the_catalogue_knows_the_arrays_of_the_sample(name: str) -> None:
    path = shipped(name)
    assert path is not None
    assert published(name)[1] == hashlib.sha256(path.read_bytes()[20:]).hexdigest()


@pytest.mark.reference("weights/yolov3-tiny.weights")
def test_the_catalogue_knows_the_arrays_of_a_published_file(shared: Path) -> None:
    data = (shared / "weights" / "yolov3-tiny.weights").read_bytes()
    version = struct.unpack_from("<iii", data)
    parts = (data, data[20 if version[:2] == (0, 2) else 16 :])
    assert tuple(hashlib.sha256(part).hexdigest() for part in parts) == published("yolov3-tiny")
