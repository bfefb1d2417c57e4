"""Checkpoints' pickles: the values that were saved, tensors as torch reads them, and nothing that is built or run."""

from __future__ import annotations

import argparse
import collections
import pathlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from refusals import refuses

from cspbench.weights.filekind import Kind, examine
from cspbench.weights.pickles.files import load
from cspbench.weights.pickles.reader import InertPickles
from cspbench.weights.pickles.stack import DEEPEST, MOST_STEPS, Budget, Name, Unread
from cspbench.weights.pickles.tensors import Storage, StoredTensor

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=20,
)


def read(program: bytes) -> Any:
    return InertPickles(program).read()


@given(plain, st.integers(2, 5))
def test_plain_values_are_as_they_were_saved(value: object, protocol: int) -> None:
    assert read(pickle.dumps(value, protocol)) == value


def test_several_pickles_follow_one_another() -> None:
    pickles = InertPickles(pickle.dumps([1], 2) + pickle.dumps("two", 4) + b"the rest")
    assert (pickles.read(), pickles.read()) == ([1], "two")
    assert pickles.position == len(pickle.dumps([1], 2) + pickle.dumps("two", 4))


def test_of_other_classes_only_the_name_is_kept() -> None:
    saved = {
        "args": argparse.Namespace(lr=0.1, model="cspresnext50"),
        "folder": pathlib.PurePosixPath("/data"),
        "milestones": collections.Counter({30: 1, 60: 1}),
        "seen": {1, 2},
        "random": np.float64(0.5),
        "state": collections.OrderedDict(a=1),
        "class": argparse.Namespace,
    }
    for protocol in (2, 4):
        result = read(pickle.dumps(saved, protocol))
        assert result["state"] == {"a": 1}
        assert result["class"] == Name("argparse.Namespace")
        unread = {key: value.name for key, value in result.items() if isinstance(value, Unread)}
        assert unread["args"] == "argparse.Namespace"
        assert {*unread} == {"args", "folder", "milestones", "seen", "random"}
    assert read(pickle.dumps([argparse.Namespace.__init__], 2))[0].name == "__builtin__.getattr"


def test_numbers_and_classes_as_keys_are_left_out() -> None:
    assert read(pickle.dumps({"state": {0: "a", 1: "b"}, argparse.Namespace: 5, "n": 3}, 2)) == {"state": {}, "n": 3}


@pytest.mark.parametrize("key", [(), (1,), b"bytes", 1.5, None, True, frozenset((1,))], ids=repr)
def test_other_keys_are_refused(key: object) -> None:
    with pytest.raises(ValueError, match="as a key"):
        read(pickle.dumps({key: 1}, 4))


@pytest.mark.parametrize(
    ("level", "end"),
    [(b"\x85", b""), (b"q\x00h\x00\x86", b""), (b"(", b"l"), (b"}X\x01\x00\x00\x00k", b"s")],
    ids=["tuples", "shared pairs", "lists", "dictionaries"],
)
def test_depth_has_a_limit(level: bytes, end: bytes) -> None:
    def nested(levels: int) -> bytes:
        return b"\x80\x02" + (level * levels + b"N" + end * levels if end else b"N" + level * levels) + b"."

    read(nested(DEEPEST))
    with pytest.raises(ValueError, match="levels deep"):
        read(nested(DEEPEST + 1))


@pytest.mark.parametrize(
    "program",
    [
        b"\x80\x02\x8b\x00\x02\x00\x00" + b"\x01" * 512 + b".",  # a whole number of 4096 bits
        b"\x80\x02I" + b"9" * 5000 + b"\n.",  # and one in decimal digits
        b"\x80\x04\x8d\x00\x00\x00\x00\x00\x00\x00\x40ab.",  # a text said to be of 2^62 bytes
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xffab.",  # bytes
        b"\x80\x02c" + b"a" * 10_000 + b"\nb\n.",  # a name
        b"\x80\x02h\x00.",  # a reference to nothing
        b"\x80\x02t.",  # a tuple without a mark
        b"\x80\x02]}u.",
        b"\x80\x02N}b.",  # attributes without an object
        b"\x80\x02X\x01\x00\x00\x00a.\x80"[:8],  # no end
        b"\x80\x02(lp0\nI1\na.",  # protocol 0
        b"\x80\x02ccollections\nOrderedDict\n}\x85R.",  # a dictionary of other than pairs
        b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00hex\x86R.",
    ],
)
def test_operations_that_lie(program: bytes, tmp_path: Path) -> None:
    head = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({}, 2)
    (tmp_path / "lie.pth").write_bytes(head + program + pickle.dumps([], 2))
    with refuses("checkpoint.unreadable", where=str(tmp_path / "lie.pth")):
        load(tmp_path / "lie.pth", Kind.PICKLE)


def test_work_that_a_memo_would_multiply_is_counted() -> None:
    pairs = b"(" + b"](K\x01Ne" * 100_000 + b"l"
    program = b"\x80\x02" + pairs + b"\x85q\x000" + b"ccollections\nOrderedDict\nh\x00R0" * 50_000 + b"N."
    with pytest.raises(ValueError, match="operations"):
        read(program)


numbers = st.sampled_from([torch.float32, torch.float64, torch.float16, torch.bfloat16])


