"""Darknet weight files: every array where Darknet puts it, and nothing accepted that Darknet did not write so."""

from __future__ import annotations

import hashlib
import os
import struct
import tracemalloc
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from weight_files import V010, V025, count_up, floats, networks, random_arrays, same, save

from cspbench.errors import CspbenchError, WeightsError
from cspbench.network import cfg
from cspbench.network.layers import AvgPool, BatchNorm, Connected, Convolution, Implicit, Shortcut
from cspbench.network.network import Network
from cspbench.weights import darknet
from cspbench.weights.arrays import Arrays, Weights
from cspbench.weights.header import Header
from cspbench.zoo.catalogue import model


def network(*layers: object, channels: int = 2) -> Network:
    return Network("hand", (channels, 4, 4), layers)  # type: ignore[arg-type]


CONV = Convolution(sources=(-1,), filters=3, size=1)
PLAIN = Convolution(sources=(-1,), filters=3, size=1, batch_normalize=False)


def values(weights: Weights, layer: int) -> dict[str, list[float]]:
    return {role: array.ravel().tolist() for role, array in weights.arrays[layer].items()}


def test_convolution_bias_norm_then_kernel(tmp_path: Path) -> None:
    read = darknet.read(save(tmp_path, V025 + count_up(18)), network(CONV))
    assert values(read, 0) == {
        "bias": [1, 2, 3],
        "scale": [4, 5, 6],
        "mean": [7, 8, 9],
        "variance": [10, 11, 12],
        "weight": [13, 14, 15, 16, 17, 18],
    }
    assert read.arrays[0]["weight"].shape == (3, 2, 1, 1)
    assert (read.header, read.layers, read.complete) == (Header(0, 2, 5, 32_013_312), 1, True)
    assert read.sha256 == hashlib.sha256(V025 + count_up(18)).hexdigest()


def test_convolution_without_norm_and_with_groups(tmp_path: Path) -> None:
    grouped = Convolution(sources=(-1,), filters=2, size=3, padding=1, groups=2, batch_normalize=False)
    read = darknet.read(save(tmp_path, V010 + count_up(2 + 18)), network(grouped))
    assert values(read, 0) == {"bias": [1, 2], "weight": list(range(3, 21))}
    assert read.arrays[0]["weight"].shape == (2, 1, 3, 3)
    assert read.header == Header(0, 1, 0, 64_000)


def test_shared_convolution_stores_nothing(tmp_path: Path) -> None:
    first = Convolution(sources=(-1,), filters=2, size=1)
    shared = Convolution(sources=(0,), filters=2, size=1, share=0)
    last = Convolution(sources=(1,), filters=1, size=1, batch_normalize=False)
    read = darknet.read(save(tmp_path, V025 + count_up(12 + 3)), network(first, shared, last))
    assert values(read, 1) == {}
    assert values(read, 2) == {"bias": [13], "weight": [14, 15]}


def test_connected_norm_follows_the_weights(tmp_path: Path) -> None:
    net = network(AvgPool(sources=(-1,)), Connected(sources=(0,), outputs=3, batch_normalize=True))
    read = darknet.read(save(tmp_path, V025 + count_up(18)), net)
    assert values(read, 1) == {
        "bias": [1, 2, 3],
        "weight": [4, 5, 6, 7, 8, 9],
        "scale": [10, 11, 12],
        "mean": [13, 14, 15],
        "variance": [16, 17, 18],
    }


@pytest.mark.parametrize("version", [(1001, 0), (0, 1001), (1001, 1001)])
def test_transposed_connected(tmp_path: Path, version: tuple[int, int]) -> None:
    net = network(AvgPool(sources=(-1,)), Connected(sources=(0,), outputs=3))
    data = struct.pack("<iiiI", *version, 0, 7) + count_up(9)
    read = darknet.read(save(tmp_path, data), net)
    assert read.arrays[1]["weight"].tolist() == [[4, 7], [5, 8], [6, 9]]
    darknet.write(tmp_path / "again.weights", net, read.arrays, read.header)
    assert (tmp_path / "again.weights").read_bytes() == data


