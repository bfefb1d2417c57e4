"""What a file is by its first bytes, at the borders of each kind."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from weight_files import V010, V025, count_up, save

from cspbench.errors import WeightsError
from cspbench.weights.filekind import SAMPLE, Kind, examine

PAGE = b"<!DOCTYPE html><title>Not found</title>"


def tensors(length: int, behind: int) -> bytes:
    """A safetensors file that says to have a header of some length, with so many bytes behind the number."""
    return struct.pack("<Q", length) + b"{" + b" " * (behind - 1)


KINDS: list[tuple[bytes, Kind]] = [
    *((V010 + count_up(9), Kind.DARKNET), (V025 + count_up(9), Kind.DARKNET), (V010, Kind.DARKNET)),
    *((start + b"...", Kind.HTML) for start in (PAGE, PAGE.lower(), b"<html>", b"<HEAD>", b"<?xml ", b"<!-- x")),
    *((blank + PAGE, Kind.HTML) for blank in (b"\n", b" \t\r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n")),
    (b"version https://git-lfs.github.com/spec/v1\n", Kind.LFS),
    *((b"PK\x03\x04" + bytes(9), Kind.ZIP), (b"PK\x05\x06" + bytes(range(9)), Kind.UNKNOWN)),
    *((bytes([0x80, protocol]) + b"...\xff", Kind.PICKLE) for protocol in (2, 3, 4, 5)),
    *((bytes([0x80, protocol]) + b"...\xff", Kind.UNKNOWN) for protocol in (0, 1, 6, 255)),
    *((tensors(1, 1), Kind.SAFETENSORS), (tensors(40, 40), Kind.SAFETENSORS), (tensors(40, 99), Kind.SAFETENSORS)),
    *((tensors(41, 40), Kind.UNKNOWN), (tensors(2**63, 40), Kind.UNKNOWN)),
    *((b"\x1f\x8b\x08" + bytes(9), Kind.GZIP), (b"\x1f\x8c\x08" + bytes(9), Kind.UNKNOWN)),
    (b"\x89HDF\r\n\x1a\n" + bytes(9), Kind.HDF5),
    *((b"[net]\nwidth=8\t\r\n", Kind.TEXT), (b" ~", Kind.TEXT), (b"a\x7f", Kind.UNKNOWN), (b"a\x1f", Kind.UNKNOWN)),
    *((bytes(1), Kind.ZEROS), (bytes(20), Kind.ZEROS), (bytes(SAMPLE), Kind.ZEROS), (bytes(9 * SAMPLE), Kind.ZEROS)),
    # one byte that is not zero: at the beginning, in what is looked at of the middle, at the very end
    *((b"\1" + bytes(9 * SAMPLE), Kind.DARKNET), (bytes(9 * SAMPLE) + b"\1", Kind.DARKNET)),
    # a beginning that Darknet could have written, or not: a version, the images seen, and the length of the header
    *((V010[:15], Kind.UNKNOWN), (struct.pack("<iii", 9999, 1, 1) + bytes(8), Kind.DARKNET)),
    *((struct.pack("<iii", *version) + bytes(8), Kind.UNKNOWN) for version in ((0, 10_000, 1), (0, 2, -1))),
    *((b"\x08\x0a\x12\x07pytorch" + bytes(9), Kind.ONNX), (b"\x08\x0a\x3a\x07" + bytes(9), Kind.ONNX)),
    (b"\x08\x0a\x13\x07" + bytes(20), Kind.UNKNOWN),
    (bytes(5 * SAMPLE) + b"\1" + bytes(5 * SAMPLE), Kind.DARKNET),
]


@pytest.mark.parametrize("at", range(len(KINDS)))
def test_a_file_is_known_by_its_bytes(at: int, tmp_path: Path) -> None:
    data, kind = KINDS[at]
    file = examine(save(tmp_path, data))
    assert (file.kind, file.size, file.head) == (kind, len(data), data[:SAMPLE])


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.DARKNET])
def test_every_other_kind_is_named_where_weights_were_wanted(kind: Kind, tmp_path: Path) -> None:
    data = next(each for each, its in KINDS if its is kind)
    error = examine(save(tmp_path, data)).refused()
    assert (error.where, error.found) == (str(tmp_path / "net.weights"), kind.value[0])
    assert error.expected == Kind.DARKNET.value[0]
    assert error.remedy


def test_what_cannot_be_looked_at(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing", save(tmp_path, b"", "empty")):
        with pytest.raises(WeightsError) as caught:
            examine(path)
        assert caught.value.where == str(path)
        assert caught.value.remedy
