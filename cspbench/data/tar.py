"""Random access to uncompressed tar archives: the region of each member's bytes. Nothing is extracted.

Python's `tarfile` parses each header; this module finds the next one, because `tarfile` itself may loop forever or fill
the memory if a header has a false length.
"""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from cspbench.data.source import Region
from cspbench.errors import DatasetError
from cspbench.io import open_file, read_part

BLOCK = 512
LONGEST = 1 << 20
"""Bytes of a header extension, which holds a long name."""

_EXTENSIONS = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
_LONG_NAMES = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_BARE = (tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE)
"""Types of members without data, whatever size their headers have."""
_RECORD = re.compile(rb"(\d{1,7}) ")


class _Block(NamedTuple):
    """A header, and the begin and length of its data in bytes."""

    header: tarfile.TarInfo
    begin: int
    length: int


def members(path: Path) -> dict[str, Region]:
    """The regular files of a tar by name, without a leading "./"; a later file replaces an earlier one of its name.

    Raises `DatasetError`.
    """
    regions: dict[str, Region] = {}
    try:
        with open_file(path) as stream:
            for name, begin, length in _files(stream):
                regions[name.removeprefix("./")] = Region(str(path), begin, length)
    except EOFError as error:
        raise _broken(path, f"no end mark after {len(regions)} files, at byte {error}") from error
    except (tarfile.TarError, OSError, ValueError) as error:
        raise _broken(path, getattr(error, "strerror", None) or str(error) or type(error).__name__) from error
    return regions


def _files(stream: BinaryIO) -> Iterator[tuple[str, int, int]]:
    """Name, first byte and length of each regular file. Raises `EOFError` for a truncated archive."""
    end, name = 0, ""
    global_records: dict[str, str] = {}
    member_records: dict[str, str] = {}
    while (block := _block(stream, end, member_records.get("size", global_records.get("size")))) is not None:
        kind = block.header.type
        end = block.begin + -(-block.length // BLOCK) * BLOCK
        if kind in _EXTENSIONS:
            records = _records(_extension(stream, block))
            if kind == tarfile.XGLTYPE:
                global_records |= records
            else:
                member_records |= records
        elif kind in _LONG_NAMES:
            text = _text(_extension(stream, block).partition(b"\0")[0])
            name = text if kind == tarfile.GNUTYPE_LONGNAME else name
        else:
            records = global_records | member_records
            if block.header.isreg() and kind != tarfile.GNUTYPE_SPARSE and "sparse" not in records:
                yield records.get("path") or name or block.header.name, block.begin, block.length
            name, member_records = "", {}


def _block(stream: BinaryIO, at: int, size: str | None) -> _Block | None:
    """The header at a position, with the length from an extension if there is one; None for the end mark."""
    try:
        header = tarfile.TarInfo.frombuf(read_part(stream, at, BLOCK), "utf-8", "surrogateescape")
    except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
        return None
    except (tarfile.EmptyHeaderError, tarfile.TruncatedHeaderError):  # type: ignore[attr-defined]
        raise EOFError(f"{at:,}") from None
    begin, length = at + BLOCK, header.size
    if header.type == tarfile.GNUTYPE_SPARSE:
        more = read_part(stream, at + 482, 1) != b"\0"
        while more:  # blocks with the positions of the holes
            more = read_part(stream, begin + 504, 1) not in (b"\0", b"")
            begin += BLOCK
    if header.type in _BARE:
        length = 0
    elif size is not None and header.type not in (*_EXTENSIONS, *_LONG_NAMES):
        length = int(size) if re.fullmatch(r"[0-9]{1,19}", size) else -1
    if length < 0:
        raise ValueError(f"a header without a length, at byte {at:,}")
    if begin + length > os.fstat(stream.fileno()).st_size:
        raise EOFError(f"{at:,}")
    return _Block(header, begin, length)


def _extension(stream: BinaryIO, block: _Block) -> bytes:
    if block.length > LONGEST:
        raise ValueError(f"a header of {block.length:,} bytes, at byte {block.begin:,}")
    return read_part(stream, block.begin, block.length)


def _records(data: bytes) -> dict[str, str]:
    """Path and size from the lines "LENGTH KEY=VALUE" of an extended header, and "sparse" for a file with holes."""
    records: dict[str, str] = {}
    at = 0
    while at < len(data) and data[at]:
        length = _RECORD.match(data, at)
        record = data[length.end() : at + int(length[1])] if length else b""
        key, equals, value = record.partition(b"=")
        if not equals or not value.endswith(b"\n"):
            raise ValueError("an invalid extended header")
        if key in (b"path", b"size"):
            records[key.decode()] = _text(value[:-1])
        elif key.startswith(b"GNU.sparse."):
            records["sparse"] = ""
        at += int(length[1]) if length else 0
    return records


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _broken(path: Path, found: str) -> DatasetError:
    return DatasetError(
        "imagenet.not-a-tar",
        "not a complete, uncompressed tar archive",
        where=str(path),
        found=found,
        remedy="Download it again; decompress .tar.gz first",
    )
