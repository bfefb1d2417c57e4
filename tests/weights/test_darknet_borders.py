"""Darknet weight files of exactly the size that counts, and headers at the borders of what one may say."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from weight_files import V010, V025, count_up, random_arrays, same, save

from cspbench.errors import WeightsError
from cspbench.network.cfg import writer as cfg_writer
from cspbench.network.layers import AvgPool, Convolution, Dropout, Layer, MaxPool
from cspbench.network.network import Network
from cspbench.weights import darknet, safetensors_file
from cspbench.weights.arrays import numbers_after
from cspbench.weights.header import Header
from cspbench.weights.opening import open_weights
from cspbench.weights.summary import summary
from cspbench.zoo.registry import model

PLAIN = Convolution(sources=(-1,), filters=3, batch_normalize=False)  # 3 + 6 numbers


def network(*layers: Layer) -> Network:
    return Network("hand", (2, 4, 4), layers)


SILENT = network(
    MaxPool(sources=(-1,), size=1, stride=1, padding=0),  # stores nothing
    Dropout(sources=(0,)),
    Convolution(sources=(1,), filters=3, batch_normalize=False),  # 9 numbers
    AvgPool(sources=(2,)),
    Convolution(sources=(3,), filters=2, batch_normalize=False),  # 2 + 6
    Dropout(sources=(4,)),
)


# --- partial files


@pytest.mark.parametrize("net", [SILENT, network(PLAIN)])
@pytest.mark.parametrize("header", [V010, V025])
@pytest.mark.parametrize("partial", [False, True])
def test_a_header_without_a_body_is_no_file_of_a_network(
    tmp_path: Path, net: Network, header: bytes, partial: bool
) -> None:
    """Also where the first layers store nothing, so that their numbers would all be there."""
    with pytest.raises(WeightsError) as caught:
        darknet.read(save(tmp_path, header), net, partial)
    assert caught.value.found == str(len(header))
    assert "--partial" not in str(caught.value.remedy)


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize("header", [V010, V025])
def test_a_network_that_stores_nothing_is_a_header(tmp_path: Path, header: bytes, partial: bool) -> None:
    read = darknet.read(save(tmp_path, header), network(Dropout(sources=(-1,))), partial)
    assert (read.layers, read.complete) == (1, True)


@pytest.mark.parametrize(("numbers", "layers"), [(9, 4), (17, 6)])
def test_a_partial_file_holds_the_layers_up_to_the_next_that_stores(tmp_path: Path, numbers: int, layers: int) -> None:
    path = save(tmp_path, V025 + count_up(numbers))
    for read in (darknet.read(path, SILENT, partial=True), open_weights(path, SILENT, partial=True)):
        assert (read.layers, read.complete) == (layers, layers == 6)
        assert read.arrays[2]["weight"].ravel().tolist() == [4, 5, 6, 7, 8, 9]
        assert bool(read.arrays[4]) is (layers == 6)
    if layers < 6:
        for refused in (darknet.read, open_weights):
            with pytest.raises(WeightsError) as caught:
                refused(path, SILENT)
            assert f"{layers} layers" in str(caught.value.remedy)


@pytest.mark.parametrize("numbers", [1, 8, 10, 16, 18])
def test_a_number_less_or_more_is_no_partial_file(tmp_path: Path, numbers: int) -> None:
    for partial in (False, True):
        with pytest.raises(WeightsError) as caught:
            darknet.read(save(tmp_path, V025 + count_up(numbers)), SILENT, partial)
        assert caught.value.found == str(20 + 4 * numbers)


def test_what_a_partial_file_holds_is_checked(tmp_path: Path) -> None:
    damaged = count_up(8) + struct.pack("<f", np.nan)
    for partial in (False, True):
        with pytest.raises(WeightsError):
            darknet.read(save(tmp_path, V025 + damaged), SILENT, partial)


def test_only_models_that_a_file_fills_are_proposed(tmp_path: Path) -> None:
    """One whose first layers are as long as the file is no model of that size."""
    net = model("darknet").build()
    for layer, proposed in ((len(net.layers) - 1, True), (4, False)):
        path = save(tmp_path, V025)
        os.truncate(path, 20 + 4 * numbers_after(net)[layer])
        with pytest.raises(WeightsError) as caught:
            darknet.read(path, SILENT)
        names = re.split(r"[ ,:;]+", str(caught.value.remedy))
        assert ("darknet" in names) is proposed


# --- headers


@pytest.mark.parametrize(
    ("version", "size"),
    [
        *(((0, 0, 0), 16), ((0, 1, 0), 16), ((0, 1, 9), 16), ((0, 2, 0), 20), ((0, 2, 5), 20), ((0, 10, 0), 20)),
        *(((1, 0, 0), 20), ((1, 1, 0), 20), ((2, 0, 0), 20), ((999, 0, 0), 20), ((0, 999, 9999), 20)),
        *(((1000, 0, 0), 16), ((0, 1000, 0), 16), ((1000, 999, 0), 16), ((9999, 9999, 9999), 16)),
    ],
)
def test_the_length_of_a_header(tmp_path: Path, version: tuple[int, int, int], size: int) -> None:
    """64 bits for the images seen from 10 * major + minor = 2 on, unless one of them is 1000 or more."""
    header = Header(*version, 7)
    assert (header.size, header.wide) == (size, size == 20)
    data = struct.pack("<iiiQ" if size == 20 else "<iiiI", *version, 7)
    assert (header.pack(), Header.unpack(data)) == (data, header)
    read = darknet.read(save(tmp_path, data + count_up(9)), network(PLAIN))
    assert read.header == header
    for cut in range(12, size):
        with pytest.raises(WeightsError):
            darknet.read(save(tmp_path, data[:cut]), network(Dropout(sources=(-1,))))


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("value", [-1, 10_000, 2**31 - 1, -(2**31)])
def test_a_version_that_no_darknet_wrote(tmp_path: Path, number: int, value: int) -> None:
    version = [0, 2, 5]
    version[number] = value
    assert not Header(*version).plausible
    with pytest.raises(WeightsError) as caught:
        darknet.read(save(tmp_path, struct.pack("<iiiQ", *version, 0) + count_up(9)), network(PLAIN))
    assert caught.value.found == ".".join(map(str, version))


@pytest.mark.parametrize(("minor", "transposed"), [(999, False), (1000, False), (1001, True), (9999, True)])
def test_weights_are_transposed_above_1000(minor: int, transposed: bool) -> None:
    assert Header(0, minor, 0).transposed is Header(minor, 0, 0).transposed is transposed


@pytest.mark.parametrize(
    ("minor", "seen", "fits"),
    [
        *((1, 2**32 - 1, True), (1, 2**32, False), (1, -1, False)),
        *((2, 2**32, True), (2, 2**64 - 1, True), (2, 2**64, False), (2, -1, False)),
    ],
)
def test_the_most_images_seen(tmp_path: Path, minor: int, seen: int, fits: bool) -> None:
    net, path, header = network(PLAIN), tmp_path / "net.weights", Header(0, minor, 0, seen)
    if fits:
        darknet.write(path, net, random_arrays(net), header)
        assert darknet.read(path, net).header == header
    else:
        with pytest.raises(struct.error):
            darknet.write(path, net, random_arrays(net), header)
        assert not list(tmp_path.iterdir())
    assert header.plausible is fits


def test_todays_header_is_the_default() -> None:
    header = Header()
    assert (header.version, header.seen, header.size) == ("0.2.5", 0, 20)


@pytest.mark.parametrize(
    ("version", "seen", "header"),
    [
        ("0.2.5", "0", Header(0, 2, 5, 0)),
        ("1.10.0", "9" * 19, Header(1, 10, 0, 10**19 - 1)),
        *(("0.2.5", seen, None) for seen in ("9" * 20, "", "-1", "7x", "x7", "7.0", " 7")),
        *((version, "7", None) for version in ("", "0.2", "0.2.5.1", "0.2.5x", "x0.2.5", "-1.2.5", f"{10**9}.2.5")),
    ],
)
def test_the_header_that_safetensors_metadata_says(
    tmp_path: Path, version: str, seen: str, header: Header | None
) -> None:
    from safetensors.numpy import save_file

    net, path = network(PLAIN), tmp_path / "net.safetensors"
    tensors = {f"layers.0.{role}": array for role, array in random_arrays(net)[0].items()}
    save_file(tensors, path, {"network": "hand", "darknet_version": version, "images_seen": seen})
    assert safetensors_file.read(path, net).header == header
    for only in ({"darknet_version": version}, {"images_seen": seen}):
        save_file(tensors, path, only)
        assert safetensors_file.read(path, net).header is None


def test_safetensors_of_a_network_whose_layers_store_little(tmp_path: Path) -> None:
    path, arrays = tmp_path / "net.safetensors", random_arrays(SILENT)
    safetensors_file.write(path, SILENT, arrays, Header(0, 1, 0, 5))
    read = safetensors_file.read(path, SILENT)
    assert same(read.arrays, arrays)
    assert (read.layers, read.complete, read.header) == (6, True, Header(0, 1, 0, 5))
    assert same(open_weights(path, SILENT).arrays, arrays)
    with pytest.raises(WeightsError):  # the last layer's tensors are left over
        safetensors_file.read(path, Network("less", (2, 4, 4), SILENT.layers[:4]))


def test_torch_is_imported_for_checkpoints_only(tmp_path: Path) -> None:
    arrays = random_arrays(SILENT)
    darknet.write(tmp_path / "a.weights", SILENT, arrays)
    safetensors_file.write(tmp_path / "b.safetensors", SILENT, arrays)
    script = (
        "import sys; from pathlib import Path\n"
        "from cspbench.network import cfg; from cspbench.weights.opening import open_weights\n"
        "network = cfg.parse(sys.argv[2], 'hand').network\n"
        "for path in sorted(Path(sys.argv[1]).iterdir()): assert open_weights(path, network).complete\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path, cfg_writer.write(SILENT)], check=False, timeout=300)
    assert done.returncode == 0


def test_a_summary_in_numbers(tmp_path: Path) -> None:
    net = network(Convolution(sources=(-1,), filters=4), AvgPool(sources=(0,)))
    variance = np.array([0.0009, 0.001, 0.0011, 0], np.float32)  # two below 1e-3, one exactly there
    arrays = random_arrays(net)
    weight = np.arange(-4, 4, dtype=np.float32).reshape(4, 2, 1, 1)
    arrays[0].update(variance=variance, weight=weight, bias=np.full(4, 0.5, np.float32))
    path = tmp_path / "net.weights"
    darknet.write(path, net, arrays, Header(0, 1, 0, 9))
    read = darknet.read(path, net)
    lines = summary(read, net, [])
    assert lines["bytes"] == str(16 + 4 * (4 * 4 + 8))
    assert "0.1.0" in lines["header"]
    assert "16 bytes" in lines["header"]
    assert "9 images" in lines["header"]
    assert lines["layers"].startswith("2 of 2, 1 ")
    assert lines["numbers"].startswith("24")
    assert lines["weight"] == "-4 to 3"
    assert lines["bias"] == "0.5 to 0.5"
    assert lines["variance"].startswith("0 to 0.0011; 2 of 4 ")
    assert lines["sha256"] == read.sha256
    assert lines["network"] == "hand"
    assert "twin" in summary(read, net, ["twin"])["network"]
    known, other = (summary(read, net, [], (sha256, None)) for sha256 in (read.sha256, "0" * 64))
    assert known["sha256"] != other["sha256"]
    assert ("not" in known["sha256"], "not" in other["sha256"]) == (False, True)
