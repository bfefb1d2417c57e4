"""Where a fetched file goes: over nothing that is there, through no link, and into no full or read-only folder."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from permissions import permissions_hold
from refusals import refuses
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

from cspbench.lock import exclusive
from cspbench.weights.download.files import download


def test_another_file_is_replaced_only_by_force(site: Site, target: Path) -> None:
    target.write_bytes(b"mine")
    url = site.on("/x", sends(DATA))
    with refuses("download.file-exists", where=str(target), expected=f"{SIZE} bytes") as caught:
        download([url], target, SIZED)
    assert str(caught.value.found).startswith("4 bytes")
    assert "--force" in str(caught.value.remedy)
    assert (target.read_bytes(), site.asked) == (b"mine", [])
    with refuses("download.no-file"):
        download([site.url("/none")], target, SIZED, force=True)
    assert target.read_bytes() == b"mine"
    download([url], target, SIZED, force=True)
    assert target.read_bytes() == DATA


def test_a_link_at_the_part_is_not_followed(site: Site, target: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    target.with_name("net.weights.part").symlink_to(tmp_path / "precious")
    with refuses("disk.write-failed", where=f"{target}.part"):
        download([site.on("/x", sends(DATA))], target, SIZED)
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_a_folder_that_cannot_be(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with refuses("disk.write-failed", found="File exists") as caught:
        download([site.on("/x", sends(DATA))], tmp_path / "file" / "net.weights", SIZED)
    assert "--out" in str(caught.value.remedy)


def test_a_read_only_folder(site: Site, target: Path) -> None:
    target.parent.chmod(0o555)
    try:
        with permissions_hold(), refuses("disk.write-failed", found="Permission denied"):
            download([site.on("/x", sends(DATA))], target, SIZED)
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
        patch.setattr("cspbench.weights.download.part.os.write", full)
        with refuses("disk.write-failed", where=f"{target}.part", found="No space left on device"):
            download([url], target, SIZED)
    assert target.with_name("net.weights.part").read_bytes() == DATA[:100_000]
    download([url], target, SIZED)
    assert site.ranges == [None, "bytes=100000-"]
    assert target.read_bytes() == DATA


def test_a_pipe_at_the_part_is_refused(site: Site, target: Path) -> None:
    os.mkfifo(target.with_name("net.weights.part"))
    with refuses("disk.write-failed", found="not a regular file"):
        download([site.on("/x", sends(DATA))], target, SIZED)
    assert site.asked == []


def test_waiting_for_another_process_ends(site: Site, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cspbench.weights.download.files.OTHERS", 0.3)
    heard: list[str] = []
    lock = target.with_name(".net.weights.lock")
    with exclusive(lock), refuses("incomplete.run-locked", where=str(lock)) as caught:
        download([site.on("/x", sends(DATA))], target, SIZED, say=heard.append)
    assert caught.value.exit_code == 4
    assert [each.startswith("waiting for ") and "net.weights" in each for each in heard] == [True]
    assert site.asked == []
