"""A loss of power: a file's bytes are on the disk before its name is, and the name before the command goes on."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from refusals import refuses

from cspbench.io import write_bytes


def test_bytes_before_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    sync, replace = os.fsync, os.replace

    def fsync(handle: int) -> None:
        done.append("folder" if Path(f"/proc/self/fd/{handle}").resolve().is_dir() else "file")
        sync(handle)

    def put(source: Path, target: Path) -> None:
        done.append("name")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", put)
    write_bytes(tmp_path / "shard", b"some")
    assert done == ["file", "name", "folder"]
    assert (tmp_path / "shard").read_bytes() == b"some"


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_is_full_only_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """What was there stays, and nothing half written."""
    write_bytes(tmp_path / "shard", b"before")

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with refuses("disk.write-failed", where=str(tmp_path / "shard"), found=os.strerror(errno.ENOSPC)):
        write_bytes(tmp_path / "shard", b"after")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"shard": b"before"}
