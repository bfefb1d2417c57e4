"""The cache of the drawn sets: whole or not at all, whoever else draws or dies there."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import threading
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


@pytest.mark.parametrize("harm", ["lost", "cut", "added", "unfinished", "unreadable"])
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
        case _:
            note.write_bytes(b"{")
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
    # a killed one cannot tidy up: what it leaves does not count
    name = f"sample-classification-{place.VERSIONS['classification']}"
    write_bytes(cache / name / "imagenet" / "n90000001" / "9.JPEG", b"half")
    (cache / f".{name}.lock").touch()
    folder = place.ensure("classification", drawing.append)
    assert sorted(path.name for path in folder.rglob("*.JPEG")) == ["0.JPEG", "1.JPEG", "2.JPEG"]
    assert held(cache) == [name]


def test_another_run_may_be_faster(cache: Path, drawing: list[int]) -> None:
    """While one draws, another waits, and takes the first one's set."""
    waiting: list[threading.Thread] = []

    def overtaken(done: int) -> None:
        if done == 2:
            waiting.append(threading.Thread(target=place.ensure, args=("classification", drawing.append)))
            waiting[0].start()

    folder = place.ensure("classification", overtaken)
    waiting[0].join(600)
    assert drawing == []
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
    with refuses("disk.write-failed", found=os.strerror(errno.EEXIST)) as caught:
        place.ensure("classification")
    assert str(caught.value.where).startswith(str(tmp_path / "file"))
    assert "CSPBENCH_CACHE" in (caught.value.remedy or "")


def test_the_detection_set_is_cocos(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection, "write", three)
    assert place.ensure("detection") == cache / f"sample-detection-{place.VERSIONS['detection']}" / "coco"


def test_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("CSPBENCH_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert place.cache() == tmp_path / ".cache" / "cspbench"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert place.cache() == tmp_path / "xdg" / "cspbench"
    monkeypatch.setenv("CSPBENCH_CACHE", "~/own")
    assert place.cache() == tmp_path / "own"
