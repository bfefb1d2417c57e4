"""Uncompressed tar archives as random-access files: where each member's bytes lie. Nothing is extracted."""

from __future__ import annotations

import tarfile
from pathlib import Path

from cspbench.data.source import DatasetError, Region

BLOCK = 512


def members(path: Path) -> dict[str, Region]:
    """The regular files of a tar by their names, without a leading "./"; of two of the same name the later one."""
    regions: dict[str, Region] = {}
    end = 0
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                end = member.offset_data + -(-member.size // BLOCK) * BLOCK
                if member.isreg() and not member.issparse():
                    regions[member.name.removeprefix("./")] = Region(str(path), member.offset_data, member.size)
    except (tarfile.TarError, OSError, ValueError) as error:
        raise _broken(path, str(error) or type(error).__name__) from error
    with path.open("rb") as stream:
        stream.seek(end)
        mark = stream.read(BLOCK)
    if len(mark) < BLOCK or any(mark):
        raise _broken(path, f"no end mark after {len(regions)} files, at byte {end:,}")
    return regions


def _broken(path: Path, found: str) -> DatasetError:
    return DatasetError(
        "is no complete, uncompressed tar archive",
        where=str(path),
        found=found,
        remedy="Download it again; decompress .tar.gz first",
    )
