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
from refusals import refuses
from weight_files import V010, V025, count_up, floats, networks, random_arrays, same, save

from cspbench.network import cfg
from cspbench.network.layers import AvgPool, BatchNorm, Connected, Convolution, Implicit, Shortcut
from cspbench.network.network import Network
from cspbench.weights import darknet, safetensors_file
from cspbench.weights.arrays import Arrays, Weights
from cspbench.weights.filekind import Kind
from cspbench.weights.header import Header
from cspbench.zoo.registry import model


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
    safetensors_file.write(tmp_path / "x", network(PLAIN), random_arrays(network(PLAIN)), Header(0, 1, 0, 2**40))
    assert safetensors_file.read(tmp_path / "x", network(PLAIN)).header is None


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
        (20, "hand, layer 0 [convolutional]"),
        (22, "hand, layer 0 [convolutional]"),
        (48, "hand, layer 0 [convolutional]"),
        (64, "hand, layer 0 [convolutional]"),
        (68, "hand, layer 2 [convolutional]"),
        (88, "hand, layer 2 [convolutional]"),
        (112, "hand, layer 3 [connected]"),
        (136, "hand, layer 3 [connected]"),
        (141, "1 surplus"),
        (144, "4 surplus"),
        (1000, "860 surplus"),
    ],
)
def test_a_file_that_ends_elsewhere_is_refused(tmp_path: Path, size: int, words: str) -> None:
    path = save(tmp_path, (WHOLE + bytes(1000))[:size])
    code = "weights.too-long" if size > 140 else "weights.too-short"
    for partial in (False, True) if size != 68 else (False,):
        with refuses(code, where=str(path), expected="140 bytes for hand", found=str(size)) as caught:
            darknet.read(path, THREE, partial)
        assert words in caught.value.what
        assert ("--partial reads its 2 layers" in str(caught.value.remedy)) is (size == 68)


@pytest.mark.parametrize(("size", "layers"), [(68, 2), (92, 3), (140, 5)])
def test_partial_files_end_at_a_layer(tmp_path: Path, size: int, layers: int) -> None:
    read = darknet.read(save(tmp_path, WHOLE[:size]), THREE, partial=True)
    assert (read.layers, read.complete) == (layers, layers == 5)
    assert [bool(arrays) for arrays in read.arrays] == [True, False, size > 68, size > 92, False]


def test_the_models_of_that_size_are_named(tmp_path: Path) -> None:
    path = tmp_path / "big.weights"
    path.write_bytes(V025)
    os.truncate(path, 86592180)
    with refuses("weights.too-long") as caught:
        darknet.read(path, model("csresnext50").build())
    assert "csresnet50, csresnet50-gamma, csresnet50-omega" in str(caught.value.remedy)


def _with(at: int, value: float) -> bytes:
    return WHOLE[: 20 + 4 * at] + floats(value) + WHOLE[24 + 4 * at :]


@pytest.mark.parametrize(
    ("data", "code", "place", "values"),
    [
        (_with(0, float("nan")), "weights.not-finite", "layer 0 [convolutional], bias", ("1 of 2 ", "(0,): nan")),
        (
            _with(11, float("inf")),
            "weights.not-finite",
            "layer 0 [convolutional], weight",
            ("1 of 4 ", "(1, 1, 0, 0): inf"),
        ),
        (_with(29, float("-inf")), "weights.not-finite", "layer 3 [connected], variance", ("1 of 2 ", "(1,): -inf")),
        (_with(28, -0.5), "weights.negative-variance", "layer 3 [connected], variance", ("1 of 2 ", "(0,): -0.5")),
    ],
)
def test_values_that_no_network_has(
    tmp_path: Path, data: bytes, code: str, place: str, values: tuple[str, str]
) -> None:
    path = save(tmp_path, data)
    with refuses(code, where=f"{path}, hand, {place}") as caught:
        darknet.read(path, THREE)
    assert all(value in str(caught.value.found) for value in values)


def test_the_largest_numbers_are_finite(tmp_path: Path) -> None:
    largest = float(np.finfo(np.float32).max)
    read = darknet.read(save(tmp_path, V025 + floats(*[largest] * 9)), network(PLAIN))
    assert values(read, 0)["bias"] == [largest] * 3


