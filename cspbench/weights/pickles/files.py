"""The two forms of torch's checkpoints (.pth): a zip archive, and what torch wrote before version 1.6.

Both hold a pickle and the numbers that it describes. The pickle is read by `InertPickles`, and the numbers stay where
they are in the mapped file, so that no tensor can be larger than the file.
"""

from __future__ import annotations

import mmap
import os
import re
import zipfile
from itertools import islice
from pathlib import Path
from typing import Any

from cspbench.errors import WeightsError, brief
from cspbench.io import open_file
from cspbench.weights.filekind import Kind
from cspbench.weights.pickles.reader import InertPickles

MOST_BYTES = 2**26
"""Of a pickle; that of a model of a thousand tensors has half a million."""
MOST_ENTRIES = 100_000
"""Of an archive: one a tensor, and a few more."""
MAGIC = 0x1950A86A20F9469CFC6C
"""Stands at the beginning of the older form: magic number, version, system, tensors, keys; then the numbers follow."""
LOCAL_HEADER = 30
"""Bytes of an archive's header before an entry, without its name and extra field."""


def load(path: Path, kind: Kind) -> Any:
    """The contents of a checkpoint, as `InertPickles` reads them; `WeightsError` if it is damaged or not plain data."""
    try:
        with open_file(path) as stream:
            data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            return _zip(stream, data) if kind is Kind.ZIP else _older(data)
    except Exception as error:  # a damaged or hostile file can fail anywhere
        raise WeightsError(
            "checkpoint.unreadable",
            "the checkpoint is damaged, or requires running code from it",
            where=str(path),
            expected="tensors, with plain values beside them",
            found=brief(str(error) or type(error).__name__, 120),
            remedy="Download it again; or, if you trust it, load it and save only its state_dict, as safetensors",
        ) from error


def _zip(stream: Any, data: mmap.mmap) -> Any:
    signatures = islice(re.finditer(rb"PK\x01\x02", data), MOST_ENTRIES + 1)  # one stands before each entry's name
    if sum(1 for _ in signatures) > MOST_ENTRIES:
        raise ValueError(f"an archive of more than {MOST_ENTRIES:,} entries")
    with zipfile.ZipFile(stream) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries.values()):
            raise ValueError("a compressed archive, which torch.save does not write")
        if sum(entry.file_size for entry in entries.values()) > os.fstat(stream.fileno()).st_size:
            raise ValueError("an archive whose entries are together larger than the file")
        roots = [name.removesuffix("data.pkl") for name in entries if name.rpartition("/")[2] == "data.pkl"]
        if len(roots) != 1:
            raise ValueError(f"an archive with {len(roots)} pickles named data.pkl")
        (root,) = roots
        pickles = InertPickles(_part(archive, entries[f"{root}data.pkl"]))
        value = pickles.read()
        order = _part(archive, entries[f"{root}byteorder"]) if f"{root}byteorder" in entries else b"little"
        for key, storage in pickles.storages.items():
            entry = entries.get(f"{root}data/{key}")
            if entry is None or entry.file_size != storage.size:
                found = "none" if entry is None else f"{entry.file_size:,}"
                raise ValueError(f"{brief(key)}: {found} of {storage.size:,} bytes of numbers")
            header = data[entry.header_offset : entry.header_offset + LOCAL_HEADER]
            if len(header) < LOCAL_HEADER or header[:4] != b"PK\x03\x04":
                raise ValueError(f"{brief(key)}: no entry where the archive's directory says")
            names = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
            storage.start = entry.header_offset + LOCAL_HEADER + names
            storage.order = _order(order == b"little")
            _place(storage, data)
    return value


def _part(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    if entry.file_size > MOST_BYTES:
        raise ValueError(f"a pickle of more than {MOST_BYTES:,} bytes")
    return archive.read(entry)


def _older(data: mmap.mmap) -> Any:
    pickles = InertPickles(data[:MOST_BYTES])
    magic, _, system = pickles.read(), pickles.read(), pickles.read()
    if magic != MAGIC or type(system) is not dict:
        raise ValueError("a pickle that torch.save did not write")
    value, keys = pickles.read(), pickles.read()
    if type(keys) is not list or not all(type(key) is str for key in keys) or set(keys) != set(pickles.storages):
        raise ValueError("other numbers than the tensors'")
    at = pickles.position
    for key in dict.fromkeys(keys):
        storage = pickles.storages[key]
        if int.from_bytes(data[at : at + 8], "little") != storage.count:
            raise ValueError(f"{brief(key)}: another count of numbers than its tensor says")
        storage.start = at + 8
        storage.order = _order(system.get("little_endian") is not False)
        _place(storage, data)
        at = storage.start + storage.size
    return value


def _order(little: bool) -> str:
    return "<" if little else ">"


def _place(storage: Any, data: mmap.mmap) -> None:
    if storage.start + storage.size > len(data):
        raise ValueError(f"{brief(storage.key)}: numbers that end after the file")
    storage.data = data
