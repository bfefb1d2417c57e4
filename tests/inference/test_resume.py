"""What a resumed run keeps: predictions of files that are still the same, and the word of who made them."""

from __future__ import annotations

import json
import os
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cspbench.cli.resumed import say_resumed
from cspbench.data.source import Entry, FileSource, Region, Sample
from cspbench.errors import CspbenchError, IncompleteRunError, RunError
from cspbench.evaluation.imagenet import Subset
from cspbench.inference.resume import Kept, add_session, begin_again, mark, moved, program, programs
from cspbench.inference.run import SHARD, Run, load_run, open_run, record

IDENTITY = {
    "task": "imagenet",
    "model": "net",
    "weights": "00",
    "size": [8, 8],
    "precision": "fp32",
    "file": True,
    "data": {"images": SHARD + 2},
    "preset": {"name": "readme"},
    "classes": "darknet",
}
FIRST = {"cspbench": "1.0", "commit": "a" * 40, "packages": {"torch": "2.0"}}
SECOND = {**FIRST, "commit": "b" * 40 + "+changes"}


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
def run(tmp_path: Path, source: FileSource) -> Run:
    """A complete run of the source's images, which knows where they lie: the files' times decide what is read again."""
    run = open_run(tmp_path / "run", IDENTITY, len(source), {**FIRST, "files": mark(source)})
    for shard in range(run.shards):
        fill(run, shard, source)
    assert not Kept(run, source).elsewhere
    return run


def fill(run: Run, shard: int, source: FileSource, bad: int | None = None) -> None:
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


def test_shards_of_changed_files_are_made_anew(run: Run, source: FileSource) -> None:
    kept = Kept(run, source)
    assert (kept.missing(), kept.changed) == ([], [])
    Path(source.regions[SHARD].path).write_bytes(b"repaired")
    Path(source.regions[3].path).touch()  # as bytes are copied: the same ones
    written = run.shard_path(0).stat().st_mtime_ns
    kept = Kept(run, source)
    assert (kept.missing(), kept.changed) == ([1], ["0256.png"])
    assert run.shard_path(0).stat().st_mtime_ns > written  # need not be read again
    fill(run, 1, source)
    assert Kept(run, source).missing() == []


ORDINARY = 5
"""An image that is none of those that tell one folder's files from another's: the first, the middle and the last."""


def test_an_older_file_in_its_place_is_noticed(run: Run, source: FileSource) -> None:
    path = Path(source.regions[ORDINARY].path)
    path.write_bytes(b"another")
    os.utime(path, (0, 0))
    kept = Kept(run, source)
    assert (kept.elsewhere, kept.missing(), kept.changed) == (False, [0], ["0005.png"])
    assert Kept(run, source).missing() == [0]  # until the shard is made anew


def test_what_could_not_be_read_is_looked_at_each_time(run: Run, source: FileSource) -> None:
    """Even where the file is older than its shard, as where clocks disagree."""
    fill(run, 0, source, bad=ORDINARY)
    assert Kept(run, source).missing() == []
    Path(source.regions[ORDINARY].path).write_bytes(b"repaired")
    later = time.time() + 1000
    os.utime(run.shard_path(0), (later, later))
    kept = Kept(run, source)
    assert (kept.elsewhere, kept.missing(), kept.changed) == (False, [0], ["0005.png"])


def test_a_file_that_is_gone_is_noticed(run: Run, source: FileSource) -> None:
    Path(source.regions[ORDINARY].path).unlink()
    kept = Kept(run, source)
    assert (kept.elsewhere, kept.missing(), kept.changed) == (False, [0], ["0005.png"])