def test_zero_variances_are_dead_filters_not_errors(tmp_path: Path) -> None:
    darknet.read(save(tmp_path, V025 + count_up(9) + floats(0, -0.0, 0) + count_up(6)), network(CONV))


SAFETENSORS = struct.pack("<Q", 40) + b'{"a":{"dtype":"F32","shape":[0]}}       ' + bytes(64)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\n <!DOCTYPE html><html><head><title>Google Drive - Virus scan warning", Kind.HTML),
        (b"<HTML>", Kind.HTML),
        (b"PK\x03\x04" + bytes(100), Kind.ZIP),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", Kind.PICKLE),
        (SAFETENSORS, Kind.SAFETENSORS),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", Kind.LFS),
        (b"\x1f\x8b\x08\x00" + bytes(range(50)), Kind.GZIP),
        (b"\x89HDF\r\n\x1a\n" + bytes(50), Kind.HDF5),
        (b"[net]\nwidth=256\n" * 9, Kind.TEXT),
        (bytes(140), Kind.ZEROS),
        (bytes(20_000), Kind.ZEROS),
    ],
)
def test_a_file_of_another_kind(tmp_path: Path, data: bytes, kind: Kind) -> None:
    path = save(tmp_path, data)
    name, remedy = kind.value
    with refuses("weights.other-kind", where=str(path), found=name, remedy=remedy):
        darknet.read(path, THREE)


@pytest.mark.parametrize(
    ("data", "code", "found"),
    [
        (b"", "weights.empty", None),
        (V025[:15], "weights.too-short", "15 bytes"),
        (V025[:19], "weights.too-short", "19 bytes"),
        (V010[:16], "weights.too-short", "16"),
        (bytes(range(128, 256)), "weights.not-darknet", "-2088599168.-2021227132.-1953855096"),
    ],
)
def test_a_file_that_is_not_darknets(tmp_path: Path, data: bytes, code: str, found: str | None) -> None:
    path = save(tmp_path, data)
    with refuses(code, where=str(path), found=found):
        darknet.read(path, THREE)


def test_a_path_that_is_not_a_file(tmp_path: Path) -> None:
    with refuses("weights.unreadable", where=str(tmp_path)):
        darknet.read(tmp_path, THREE)
    with refuses("weights.unreadable", where=str(tmp_path / "none.weights"), found="No such file or directory"):
        darknet.read(tmp_path / "none.weights", THREE)
    os.mkfifo(tmp_path / "pipe")
    for path in (Path("a\0b"), tmp_path / "pipe", Path(os.devnull)):
        with refuses("weights.unreadable"):
            darknet.read(path, THREE)


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = save(tmp_path, V025)
    os.truncate(path, 2**40)
    tracemalloc.start()
    with refuses("weights.too-long", found=str(2**40)):
        darknet.read(path, model("darknet").build())
    path.write_bytes(bytes(64))
    os.truncate(path, 2**40)
    with refuses("weights.other-kind", found=Kind.ZEROS.value[0]):
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
        (({**good[0], "scale": good[0]["scale"][:1]}, *good[1:]), "weights.array-shape"),
        (({**good[0], "scale": good[0]["scale"].astype(np.float64)}, *good[1:]), "weights.array-shape"),
        (({**good[0], "extra": good[0]["scale"]}, *good[1:]), "weights.array-shape"),
        (({}, *good[1:]), "weights.array-shape"),
        (({**good[0], "scale": good[0]["scale"] * np.float32("nan")}, *good[1:]), "weights.not-finite"),
    ]
    for arrays, code in cases:
        with refuses(code):
            darknet.write(path, THREE, arrays)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path, b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with refuses("disk.write-failed", where=str(path), found="No space left on device"):
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
        with refuses("weights.too-short", found=str(path.stat().st_size - cut)):
            darknet.read(save(tmp_path, path.read_bytes()[:-cut]), net)


@pytest.mark.parametrize("name", ["csmobilenet-v2", "enetb0", "resnet10"])
def test_golden_files(golden: ModuleType, name: str, tmp_path: Path) -> None:
    path = save(tmp_path, golden.weights(name))
    read = darknet.read(path, model(name).build())
    assert read.header == Header(0, 2, 5, 32_013_312)
    assert read.sha256 == str(golden.load(name)["weights_sha256"])
