"""Where a fetched file goes: over nothing that is there, through no link, and into no full or read-only folder."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from permissions import permissions_hold
from weight_server import (  # noqa: F401 (found by their names)
    DATA,
    PAGE,
    QUICK,
    SHA,
    SIZE,
    SIZED,
    Site,
    fixture_site,
    fixture_target,
    sends,
)

from cspbench.errors import DeadError, ExistingError, PlaceError
from cspbench.weights.fetch import fetch


def test_another_file_is_replaced_only_by_force(site: Site, target: Path) -> None:
    target.write_bytes(b"mine")
    url = site.on("/x", sends(DATA))
    with pytest.raises(ExistingError, match=f"there: not the size .*expected {SIZE} bytes, found 4 bytes"):
        fetch([url], target, SIZED)
    assert (target.read_bytes(), site.asked) == (b"mine", [])
    with pytest.raises(DeadError):
        fetch([site.url("/none")], target, SIZED, force=True)
    assert target.read_bytes() == b"mine"
    fetch([url], target, SIZED, force=True)
    assert target.read_bytes() == DATA


def test_a_link_at_the_part_is_not_followed(site: Site, target: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    target.with_name("net.weights.part").symlink_to(tmp_path / "precious")
    with pytest.raises(PlaceError, match="cannot be written"):
        fetch([site.on("/x", sends(DATA))], target, SIZED)
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_a_folder_that_cannot_be(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PlaceError, match="cannot be written"):
        fetch([site.on("/x", sends(DATA))], tmp_path / "file" / "net.weights", SIZED)


def test_a_read_only_folder(site: Site, target: Path) -> None:
    target.parent.chmod(0o555)
    try:
        with permissions_hold(), pytest.raises(PlaceError, match=r"cannot be written \(found Permission denied\)"):
            fetch([site.on("/x", sends(DATA))], target, SIZED)
    finally:
        target.parent.chmod(0o755)


def test_a_full_disk_keeps_what_fitted(site: Site, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write: Callable[[int, memoryview], int] = os.write

    def full(handle: int, data: memoryview) -> int:
        room = 100_000 - os.fstat(handle).st_size
        if room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, data[:room])

    url = site.on("/x", sends(DATA))
    with monkeypatch.context() as patch:
        patch.setattr("cspbench.weights.partial.os.write", full)
        with pytest.raises(PlaceError, match=r"the disk is full .*No space left on device.* goes on from what is kept"):
            fetch([url], target, SIZED)
    assert target.with_name("net.weights.part").read_bytes() == DATA[:100_000]
    fetch([url], target, SIZED)
    assert site.ranges == [None, "bytes=100000-"]
    assert target.read_bytes() == DATA
