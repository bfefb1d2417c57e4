"""Hostile checkpoints: pickles that would run code or fill the memory, archives that lie, tensors that are not."""

from __future__ import annotations

import collections
import io
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from contract import chosen, fuzz, refused, result_of
from hypothesis import given

from cspbench.network.network import Network
from cspbench.weights.opening import open_weights
from cspbench.zoo.registry import model

NAME = "stem.conv1.bn.bias"
"""The array that is looked for first: 64 numbers."""
MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, 2)


@pytest.fixture(scope="module")
def network() -> Network:
    return model("timm/cspresnext50").build()


def saved(state: object, **options: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(state, stream, **options)
    return stream.getvalue()


def archived(change: Callable[[str, bytes], bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A checkpoint of one tensor with the parts of its archive changed."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(saved({NAME: torch.zeros(64)}))) as whole,
        zipfile.ZipFile(stream, "w", compression) as archive,
    ):
        for name in whole.namelist():
            archive.writestr(name, change(name, whole.read(name)))
    return stream.getvalue()


def pickled(program: bytes) -> bytes:
    """A checkpoint with that pickle."""
    return archived(lambda name, data: program if name.endswith("data.pkl") else data)


STATE = {NAME: torch.arange(64.0), "epoch": torch.tensor(3)}


@fuzz(100)
@given(data=chosen([saved(STATE), saved(STATE, _use_new_zipfile_serialization=False)]))
def test_damaged_checkpoints(network: Network, data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.pth"
    path.write_bytes(data)
    result_of(lambda: open_weights(path, network), path)


def hexed(times: int) -> bytes:
    """A pickle that doubles a text so many times."""
    program = b"X\x04\x00\x00\x00aaaaX\x05\x00\x00\x00utf-8\x86R"
    program = b"c_codecs\nencode\n" + program
    for _ in range(times):
        program = b"c_codecs\nencode\n" + program + b"X\x03\x00\x00\x00hex\x86R"
    return b"\x80\x02" + program + b"."


FULL = {
    "bytearray": b"\x80\x02cbuiltins\nbytearray\n\x8a\x05\x00\x00\x00\x00\x04\x85R.",
    "bytearray by its old name": b"\x80\x02c__builtin__\nbytearray\n\x8a\x05\x00\x00\x00\x00\x04\x85R.",
    "encode": hexed(40),
    "steps": b"\x80\x02" + b"N0" * 600_000 + b"N.",
    "an unfinished text": b"\x80\x02X\xff\xff\xff\x7fa",
    "a far reference": b"\x80\x02j\xff\xff\xff\x7f.",
    "nothing": b"\x80\x02.",
    "a storage": b"\x80\x02ctorch.storage\nUntypedStorage\n\x8a\x06\x00\x00\x00\x00\x00\x10\x85R.",
}


@pytest.mark.parametrize("kind", ["zip", "legacy"])
@pytest.mark.parametrize("name", FULL)
def test_pickles_that_would_fill_the_memory(name: str, kind: str, network: Network, tmp_path: Path) -> None:
    path = tmp_path / "full.pth"
    path.write_bytes(pickled(FULL[name]) if kind == "zip" else MAGIC + pickle.dumps(1001, 2) + FULL[name] * 3)
    refused(lambda: open_weights(path, network), "checkpoint.unreadable", path)


class Hostile:
    """Makes a folder when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.target),)


def test_no_part_of_a_checkpoint_runs_code(network: Network, tmp_path: Path) -> None:
    target = tmp_path / "made"
    evil = pickle.dumps({NAME: Hostile(target)}, 2)
    path = tmp_path / "evil.pth"
    for data in (
        pickled(evil),
        MAGIC + pickle.dumps(1001, 2) + pickle.dumps({}, 2) + evil,
        evil,
        saved({NAME: torch.zeros(64), "more": collections.OrderedDict(evil=Hostile(target))}, pickle_protocol=2),
    ):
        path.write_bytes(data)
        refused(lambda: open_weights(path, network), "checkpoint.unreadable", path)
        assert not target.exists()
    pickle.loads(evil)
    assert target.exists()  # it would have


def test_compressed_archives(network: Network, tmp_path: Path) -> None:
    path = tmp_path / "bomb.pth"
    path.write_bytes(
        archived(lambda name, data: bytes(2**28) if "/data/" in name else data, compression=zipfile.ZIP_DEFLATED)
    )
    assert path.stat().st_size < 2**20
    refused(lambda: open_weights(path, network), "checkpoint.unreadable", path, found="compressed")


def test_parts_that_overlap(network: Network, tmp_path: Path) -> None:
    data = bytearray(saved({NAME: torch.zeros(64)}))
    at = data.index(b"PK\x01\x02")
    while at >= 0:  # every part in the directory claims 2 GB
        data[at + 20 : at + 28] = struct.pack("<II", 2**31, 2**31)
        at = data.find(b"PK\x01\x02", at + 1)
    path = tmp_path / "overlapping.pth"
    path.write_bytes(data)
    refused(lambda: open_weights(path, network), "checkpoint.unreadable", path, found="larger than the file")


def test_a_tensor_larger_than_its_numbers(network: Network, tmp_path: Path) -> None:
    path = tmp_path / "lying.pth"
    path.write_bytes(archived(lambda name, data: data[:8] if "/data/" in name else data))
    refused(lambda: open_weights(path, network), "checkpoint.unreadable", path, found="8 of 256 bytes")
    path.write_bytes(archived(lambda name, data: data.replace(b"K@", b"M\xff\xff") if "pkl" in name else data))
    refused(lambda: open_weights(path, network), "checkpoint.unreadable", path)


def test_a_tar_that_begins_like_a_pickle(network: Network, tmp_path: Path) -> None:
    path = tmp_path / "tar.pth"
    member = tarfile.TarInfo("x")
    header = bytearray(member.tobuf(tarfile.USTAR_FORMAT))
    header[: 4 * 4] = b"\x80\x02N." * 4
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path.write_bytes(bytes(header) + bytes(1024))
    refused(lambda: open_weights(path, network), "checkpoint.unreadable", path)


@pytest.mark.parametrize(
    ("tensor", "found"),
    [
        (torch.zeros(64).to_sparse(), "sparse_tensor"),
        (torch.zeros(64, device="meta"), "meta"),
        (torch.zeros(64, dtype=torch.complex64), "torch.complex64"),
        (torch.zeros(64, dtype=torch.int64), "torch.int64"),
        (torch.zeros(1).expand(2**40), "(1099511627776,)"),
    ],
    ids=["sparse", "meta", "complex", "integer", "expanded"],
)
def test_tensors_that_are_not_plain_numbers(tensor: torch.Tensor, found: str, network: Network, tmp_path: Path) -> None:
    path = tmp_path / "odd.pth"
    torch.save({NAME: tensor}, path)
    refused(lambda: open_weights(path, network), "checkpoint.other-tensors", path, found=found)


def test_a_tensor_that_hides_its_methods(network: Network, tmp_path: Path) -> None:
    # torch sets whatever attributes a pickle names
    tensor = torch.nn.Parameter(torch.zeros(64))
    for name in ("detach", "to", "numpy", "type", "float", "is_floating_point"):
        setattr(tensor, name, 5)
    path = tmp_path / "hidden.pth"
    torch.save({NAME: tensor}, path)
    refused(lambda: open_weights(path, network), "checkpoint.other-tensors", path)
