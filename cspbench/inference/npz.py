"""Arrays in a file, as numpy.savez writes them, read as untrusted input.

Only files as written by `dump` are read: uncompressed members of plain types, each exactly as long as its header says.
So nothing is executed, and no more memory is allocated than the file is long.
"""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray[Any, Any]]
Columns = Mapping[str, tuple[Any, tuple[int, ...]]]
"""The type of an array and the shape of one entry, by name."""

MEMBERS = 64
"""Maximum number of arrays in a file."""
LONGEST = 4 * 4096
"""Maximum bytes of one element: text of 4096 characters, the longest path."""

_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = re.compile(
    rb"\{'descr': '([<|][biufU]\d{1,5})', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,18}, ?){0,31}(?:\d{1,18})?)\), \} *\n"
)


def dump(arrays: Arrays) -> bytes:
    """The bytes of a file; equal arrays give equal bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def parse(data: bytes) -> Arrays:
    """The arrays in a file's bytes, with verified checksums. Raises `ValueError`."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > MEMBERS or sum(member.file_size for member in members) > len(data):
                raise ValueError("too many or too large members")
            arrays: Arrays = {}
            for member in members:
                name = member.filename.removesuffix(".npy")
                if not re.fullmatch(r"\w{1,40}\.npy", member.filename, re.ASCII) or name in arrays:
                    raise ValueError(f"a member named {member.filename[:60]!r}")
                if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
                    raise ValueError("compressed or encrypted")
                arrays[name] = _array(name, archive.read(member))
    except ValueError:
        raise
    # what zipfile raises for damaged files and other files
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, NotImplementedError) as error:
        raise ValueError(str(error) or type(error).__name__) from error
    except (RuntimeError, OverflowError, IndexError, KeyError, MemoryError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    return arrays


def _array(name: str, data: bytes) -> np.ndarray[Any, Any]:
    """One member: magic, length of the header, header, values."""
    begin = len(_MAGIC) + 2
    end = begin + int.from_bytes(data[len(_MAGIC) : begin], "little")
    header = _HEADER.fullmatch(data[begin:end])
    if not data.startswith(_MAGIC) or header is None:
        raise ValueError(f"{name} is not an array")
    try:
        kind = np.dtype(header[1].decode())
    except TypeError:
        raise ValueError(f"{name} has an unknown type") from None
    shape = tuple(int(extent) for extent in header[3].replace(b",", b" ").split())
    size = math.prod(shape) * kind.itemsize
    if not shape or not 0 < kind.itemsize <= LONGEST or size != len(data) - end or (size == 0 and shape[0] > 0):
        raise ValueError(f"{name} has another length than its header says")
    values = np.frombuffer(data, kind, math.prod(shape), end).reshape(shape, order="F" if header[2] == b"True" else "C")
    if kind.kind == "U" and size:
        points = values.reshape(-1).view(np.uint32)
        if (points > 0x10FFFF).any() or ((points >= 0xD800) & (points <= 0xDFFF)).any():
            raise ValueError(f"{name} is not text")
    if kind.kind == "b" and size and (values.view(np.uint8) > 1).any():
        raise ValueError(f"{name} is not boolean")
    return np.array(values, order="C")


def check(arrays: Arrays, columns: Columns, count: int) -> None:
    """Raise `ValueError` unless there is an array for each column, with `count` entries of its type and shape."""
    for name, (kind, entry) in columns.items():
        array = arrays.get(name)
        if array is None:
            raise ValueError(f"no array {name}")
        if (array.dtype.kind if kind is np.str_ else array.dtype) != ("U" if kind is np.str_ else np.dtype(kind)):
            raise ValueError(f"{name} is {array.dtype}")
        if array.shape != (count, *entry):
            raise ValueError(f"{name} is {'×'.join(map(str, array.shape))}")
