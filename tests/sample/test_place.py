"""The cache of the drawn sets: whole or not at all, whoever else draws or dies there."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from refusals import refuses

from cspbench.io import write_bytes
from cspbench.sample import classification, detection, place


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("CSPBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def drawing(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sets of three files, quickly drawn; holds what the steps said."""
    monkeypatch.setattr(classification, "write", three)
    return []


def three(folder: Path, step: Callable[[int], None]) -> None:
    """Write three files."""
    for each in range(3):
        write_bytes(folder / "n90000001" / f"{each}.JPEG", bytes([each] * 10))
        step(each + 1)


def held(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir())


def test_the_whole_set_is_drawn_once(cache: Path) -> None:
    steps: list[int] = []
    first = place.ensure("classification", steps.append)
    assert first == cache / f"sample-classification-{place.VERSIONS['classification']}" / "imagenet"
    assert steps == list(range(1, 241))
    assert len(list(first.glob("n900000??/ILSVRC2012_val_00000???.JPEG"))) == 240
    assert place.ensure("classification", steps.append) == first
    assert len(steps) == 240
    assert held(cache) == [first.parent.name]


@pytest.mark.parametrize("harm", ["lost", "cut", "added", "unfinished", "unreadable", "no folder"])
def test_damage_is_repaired(harm: str, cache: Path, drawing: list[int]) -> None:
    folder = place.ensure("classification", drawing.append)
    file, note = folder / "n90000001" / "1.JPEG", folder.parent / place.WHOLE
    match harm:
        case "lost":
            file.unlink()
        case "cut":
            file.write_bytes(b"\1" * 9)
        case "added":
            (folder / "more").write_bytes(b"")
        case "unfinished":
            note.unlink()
        case "unreadable":
            note.write_bytes(b"{")
        case _:
            os.rename(folder.parent, cache / "elsewhere")
            folder.parent.write_bytes(b"a file")
    assert place.ensure("classification", drawing.append) == folder
    assert drawing == [1, 2, 3, 1, 2, 3]
    assert file.read_bytes() == b"\1" * 10
    assert json.loads(note.read_bytes()) == {"files": 3, "bytes": 30}
    assert [name for name in held(cache) if name.startswith(".")] == []


def test_a_run_that_dies_leaves_nothing_that_counts(
    cache: Path, drawing: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(done: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place.ensure("classification", interrupted)
    assert held(cache) == []
    # a killed one cannot tidy up: what it leaves is ignored, and deleted when it is old
    name = f".sample-classification-{place.VERSIONS['classification']}"
    for each, age in (("young", 0.0), ("old", 2 * place.ABANDONED)):
        (cache / f"{name}.{each}" / "imagenet").mkdir(parents=True)
        os.utime(cache / f"{name}.{each}", (time.time() - age,) * 2)
    folder = place.ensure("classification", drawing.append)
    assert held(cache) == [f"{name}.young", folder.parent.name]


def test_another_run_may_be_faster(cache: Path, drawing: list[int]) -> None:
    """While one draws, another finishes: the first one's set is kept, its files unmoved."""
    numbers: list[int] = []

    def overtaken(done: int) -> None:
        if done == 2:
            path = place.ensure("classification", drawing.append) / "n90000001" / "0.JPEG"
            numbers.append(path.stat().st_ino)

    folder = place.ensure("classification", overtaken)
    assert drawing == [1, 2, 3]
    assert [(folder / "n90000001" / "0.JPEG").stat().st_ino] == numbers
    assert held(cache) == [folder.parent.name]


def draw_quickly(cache: str, damage: bool) -> None:
    os.environ["CSPBENCH_CACHE"] = cache
    classification.write = three  # type: ignore[assignment]
    for _ in range(10):
        folder = place.ensure("classification")
        if damage:
            (folder.parent / place.WHOLE).unlink(missing_ok=True)


def test_several_processes_at_once(cache: Path, drawing: list[int]) -> None:
    context = multiprocessing.get_context("spawn")
    runs = [context.Process(target=draw_quickly, args=(str(cache), damage)) for damage in (False, True)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(60)
        assert run.exitcode == 0
    place.ensure("classification")
    assert [name for name in held(cache) if name.startswith(".")] == []


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("CSPBENCH_CACHE", str(tmp_path / "file"))
    with refuses("disk.write-failed", where=str(tmp_path / "file"), found=os.strerror(errno.EEXIST)) as caught:
        place.ensure("classification")
    assert "CSPBENCH_CACHE" in (caught.value.remedy or "")


def test_the_detection_set_is_cocos(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection, "write", three)
    assert place.ensure("detection") == cache / f"sample-detection-{place.VERSIONS['detection']}" / "coco"


def test_there_are_two_samples() -> None:
    with refuses("usage.unknown-sample", expected="classification or detection", found="'segmentation'"):
        place.ensure("segmentation")  # type: ignore[arg-type]


def test_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("CSPBENCH_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert place.cache() == tmp_path / ".cache" / "cspbench"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert place.cache() == tmp_path / "xdg" / "cspbench"
    monkeypatch.setenv("CSPBENCH_CACHE", "~/own")
    assert place.cache() == tmp_path / "own"
