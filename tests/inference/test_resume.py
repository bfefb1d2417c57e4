"""What a resumed run need not make again: predictions of files that are still the same."""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cspbench.data.source import Entry, FileSource, Images, Region, Sample, Source
from cspbench.evaluation.part import Part
from cspbench.inference.resume import StillValid, mark
from cspbench.inference.shards import SHARD, Shards


@dataclass(frozen=True)
class Known(Shards):
    """Shards of a run that knows in which files its images lie."""

    files: str | None


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
    """A complete run of the source's images, which knows where they lie: the files' times decide what is read again."""
    run = Known(tmp_path / "run", len(source), mark(source))
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


def valid(run: Shards, source: Images) -> StillValid:
    assert isinstance(run, Known)
    return StillValid(run, source, run.files)


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


ORDINARY = 5
"""An image that is none of those that tell one folder's files from another's: the first, the middle and the last."""


def test_an_older_file_in_its_place_is_noticed(run: Shards, source: FileSource) -> None:
    path = Path(source.regions[ORDINARY].path)
    path.write_bytes(b"another")
    os.utime(path, (0, 0))
    still = valid(run, source)
    assert (still.elsewhere, still.missing(), still.changed) == (False, [0], ["0005.png"])
    assert valid(run, source).missing() == [0]  # until the shard is made anew


def test_what_could_not_be_read_is_looked_at_each_time(run: Shards, source: FileSource) -> None:
    """Even where the file is older than its shard, as where clocks disagree."""
    fill(run, 0, source, bad=ORDINARY)
    assert valid(run, source).missing() == []
    Path(source.regions[ORDINARY].path).write_bytes(b"repaired")
    later = time.time() + 1000
    os.utime(run.shard_path(0), (later, later))
    still = valid(run, source)
    assert (still.elsewhere, still.missing(), still.changed) == (False, [0], ["0005.png"])


def test_a_file_that_is_gone_is_noticed(run: Shards, source: FileSource) -> None:
    Path(source.regions[ORDINARY].path).unlink()
    still = valid(run, source)
    assert (still.elsewhere, still.missing(), still.changed) == (False, [0], ["0005.png"])


@pytest.mark.parametrize("at", [ORDINARY, SHARD])
def test_a_file_changed_a_moment_after_its_shard_is_noticed(run: Shards, source: FileSource, at: int) -> None:
    path = Path(source.regions[at].path)
    path.write_bytes(b"another")
    moment = path.stat().st_ctime_ns - 1
    for shard in range(run.count):
        os.utime(run.shard_path(shard), ns=(moment, moment))
    assert valid(run, source).missing() == [at // SHARD]


def test_files_older_than_their_shard_are_not_read(run: Shards, source: FileSource) -> None:
    later = time.time() + 1000
    for shard in range(run.count):
        os.utime(run.shard_path(shard), (later, later))

    def read(index: int) -> Sample:
        raise AssertionError(f"image {index} was read")

    unread = Unread(source, read)
    assert valid(run, unread).missing() == []
    Path(source.regions[ORDINARY].path).touch()
    os.utime(source.regions[ORDINARY].path, (later + 1, later + 1))
    with pytest.raises(AssertionError, match=f"image {ORDINARY} "):
        valid(run, unread).missing()


class Unread(FileSource):
    """A source whose images somebody else reads."""

    def __init__(self, source: FileSource, read: Callable[[int], Sample]) -> None:
        super().__init__(source.kind, source.entries, source.regions)
        self.read = read

    def sample(self, index: int) -> Sample:
        return self.read(index)


@pytest.mark.parametrize("at", [0, (SHARD + 2) // 2, SHARD + 1])
@pytest.mark.parametrize("what", ["size", "time", "node", "place"])
def test_the_first_the_middle_and_the_last_file_tell_a_folder(
    run: Shards, source: FileSource, tmp_path: Path, at: int, what: str
) -> None:
    """Each alone, and by each of what is looked at alone."""
    path = Path(source.regions[at].path)
    before = path.stat()
    if what == "size":
        path.write_bytes(b"longer than it was before")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif what == "time":
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    elif what == "node":
        other = tmp_path / "other"
        other.write_bytes(path.read_bytes())
        os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
        other.replace(path)
    else:
        (tmp_path / "elsewhere").mkdir()
        moved_to = tmp_path / "elsewhere" / path.name
        os.link(path, moved_to)
        regions = [Region(str(moved_to)) if index == at else each for index, each in enumerate(source.regions)]
        source = FileSource("list", source.entries, regions)
    assert valid(run, source).elsewhere
    if what != "size":  # the same images: they are read, and kept
        assert valid(run, source).missing() == []
    else:
        assert valid(run, source).missing() == [at // SHARD]


def test_a_folder_by_another_name_is_the_same(run: Shards, source: FileSource, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "images")
    regions = [Region(str(tmp_path / "link" / entry.key)) for entry in source.entries]
    assert not valid(run, FileSource("list", source.entries, regions)).elsewhere


def test_nothing_and_what_is_gone_have_no_mark(source: FileSource, tmp_path: Path) -> None:
    assert mark(FileSource("list", [], [])) is None
    assert mark(FileSource("list", source.entries[:1], [Region(str(tmp_path / "gone"))])) is None


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_files_have_a_mark_of_all(source: FileSource, count: int) -> None:
    few = FileSource("list", source.entries[:count], source.regions[:count])
    marks = {mark(few)}
    for region in few.regions:
        os.utime(region.path, (0, 0))
        marks.add(mark(few))
    assert len(marks) == count + 1


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("checksum", np.zeros(1, np.uint32)),
        ("checksum", np.array(["crc"] * 2)),
        ("checksum", np.zeros((2, 2), np.uint32)),
        ("key", np.array(["0256.png"])),
    ],
)
def test_a_shard_with_other_arrays_is_left_to_the_scoring(
    run: Shards, source: FileSource, name: str, array: np.ndarray[Any, Any]
) -> None:
    """Also where each file is compared with its checksum."""
    run.write(1, {**run.read(1), name: array})
    still = StillValid(run, source, None)
    assert (still.missing(), still.changed) == ([], [])


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
    assert Source.path(source, 0) is None


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
