"""Arrays in a file, as numpy.savez writes them, read as untrusted input.

Only files as written by `dump` are read: uncompressed members of plain types, each exactly as long as its header says.
So nothing is executed, and no more memory is allocated than the file is long.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
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

LONGEST_HEADER = 1000
"""Characters of a member's header."""


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
    except Exception as error:
        # zipfile and numpy raise nearly anything for damaged files: BadZipFile, struct.error, SyntaxError, EOFError
        raise ValueError(str(error).partition("\n")[0] or type(error).__name__) from error
    return arrays


def _array(name: str, data: bytes) -> np.ndarray[Any, Any]:
    """One member, with its header parsed by numpy; its values must be exactly as long as the header says."""
    stream = io.BytesIO(data)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError(f"{name} is not an array of version 1")
    shape, fortran, kind = np.lib.format.read_array_header_1_0(stream, max_header_size=LONGEST_HEADER)
    size = math.prod(shape) * kind.itemsize
    if kind.kind not in "biufU" or not 0 < kind.itemsize <= LONGEST or kind.byteorder == ">":
        raise ValueError(f"{name} has the type {kind.str}")
    if not shape or min(shape) < 0 or size != len(data) - stream.tell() or (size == 0 and shape[0] > 0):
        raise ValueError(f"{name} has another length than its header says")
    values = np.frombuffer(data, kind, math.prod(shape), stream.tell()).reshape(shape, order="F" if fortran else "C")
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
