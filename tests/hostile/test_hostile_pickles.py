"""Hostile structures in checkpoints: what is nested, shared or used as a key so that its hash or text never ends."""

from __future__ import annotations

import gc
import io
import pickle
import secrets
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from contract import refused, result_of
from fuzzing import FUZZ, examples
from pickle_programs import MAGIC, Programs

from cspbench.errors import CspbenchError
from cspbench.network.network import Network
from cspbench.weights.opening import open_weights
from cspbench.zoo.registry import model

PROGRAMS = 300


@pytest.fixture(scope="module")
def network() -> Network:
    return model("timm/cspresnext50").build()


def archive(program: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as zipped:
        zipped.writestr("archive/data.pkl", program)
    return stream.getvalue()


def older(program: bytes) -> bytes:
    return MAGIC + pickle.dumps({}, 2) + program + pickle.dumps([], 2)


KEYS = {
    "a tuple in a tuple, 1,100 times": b"N" + b"\x85" * 1_100,
    "200,000 times": b"N" + b"\x85" * 200_000,
    "a pair of itself, 26 times": b"N" + b"q\x00h\x00\x86" * 26,
    "40 times": b"N" + b"q\x00h\x00\x86" * 40,
    "in a set of frozen sets": b"N" + b"(h\x00\x91q\x00" * 40,
    "a pair of pairs in a class": b"ctorch\nSize\n" + b"N" + b"q\x00h\x00\x86" * 40 + b"R",
}
PLACES = {
    "a key": (b"}", b"Ns"),
    "a key of several": (b"}(", b"Nu"),
    "a key of an ordered dictionary": (b"ccollections\nOrderedDict\n]](", b"Nea\x85R"),
    "a key of attributes": (b"cargparse\nNamespace\n)\x81}", b"Nsb"),
    "an element of a set": (b"c__builtin__\nset\n](", b"e\x85R"),
    "a count": (b"ccollections\nCounter\n}(", b"K\x01u\x85R"),
    "a storage": (b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\n", b"X\x03\x00\x00\x00cpuK\x04tQ"),
    "a reference": (b"", b"Q"),
    "a device": (b"ctorch\ndevice\n", b"\x85R"),
}


@pytest.mark.parametrize("form", [archive, older])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("key", KEYS)
def test_structures_that_would_never_be_hashed(
    key: str, place: str, form: Callable[[bytes], bytes], network: Network, tmp_path: Path
) -> None:
    before, after = PLACES[place]
    path = tmp_path / "deep.pth"
    for around in ((b"", b""), (b"}X\x04\x00\x00\x00meta", b"s")):  # as the whole, and beside weights
        path.write_bytes(form(b"\x80\x02" + around[0] + before + KEYS[key] + after + around[1] + b"."))
        error = result_of(lambda: open_weights(path, network), path)
        assert isinstance(error, CspbenchError)
        assert error.code in ("checkpoint.unreadable", "checkpoint.other-tensors")
        assert len(str(error)) < 600


def test_such_a_part_beside_whole_weights(network: Network, tmp_path: Path) -> None:
    stream = io.BytesIO()
    torch.save({"stem.conv1.bn.bias": torch.zeros(64)}, stream)
    with zipfile.ZipFile(stream) as whole, zipfile.ZipFile(tmp_path / "x.pth", "w") as changed:
        for name in whole.namelist():
            data = whole.read(name)
            if name.endswith("data.pkl"):
                key = b"}" + KEYS["40 times"] + b"Ns"
                data = data[:-1] + b"X\x04\x00\x00\x00meta" + key + b"s."
            changed.writestr(name, data)
    refused(lambda: open_weights(tmp_path / "x.pth", network), "checkpoint.unreadable", tmp_path / "x.pth")


@pytest.mark.hypothesis
@pytest.mark.parametrize("part", range(10))
def test_checkpoints_of_random_structure(part: int, network: Network, tmp_path: Path) -> None:
    start = secrets.randbits(48) if FUZZ else 0
    path = tmp_path / "random.pth"
    for seed in range(start + part, start + examples(PROGRAMS), 10):
        path.write_bytes(Programs(seed).checkpoint()[0])
        try:
            result_of(lambda: open_weights(path, network), path)
        except BaseException as error:
            error.add_note(f"Programs({seed})")
            raise
    gc.collect()


def test_an_archive_of_very_many_entries(network: Network, tmp_path: Path) -> None:
    entry = b"PK\x01\x02" + struct.pack("<6H3L5H2L", 20, 20, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0)
    directory = b"".join(entry + b"%06d" % at for at in range(100_001))
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(directory), 30, 0)
    path = tmp_path / "many.pth"
    path.write_bytes(b"PK\x03\x04" + bytes(26) + directory + end)
    refused(lambda: open_weights(path, network), "checkpoint.unreadable", path, found="100,000 entries")