@given(
    st.lists(st.integers(1, 4), max_size=4),
    numbers,
    st.sampled_from(["plain", "transposed", "part", "expanded", "parameter"]),
    st.sampled_from([{}, {"pickle_protocol": 4}, {"_use_new_zipfile_serialization": False}]),
)
def test_tensors_are_torchs(
    tmp_path_factory: pytest.TempPathFactory, shape: list[int], dtype: torch.dtype, view: str, options: dict[str, Any]
) -> None:
    tensor: torch.Tensor = torch.randn((2, *shape), generator=torch.Generator().manual_seed(len(shape))).to(dtype)
    match view:
        case "transposed":
            tensor = tensor.transpose(0, -1)
        case "part":
            tensor = tensor[1]
        case "expanded":
            tensor = tensor[None].expand(3, *tensor.shape)
        case "parameter":
            tensor = torch.nn.Parameter(tensor)
    path = tmp_path_factory.getbasetemp() / "tensor.pth"
    torch.save({"t": tensor, "again": tensor}, path, **options)
    result = load(path, examine(path).kind)
    for name in ("t", "again"):
        assert isinstance(result[name], StoredTensor)
        assert (result[name].shape, result[name].dtype) == (tuple(tensor.shape), str(dtype))
        values = result[name].numbers()
        assert values is not None
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, tensor.detach().float().numpy())


def test_a_machine_of_the_other_order_of_bytes(tmp_path: Path) -> None:
    import zipfile

    torch.save({"t": torch.tensor([1.0, -2.5])}, tmp_path / "little.pth")
    with (
        zipfile.ZipFile(tmp_path / "little.pth") as little,
        zipfile.ZipFile(tmp_path / "big.pth", "w") as big,
    ):
        for name in little.namelist():
            data = little.read(name)
            if name.endswith("byteorder"):
                data = b"big"
            if "/data/" in name:
                data = np.frombuffer(data, "<f4").astype(">f4").tobytes()
            big.writestr(name, data)
    assert load(tmp_path / "big.pth", Kind.ZIP)["t"].numbers().tolist() == [1.0, -2.5]


def test_integers_and_empty_tensors(tmp_path: Path) -> None:
    torch.save({"steps": torch.tensor(7), "none": torch.zeros(0, 3)}, tmp_path / "t.pth")
    result = load(tmp_path / "t.pth", Kind.ZIP)
    assert result["steps"].numbers() is None
    assert result["none"].numbers().shape == (0, 3)


def test_an_archive_of_before_there_was_a_byteorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import zipfile

    torch.save({"t": torch.tensor([1.0, -2.5])}, tmp_path / "new.pth")
    with zipfile.ZipFile(tmp_path / "new.pth") as new, zipfile.ZipFile(tmp_path / "old.pth", "w") as old:
        names = [name for name in new.namelist() if not name.endswith("byteorder")]
        for name in names:
            old.writestr(name, new.read(name))
    monkeypatch.setattr("cspbench.weights.pickles.files.MOST_ENTRIES", len(names))
    assert load(tmp_path / "old.pth", Kind.ZIP)["t"].numbers().tolist() == [1.0, -2.5]
    monkeypatch.setattr("cspbench.weights.pickles.files.MOST_ENTRIES", len(names) - 1)
    with refuses("checkpoint.unreadable"):
        load(tmp_path / "old.pth", Kind.ZIP)


def older(path: Path, content: dict[str, torch.Tensor], system: dict[str, object]) -> None:
    """Save in the older form, with another description of the system."""
    torch.save(content, path, _use_new_zipfile_serialization=False)
    data = path.read_bytes()
    pickles = InertPickles(data)
    pickles.read(), pickles.read()
    begin = pickles.position
    pickles.read()
    path.write_bytes(data[:begin] + pickle.dumps(system, 2) + data[pickles.position :])


def test_numbers_of_several_types_follow_one_another_in_the_older_form(tmp_path: Path) -> None:
    tensors = {
        "half": torch.tensor([0.5, 1.5, -3.0], dtype=torch.float16),
        "double": torch.tensor([0.25], dtype=torch.float64),
        "single": torch.tensor([[1.0], [-2.0]]),
    }
    for system in ({"little_endian": True}, {}):
        older(tmp_path / "t.pth", tensors, {"protocol_version": 1001, **system})
        result = load(tmp_path / "t.pth", Kind.PICKLE)
        assert {name: result[name].numbers().tolist() for name in tensors} == {
            name: tensor.tolist() for name, tensor in tensors.items()
        }


@pytest.mark.parametrize(
    ("offset", "shape", "strides", "fits"),
    [
        (0, (2, 3), (3, 1), True),
        (1, (2, 3), (3, 1), False),
        (0, (2, 3), (1, 2), True),
        (0, (3, 3), (3, 1), False),
        (5, (), (), True),
        (6, (), (), False),
        (5, (4,), (0,), True),
        (7, (0,), (1,), True),
        (0, (1,) * 16, (9,) * 16, True),
        (0, (1,) * 17, (9,) * 17, False),
        (-1, (1,), (1,), False),
        (0, (1,), (1, 1), False),
    ],
)
def test_a_tensor_lies_within_its_storage(
    offset: int, shape: tuple[int, ...], strides: tuple[int, ...], fits: bool
) -> None:
    storage = Storage("float32", "0", 6)
    if fits:
        assert StoredTensor.checked(storage, offset, shape, strides).shape == shape
    else:
        with pytest.raises(ValueError, match=r"^a tensor "):
            StoredTensor.checked(storage, offset, shape, strides)


def test_the_longest_number() -> None:
    assert read(pickle.dumps(2**1024 - 1)) == 2**1024 - 1
    for number in (2**1024, -(2**1024)):
        with pytest.raises(ValueError, match="digits"):
            read(pickle.dumps(number))


def test_the_most_steps() -> None:
    budget = Budget()
    budget.spend(MOST_STEPS)
    with pytest.raises(ValueError, match="operations"):
        budget.spend(1)
