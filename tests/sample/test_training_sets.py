"""Drawn sets to train on: the same for any number of processes, whole or absent, and apart from what is held out."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from refusals import refuses

from cspbench.data.augment.images import open_classifier_images, open_detector_images
from cspbench.errors import IncompleteRunError
from cspbench.sample import classification, detection, seeds, training
from cspbench.sample.place import Kind
from cspbench.sample.training import draw_training_set

KINDS: dict[Kind, Any] = {"classification": classification, "detection": detection}


@pytest.fixture(autouse=True)
def _few_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(training.HELD, "classification", 5)
    monkeypatch.setitem(training.HELD, "detection", 3)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_as_many_are_held_out_as_the_sample_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert {kind: module.IMAGES for kind, module in KINDS.items()} == training.HELD


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_files_by_one_process_and_by_two(kind: Kind, tmp_path: Path) -> None:
    steps: list[list[int]] = [[], []]
    draw_training_set(kind, tmp_path / "one", 7, 1, steps[0].append)
    draw_training_set(kind, tmp_path / "two", 7, 2, steps[1].append)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]
    one = files(tmp_path / "one")
    assert one == files(tmp_path / "two")
    assert steps == [list(range(1, 7 + training.HELD[kind] + 1))] * 2
    assert len(one) == 12  # of a classifier 5 and 7, of a detector 3, 7 and two lists of objects


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_held_out_are_the_samples_own_pictures(kind: Kind, tmp_path: Path) -> None:
    draw_training_set(kind, tmp_path / "set", 4)
    KINDS[kind].write(tmp_path / "sample", training.HELD[kind])
    own = files(tmp_path / "sample")
    held = tmp_path / "set" / "val" if kind == "classification" else tmp_path / "set"
    assert {name: data for name, data in files(held).items() if name in own} == own
    if kind == "classification":
        assert files(held) == own
        assert len({*files(tmp_path / "set" / "train").values()} & {*own.values()}) == 0
    assert len({*files(tmp_path / "set").values()}) == len(files(tmp_path / "set"))


@pytest.mark.parametrize("kind", KINDS)
def test_seeds_of_both_parts_are_apart(kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each picture has its own, those to train on from 0 to one below the first that is held out."""
    numbers: list[int] = []

    def noted(seed: int) -> np.random.Generator:
        numbers.append(seed)
        return seeds.generator(seed)

    monkeypatch.setattr(KINDS[kind], "generator", noted)
    draw_training_set(kind, tmp_path / "set", 6)
    scale = 8 if kind == "classification" else 1  # a classifier's picture has a seed for each of eight attempts
    drawn = {number // scale for number in numbers}
    first = seeds.HELD_OUT
    assert drawn == {*range(6), *range(first, first + training.HELD[kind])}


def test_both_are_read_as_data_sets(tmp_path: Path) -> None:
    draw_training_set("classification", tmp_path / "imagenet", 20)
    images = open_classifier_images(tmp_path / "imagenet")
    assert (len(images.images), len(images.names)) == (20, 16)
    draw_training_set("detection", tmp_path / "coco", 6)
    boxes = open_detector_images(tmp_path / "coco")
    assert (len(boxes.images), len(boxes.names)) == (6, 10)
    data = json.loads((tmp_path / "coco" / "annotations" / "instances_train2017.json").read_text())
    assert [record["file_name"] for record in data["images"]] == [f"{number:012d}.jpg" for number in range(1, 7)]
    assert data["images"] != []


def test_a_folder_that_exists_is_kept(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine").write_text("mine")
    with refuses("usage.folder-exists", where=str(tmp_path / "set")):
        draw_training_set("detection", tmp_path / "set", 1)
    assert files(tmp_path) == {"set/mine": b"mine"}


@pytest.mark.parametrize("images", [0, -1, seeds.HELD_OUT + 1])
def test_a_number_that_cannot_be(images: int, tmp_path: Path) -> None:
    with refuses("usage.out-of-range", found=f"{images:,}"):
        draw_training_set("classification", tmp_path / "set", images)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("at", [2, 7])
def test_an_interrupt_leaves_nothing(processes: int, at: int, tmp_path: Path) -> None:
    """While those held out are drawn, and while those to train on are."""

    def step(done: int) -> None:
        if done == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw_training_set("classification", tmp_path / "new" / "set", 9, processes, step)
    assert list((tmp_path / "new").iterdir()) == []


def test_what_a_killed_process_left_is_no_set(tmp_path: Path) -> None:
    (tmp_path / ".set.part" / "train").mkdir(parents=True)
    (tmp_path / ".set.part" / "train" / "old.JPEG").write_bytes(b"old")
    draw_training_set("classification", tmp_path / "set", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert not (tmp_path / "set" / "train" / "old.JPEG").exists()


def test_a_process_that_dies(tmp_path: Path) -> None:
    with pytest.raises(IncompleteRunError) as caught:
        list(training._Several(2)(_die, range(9)))
    assert caught.value.code == "incomplete.drawing-died"


def _die(task: int) -> int:
    if task == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def test_the_largest_number_is_drawn(tmp_path: Path) -> None:
    """All seeds below those held out; it is stopped at the first picture."""

    def step(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw_training_set("classification", tmp_path / "set", seeds.HELD_OUT, step=step)