def test_batchnorm_shortcut_and_implicit(tmp_path: Path) -> None:
    layers = (
        BatchNorm(sources=(-1,)),
        Shortcut(sources=(0, -1), weighting="per_channel"),
        Shortcut(sources=(1, 0, -1), weighting="per_feature"),
        Shortcut(sources=(2, 0)),
        Implicit(sources=(3,), filters=2, atoms=2),
    )
    read = darknet.read(save(tmp_path, V025 + count_up(8 + 4 + 3 + 4)), network(*layers))
    assert values(read, 0) == {"bias": [1, 2], "scale": [3, 4], "mean": [5, 6], "variance": [7, 8]}
    assert read.arrays[1]["fusion"].tolist() == [[9, 10], [11, 12]]  # summand by channel
    assert read.arrays[2]["fusion"].tolist() == [[13], [14], [15]]
    assert values(read, 3) == {}
    assert values(read, 4) == {"fusion": [16, 17, 18, 19]}


def test_a_network_that_stores_nothing_is_a_header(tmp_path: Path) -> None:
    assert darknet.read(save(tmp_path, V025), network(AvgPool(sources=(-1,)))).complete


@pytest.mark.parametrize(
    ("version", "size", "transposed"),
    [
        ((0, 1, 0), 16, False),
        ((0, 2, 0), 20, False),
        ((0, 2, 5), 20, False),
        ((1, 0, 0), 20, False),
        ((0, 999, 0), 20, False),
        ((0, 1000, 0), 16, False),
        ((1000, 0, 0), 16, False),
        ((1001, 1, 0), 16, True),
        ((0, 1001, 0), 16, True),
    ],
)
def test_the_header_by_version(version: tuple[int, int, int], size: int, transposed: bool) -> None:
    header = Header(*version, 2**32 - 1)
    assert (header.size, header.transposed) == (size, transposed)
    assert len(header.pack()) == size
    assert Header.unpack(header.pack()) == header


def test_seen_beyond_32_bits(tmp_path: Path) -> None:
    assert Header.unpack(Header(0, 2, 5, 2**40).pack()).seen == 2**40
    with pytest.raises(WeightsError, match="header's numbers do not fit"):
        darknet.write(tmp_path / "x.weights", network(PLAIN), random_arrays(network(PLAIN)), Header(0, 1, 0, 2**40))
    assert not list(tmp_path.iterdir())


HEADERS = st.builds(Header, st.just(0), st.sampled_from([1, 2, 1001]), st.integers(0, 9), st.integers(0, 2**32 - 1))


@given(networks(), HEADERS, st.integers(0, 2**32 - 1))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, net: Network, head: Header, n: int) -> None:
    path = tmp_path_factory.mktemp("round") / "net.weights"
    arrays = random_arrays(net, n)
    darknet.write(path, net, arrays, head)
    read = darknet.read(path, net)
    assert same(read.arrays, arrays)
    assert (read.header, read.complete) == (head, True)
    darknet.write(path.with_name("again"), net, read.arrays, read.header)
    assert path.with_name("again").read_bytes() == path.read_bytes()


THREE = network(
    Convolution(sources=(-1,), filters=2, size=1),  # 12 numbers, to byte 68
    AvgPool(sources=(0,)),
    Convolution(sources=(1,), filters=2, size=1, batch_normalize=False),  # 6, to byte 92
    Connected(sources=(2,), outputs=2, batch_normalize=True),  # 12, to byte 140
    AvgPool(sources=(3,)),
)
WHOLE = V025 + count_up(30)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (20, r"in hand, layer 0 \[convolutional\], bias: 8 of its 8 bytes are missing"),
        (22, r"in hand, layer 0 \[convolutional\], bias: 6 of its 8 bytes are missing"),
        (48, r"layer 0 \[convolutional\], variance: 4 of its 8"),
        (64, r"layer 0 \[convolutional\], weight: 4 of its 16"),
        (68, r"layer 2 \[convolutional\], bias: 8 of its 8.*--partial reads its 2 layers"),
        (88, r"layer 2 \[convolutional\], weight: 4 of its 16"),
        (112, r"layer 3 \[connected\], weight: 4 of its 16"),
        (136, r"layer 3 \[connected\], variance: 4 of its 8 bytes are missing .expected 140 bytes for hand, found 136"),
        (141, r"1 bytes are left over after hand, layer 4 \[avgpool\] .expected 140 bytes for hand, found 141"),
        (144, "4 bytes are left over"),
        (1000, "860 bytes are left over"),
    ],
)
def test_a_file_that_ends_elsewhere_is_refused(tmp_path: Path, size: int, words: str) -> None:
    path = save(tmp_path, (WHOLE + bytes(1000))[:size])
    with pytest.raises(WeightsError, match=words) as raised:
        darknet.read(path, THREE)
    assert raised.value.where == str(path)
    if size != 68:
        with pytest.raises(WeightsError, match=words):
            darknet.read(path, THREE, partial=True)


