"""What a resumed run need not make again: predictions of files that are still the same."""

from __future__ import annotations

import os
import time
import zlib
from pathlib import Path

import numpy as np
import pytest

from cspbench.data.source import Entry, FileSource, Region
from cspbench.evaluation.part import Part
from cspbench.inference.resume import StillValid, mark
from cspbench.inference.shards import SHARD, Shards


@pytest.fixture
def source(tmp_path: Path) -> FileSource:
    names = [f"{at:04d}.png" for at in range(SHARD + 2)]
    (tmp_path / "images").mkdir()
    for name in names:
        (tmp_path / "images" / name).write_bytes(name.encode())
    return FileSource(
        "list", [Entry(name, None) for name in names], [Region(str(tmp_path / "images" / name)) for name in names]
    )


@pytest.fixture
def run(tmp_path: Path, source: FileSource) -> Shards:
    run = Shards(tmp_path / "run", len(source))
    for shard in range(run.count):
        fill(run, shard, source)
    return run


def fill(run: Shards, shard: int, source: FileSource, bad: int | None = None) -> None:
    index = np.array(run.block(shard))
    samples = [source.sample(at) for at in index]
    run.write(
        shard,
        {
            "index": index,
            "key": np.array([each.key for each in samples]),
            "checksum": np.array([zlib.crc32(each.data) for each in samples], np.uint32),
            "ok": index != bad,
        },
    )


def valid(run: Shards, source: FileSource) -> StillValid:
    """As of a run that knows these files."""
    return StillValid(run, source, mark(source))


def test_shards_of_changed_files_are_made_anew(run: Shards, source: FileSource) -> None:
    still = valid(run, source)
    assert (still.missing(), still.changed) == ([], [])
    Path(source.regions[SHARD].path).write_bytes(b"repaired")
    Path(source.regions[3].path).touch()  # as bytes are copied: the same ones
    written = run.shard_path(0).stat().st_mtime_ns
    still = valid(run, source)
    assert (still.missing(), still.changed) == ([1], ["0256.png"])
    assert run.shard_path(0).stat().st_mtime_ns > written  # need not be read again
    fill(run, 1, source)
    assert valid(run, source).missing() == []


def test_an_older_file_in_its_place_is_noticed(run: Shards, source: FileSource) -> None:
    path = Path(source.regions[0].path)
    path.write_bytes(b"another")
    os.utime(path, (0, 0))
    assert valid(run, source).missing() == [0]


def test_only_a_repaired_image_is_tried_again(run: Shards, source: FileSource) -> None:
    fill(run, 1, source, bad=SHARD + 1)
    assert run.missing() == [1]
    assert valid(run, source).missing() == []
    path = Path(source.regions[SHARD + 1].path)
    path.write_bytes(b"repaired")
    # even where clocks disagree: what could not be read is looked at each time
    os.utime(run.shard_path(1), (time.time() + 1000,) * 2)
    assert valid(run, source).missing() == [1]
    path.unlink()
    still = valid(run, source)
    assert (still.missing(), still.changed) == ([1], ["0257.png"])


def test_a_part_of_a_source_and_a_stream_have_their_own_files(source: FileSource) -> None:
    part = Part(source, 2, seed=0)
    assert [part.path(at) for at in range(2)] == [source.path(index) for index in part.indices]
    assert super(FileSource, source).path(0) is None


def test_other_files_of_the_same_names_are_read(run: Shards, source: FileSource, tmp_path: Path) -> None:
    """A folder that was there before the run may hold other images: their times say nothing."""
    (tmp_path / "others").mkdir()
    regions = [Region(str(tmp_path / "others" / entry.key)) for entry in source.entries]
    for region in regions:
        Path(region.path).write_bytes(b"another image")
    others = FileSource("list", source.entries, regions)
    known = mark(source)
    for shard in range(run.count):
        os.utime(run.shard_path(shard), (time.time() + 9, time.time() + 9))
    assert not StillValid(run, source, known).elsewhere
    assert StillValid(run, source, known).missing() == []
    assert StillValid(run, others, known).elsewhere
    assert StillValid(run, others, known).missing() == [0, 1]
    assert StillValid(run, others, mark(others)).missing() == []  # which is what the times alone would have said
    assert StillValid(run, source, mark(others)).missing() == []  # elsewhere again, and the same images


def test_a_data_set_without_files_has_no_mark(source: FileSource) -> None:
    class Streamed(FileSource):
        def path(self, index: int) -> None:
            return None

    assert mark(Streamed("tar", source.entries, source.regions)) is None
    assert len(str(mark(source))) == 16