@pytest.mark.parametrize("at", [ORDINARY, SHARD])
def test_a_file_changed_a_moment_after_its_shard_is_noticed(run: Run, source: FileSource, at: int) -> None:
    path = Path(source.regions[at].path)
    path.write_bytes(b"another")
    moment = path.stat().st_ctime_ns - 1
    for shard in range(run.shards):
        os.utime(run.shard_path(shard), ns=(moment, moment))
    assert Kept(run, source).missing() == [at // SHARD]


def test_files_older_than_their_shard_are_not_read(run: Run, source: FileSource) -> None:
    later = time.time() + 1000
    for shard in range(run.shards):
        os.utime(run.shard_path(shard), (later, later))

    def read(index: int) -> Sample:
        raise AssertionError(f"image {index} was read")

    unread = Unread(source, read)
    assert Kept(run, unread).missing() == []
    Path(source.regions[ORDINARY].path).touch()
    os.utime(source.regions[ORDINARY].path, (later + 1, later + 1))
    with pytest.raises(AssertionError, match=f"image {ORDINARY} "):
        Kept(run, unread).missing()


class Unread:
    """A source whose images somebody else reads."""

    def __init__(self, source: FileSource, read: Callable[[int], Sample]) -> None:
        self.source, self.sample = source, read

    def __len__(self) -> int:
        return len(self.source)

    def path(self, index: int) -> str | None:
        return self.source.path(index)


@pytest.mark.parametrize("at", [0, (SHARD + 2) // 2, SHARD + 1])
@pytest.mark.parametrize("what", ["size", "time", "node", "place"])
def test_the_first_the_middle_and_the_last_file_tell_a_folder(
    run: Run, source: FileSource, tmp_path: Path, at: int, what: str
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
    assert Kept(run, source).elsewhere
    if what != "size":  # the same images: they are read, and kept
        assert Kept(run, source).missing() == []
    else:
        assert Kept(run, source).missing() == [at // SHARD]


def test_a_folder_by_another_name_is_the_same(run: Run, source: FileSource, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "images")
    regions = [Region(str(tmp_path / "link" / entry.key)) for entry in source.entries]
    assert not Kept(run, FileSource("list", source.entries, regions)).elsewhere


def test_nothing_and_what_is_gone_have_no_mark(source: FileSource) -> None:
    assert mark(FileSource("list", [], [])) is None
    assert mark(FileSource("list", source.entries[:1], [Region("/nowhere")])) is None


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_files_have_a_mark_of_all(source: FileSource, count: int) -> None:
    few = FileSource("list", source.entries[:count], source.regions[:count])
    marks = {mark(few)}
    for region in few.regions:
        os.utime(region.path, (0, 0))
        marks.add(mark(few))
    assert len(marks) == count + 1


def test_only_a_repaired_image_is_tried_again(run: Run, source: FileSource) -> None:
    fill(run, 1, source, bad=SHARD + 1)
    assert run.missing() == [1]
    assert Kept(run, source).missing() == []
    path = Path(source.regions[SHARD + 1].path)
    path.write_bytes(b"repaired")
    # even where clocks disagree: what could not be read is looked at each time
    os.utime(run.shard_path(1), (time.time() + 1000,) * 2)
    assert Kept(run, source).missing() == [1]
    path.unlink()
    kept = Kept(run, source)
    assert (kept.missing(), kept.changed) == ([1], ["0257.png"])


def test_a_part_of_a_source_and_a_stream_have_their_own_files(source: FileSource) -> None:
    assert Subset(source, 2).path(1) == source.path(len(source) // 2)
    assert super(FileSource, source).path(0) is None


def test_every_session_is_listed(run: Run, source: FileSource, capsys: pytest.CaptureFixture[str]) -> None:
    kept = Kept(run, source)
    say_resumed("net", run, kept, [], FIRST)
    words = capsys.readouterr().err
    assert "net: 258 of 258 images kept from 20" in words
    assert f"by cspbench 1.0, commit aaaaaaa, torch 2.0: {run.path}; --fresh makes them anew" in words
    assert "warning" not in words
    assert "sessions" not in record(run.path)

    say_resumed("net", run, kept, [], SECOND)
    assert "warning: net: another program made them, this one is cspbench 1.0, commit bbbbbbb+changes" in (
        capsys.readouterr().err
    )
    say_resumed("net", run, kept, [1], SECOND)
    words = capsys.readouterr().err
    assert "256 of 258 images kept" in words
    assert "warning: net: this run mixes programs, this one is cspbench 1.0, commit bbbbbbb+changes" in words
    (later,) = record(run.path)["sessions"]
    assert (later["commit"], later["when"][:2]) == (SECOND["commit"], "20")
    assert programs(record(run.path)) == [program(FIRST), program(SECOND)]
    assert load_run(run.path).identity == IDENTITY  # it is the same run

    kept.changed = ["x\n.png"]
    say_resumed("net", run, kept, [0, 1], SECOND)
    words = capsys.readouterr().err
    assert words == "cspbench: net: image files have changed since (1), their shards are made anew: x\\n.png\n"
    assert programs(record(run.path)) == [program(SECOND)]  # of what the first one made nothing is left


def test_a_session_takes_the_files_with_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a session that made predictions; and of as many sessions as are listed, the newest."""
    monkeypatch.setattr("cspbench.inference.resume.MOST", 2)
    for number in range(4):
        add_session(run.path, {**SECOND, "device": f"cuda:{number}", "files": f"mark {number}"})
    kept = record(run.path)
    assert kept["files"] == "mark 3"
    assert [each["device"] for each in kept["sessions"]] == ["cuda:2", "cuda:3"]
    moved(run.path, "elsewhere")
    assert record(run.path) == {**kept, "files": "elsewhere"}
    begin_again(run.path, SECOND)
    again = record(run.path)
    assert ("sessions" in again, again["commit"], again["identity"]) == (False, SECOND["commit"], IDENTITY)
    assert (again["samples"], again["shard"], again["schema"]) == (kept["samples"], kept["shard"], kept["schema"])


def test_sessions_that_are_none_are_refused(run: Run) -> None:
    add_session(run.path, SECOND)
    path = run.path / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "sessions": [1]}))
    with pytest.raises(RunError, match="sessions is no list of objects"):
        record(run.path)


def test_a_record_that_cannot_be_written_leaves_a_run_to_be_resumed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: object) -> None:
        raise CspbenchError("disk.write-failed", "cannot be written", where=str(path), found="No space left on device")

    monkeypatch.setattr("cspbench.inference.resume.write_json", full)
    with pytest.raises(IncompleteRunError, match=r"run\.json: the record of the run cannot be written") as caught:
        add_session(run.path, SECOND)
    assert caught.value.exit_code == 4


def test_other_files_of_the_same_names_are_read(run: Run, source: FileSource, tmp_path: Path) -> None:
    """A folder that was there before the run may hold other images: their times say nothing."""
    (tmp_path / "others").mkdir()
    regions = [Region(str(tmp_path / "others" / entry.key)) for entry in source.entries]
    for region in regions:
        Path(region.path).write_bytes(b"another image")
    others = FileSource("list", source.entries, regions)
    moved(run.path, mark(source))
    for shard in range(run.shards):
        os.utime(run.shard_path(shard), (time.time() + 9, time.time() + 9))
    assert not Kept(run, source).elsewhere
    assert Kept(run, source).missing() == []
    assert Kept(run, others).elsewhere
    assert Kept(run, others).missing() == [0, 1]
    moved(run.path, mark(others))
    assert Kept(run, others).missing() == []  # which is what the times alone would have said
    assert Kept(run, source).missing() == []  # elsewhere again, and the same images


def test_a_fresh_start_throws_the_servers_answer_away(run: Run, source: FileSource) -> None:
    (run.path / "server.json").write_text("[]")
    open_run(run.path, IDENTITY, len(source), FIRST, fresh=True)
    assert not (run.path / "server.json").exists()


def test_predictions_made_anew_have_no_answer_of_the_server(run: Run, source: FileSource) -> None:
    answer = run.path / "server.json"
    answer.write_text("[]")
    say_resumed("net", run, Kept(run, source), [], FIRST)
    assert answer.exists()
    say_resumed("net", run, Kept(run, source), [1], FIRST)
    assert not answer.exists()