@pytest.mark.parametrize(("size", "layers"), [(68, 2), (92, 3), (140, 5)])
def test_partial_files_end_at_a_layer(tmp_path: Path, size: int, layers: int) -> None:
    read = darknet.read(save(tmp_path, WHOLE[:size]), THREE, partial=True)
    assert (read.layers, read.complete) == (layers, layers == 5)
    assert [bool(arrays) for arrays in read.arrays] == [True, False, size > 68, size > 92, False]


def test_a_file_whose_header_is_of_the_other_length(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"would fit with a header of 16 bytes, as version 0\.1\.0"):
        darknet.read(save(tmp_path, V025 + count_up(29)), THREE)
    with pytest.raises(WeightsError, match=r"would fit with a header of 20 bytes, as version 0\.2\.0"):
        darknet.read(save(tmp_path, V010 + count_up(31)), THREE)


def test_the_models_of_that_size_are_named(tmp_path: Path) -> None:
    path = tmp_path / "big.weights"
    path.write_bytes(V025)
    os.truncate(path, 86592180)
    with pytest.raises(WeightsError, match="Exactly this size have csresnet50, csresnet50-gamma, csresnet50-omega"):
        darknet.read(path, model("csresnext50").build())


def _with(at: int, value: float) -> bytes:
    return WHOLE[: 20 + 4 * at] + floats(value) + WHOLE[24 + 4 * at :]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            _with(0, float("nan")),
            r"layer 0 \[convolutional\], bias: not a finite.*1 of 2 wrong, the first at \(0,\): nan",
        ),
        (_with(11, float("inf")), r"layer 0 \[convolutional\], weight: not a finite.*at \(1, 1, 0, 0\): inf"),
        (_with(29, float("-inf")), r"layer 3 \[connected\], variance: not a finite number.*-inf"),
        (_with(28, -1e-3), r"layer 3 \[connected\], variance: a negative variance .expected variances of at least 0"),
    ],
)
def test_values_that_no_network_has(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(WeightsError, match=words):
        darknet.read(save(tmp_path, data), THREE)


def test_the_largest_numbers_are_finite(tmp_path: Path) -> None:
    largest = float(np.finfo(np.float32).max)
    read = darknet.read(save(tmp_path, V025 + floats(*[largest] * 9)), network(PLAIN))
    assert values(read, 0)["bias"] == [largest] * 3


def test_zero_variances_are_dead_filters_not_errors(tmp_path: Path) -> None:
    darknet.read(save(tmp_path, V025 + count_up(9) + floats(0, -0.0, 0) + count_up(6)), network(CONV))


SAFETENSORS = struct.pack("<Q", 40) + b'{"a":{"dtype":"F32","shape":[0]}}       ' + bytes(64)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", r"the file is empty"),
        (b"\n <!DOCTYPE html><html><head><title>Google Drive - Virus scan warning", "found an HTML page.*confirm"),
        (b"<HTML>", "HTML page"),
        (b"PK\x03\x04" + bytes(100), r"found a zip archive, as torch.save writes \(.pth\)"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "found a Python pickle"),
        (SAFETENSORS, "found a safetensors file.*cspbench weights convert"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
            "found a Git LFS pointer.*git lfs pull",
        ),
        (b"\x1f\x8b\x08\x00" + bytes(range(50)), "gzip"),
        (b"\x89HDF\r\n\x1a\n" + bytes(50), "HDF5"),
        (b"[net]\nwidth=256\n" * 9, "found text.*not, say, its cfg"),
        (bytes(140), "found nothing but zeros"),
        (bytes(20_000), "found nothing but zeros"),
        (V025[:15], r"ends within its header .expected 16 or 20 bytes of header.*found 15 bytes"),
        (V025[:19], "found 19 bytes"),
        (V010[:16], r"bias: 8 of its 8 bytes are missing"),
        (bytes(range(128, 256)), "expected a version such as 0.1.0 or 0.2.5 in front"),
    ],
)
def test_what_is_no_weight_file(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(WeightsError, match=words) as raised:
        darknet.read(save(tmp_path, data), THREE)
    assert raised.value.exit_code == 3


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="found a folder"):
        darknet.read(tmp_path, THREE)
    with pytest.raises(WeightsError, match=r"none\.weights: the weight file cannot be read .*No such file"):
        darknet.read(tmp_path / "none.weights", THREE)
    with pytest.raises(WeightsError, match="cannot be read"):
        darknet.read(Path("a\0b"), THREE)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WeightsError, match="found a pipe, socket or device"):
        darknet.read(tmp_path / "pipe", THREE)
    with pytest.raises(WeightsError, match="found a pipe, socket or device"):
        darknet.read(Path(os.devnull), THREE)


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = save(tmp_path, V025)
    os.truncate(path, 2**40)
    tracemalloc.start()
    with pytest.raises(WeightsError, match=r"\d+ bytes are left over"):
        darknet.read(path, model("darknet").build())
    path.write_bytes(bytes(64))
    os.truncate(path, 2**40)
    with pytest.raises(WeightsError, match="nothing but zeros"):
        darknet.read(path, model("darknet").build())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**25  # the definitions of the catalogue, for the message


def test_reading_maps_the_file_and_copies_nothing(tmp_path: Path) -> None:
    net = model("darknet").build()
    darknet.write(tmp_path / "net.weights", net, random_arrays(net))
    tracemalloc.start()
    read = darknet.read(tmp_path / "net.weights", net)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20 < (tmp_path / "net.weights").stat().st_size / 20
    bases = {id(_owner(array)) for arrays in read.arrays for array in arrays.values()}
    assert len(bases) == 1
    assert not read.arrays[0]["weight"].flags.writeable


def _owner(array: object) -> object:
    while getattr(array, "base", None) is not None:
        array = array.base  # type: ignore[attr-defined]
    return array


def test_arrays_that_do_not_fit_are_not_written(tmp_path: Path) -> None:
    path, good = tmp_path / "x.weights", random_arrays(THREE)
    cases: list[tuple[Arrays, str]] = [
        (good[:-1], "expected 5 layers, found 4"),
        (
            ({**good[0], "scale": good[0]["scale"][:1]}, *good[1:]),
            r"layer 0 .*, scale: .*of \(2,\), found float32 of \(1,\)",
        ),
        (({**good[0], "scale": good[0]["scale"].astype(np.float64)}, *good[1:]), "found float64"),
        (({**good[0], "extra": good[0]["scale"]}, *good[1:]), r"extra: .*expected no such array"),
        (({}, *good[1:]), r"bias: .*found none"),
        (({**good[0], "scale": good[0]["scale"] * np.float32("nan")}, *good[1:]), "not a finite number"),
    ]
    for arrays, words in cases:
        with pytest.raises(WeightsError, match=words):
            darknet.write(path, THREE, arrays)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path, b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(CspbenchError, match=r"net\.weights: cannot be written \(found No space left on device\)"):
        darknet.write(path, THREE, random_arrays(THREE))
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"old"]


def test_bytes_that_are_written(tmp_path: Path) -> None:
    path = save(tmp_path, WHOLE)
    darknet.write(
        tmp_path / "out" / "copy.weights", THREE, darknet.read(path, THREE).arrays, Header(0, 2, 5, 32_013_312)
    )
    assert (tmp_path / "out" / "copy.weights").read_bytes() == WHOLE
    darknet.write(path, THREE, darknet.read(path, THREE).arrays)  # onto the file that is mapped
    assert path.read_bytes() == struct.pack("<iiiQ", 0, 2, 5, 0) + WHOLE[20:]


@pytest.mark.parametrize(
    ("name", "version"),
    [
        pytest.param("tiny", "0.1.0", marks=pytest.mark.reference("weights/tiny.weights")),
        pytest.param("yolo-fastest-1.1", "0.2.5", marks=pytest.mark.reference("weights/yolo-fastest-1.1.weights")),
    ],
)
def test_trained_files(shared: Path, name: str, version: str, tmp_path: Path) -> None:
    path = shared / "weights" / f"{name}.weights"
    net = cfg.read(path.with_suffix(".cfg")).network
    read = darknet.read(path, net)
    assert read.header is not None
    assert (read.complete, read.header.version) == (True, version)
    darknet.write(tmp_path / "copy", net, read.arrays, read.header)
    assert (tmp_path / "copy").read_bytes() == path.read_bytes()
    for cut in (4, 1):
        with pytest.raises(WeightsError, match=rf"weight: {cut} of its"):
            darknet.read(save(tmp_path, path.read_bytes()[:-cut]), net)


@pytest.mark.parametrize("name", ["csmobilenet-v2", "enetb0", "resnet10"])
def test_golden_files(golden: ModuleType, name: str, tmp_path: Path) -> None:
    path = save(tmp_path, golden.weights(name))
    read = darknet.read(path, model(name).build())
    assert read.header == Header(0, 2, 5, 32_013_312)
    assert read.sha256 == str(golden.load(name)["weights_sha256"])
