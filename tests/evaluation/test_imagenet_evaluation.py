"""Which images a limited evaluation takes, and what a network must know of them."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from refusals import refuses
from result_files import classifier

from cspbench.data.classes import SAMPLE, order
from cspbench.data.presets import preset
from cspbench.data.source import Entry, FileSource, Region
from cspbench.evaluation.execution import Execution
from cspbench.evaluation.imagenet import check_classes, chosen_classes, chosen_preset, score_classifier
from cspbench.evaluation.part import Part, limit_of, part_of
from cspbench.evaluation.subject import Subject
from cspbench.inference.description import Description
from cspbench.results import runs


def source(folder: Path, count: int, wnid: str = "n01440764") -> FileSource:
    for at in range(count):
        (folder / f"{at}.png").write_bytes(b"%d" % at)
    return FileSource(
        "list",
        [Entry(f"{at}.png", wnid) for at in range(count)],
        [Region(str(folder / f"{at}.png")) for at in range(count)],
    )


def subject(name: str = "net", classes: str | None = None, user_file: bool = True) -> Subject:
    def build(epsilon: str) -> Any:
        raise AssertionError("built")

    description = Description(name, (3, 64, 64), classes=classes)
    return Subject(description, "v2:0", "arrays:0", None, build, user_file=user_file)


@pytest.mark.parametrize("seed", [0, 5])
@pytest.mark.parametrize(("total", "count"), [(10, 1), (10, 2), (10, 9), (10, 10), (3, 9), (7, 5)])
def test_a_part_is_drawn_by_its_seed(tmp_path: Path, total: int, count: int, seed: int) -> None:
    whole = source(tmp_path, total)
    part = Part(whole, count, seed)
    chosen = sorted(random.Random(seed).sample(range(total), min(count, total)))
    assert len(part) == len(chosen)
    assert [part.key(at) for at in range(len(part))] == [f"{index}.png" for index in chosen]
    assert [part.sample(at).data for at in range(len(part))] == [b"%d" % index for index in chosen]
    assert [part.path(at) for at in range(len(part))] == [str(tmp_path / f"{index}.png") for index in chosen]
    assert part.as_json() == {**whole.as_json(), "limit": len(chosen), "seed": seed}


@pytest.mark.parametrize(
    ("text", "total", "count"),
    [
        ("1", 10, 1), ("10", 10, 10), ("11", 10, 10), ("999999999", 10, 10), ("10%", 10, 1), ("1%", 10, 1),
        ("0.001%", 10, 1), ("99%", 10, 9), ("100%", 10, 10), ("19.9%", 10, 1), ("20%", 10, 2),
    ],
)  # fmt: skip
def test_limits(text: str, total: int, count: int) -> None:
    assert limit_of(text, total) == count


@pytest.mark.parametrize("text", ["0", "-1", "0%", "100.1%", "1.5", "1000000000", "nan", "inf", "", "%", "x"])
def test_limits_that_are_none(text: str) -> None:
    with refuses("usage.limit") as caught:
        limit_of(text, 10)
    assert caught.value.exit_code == 2


def test_all_of_a_source_is_not_a_part(tmp_path: Path) -> None:
    whole = source(tmp_path, 3)
    for limit in (None, "3", "4", "100%"):
        assert part_of(whole, limit, 1) is whole
    assert len(part_of(whole, "34%")) == 1
    assert "limit" not in whole.as_json()


@pytest.mark.parametrize(
    ("classes", "wnid", "known"),
    [
        ("darknet", "n01440764", True),
        ("sorted", "n01440764", True),
        (SAMPLE, "n90000001", True),
        (SAMPLE, "n01440764", False),
        ("darknet", "n90000001", False),
        ("darknet", "", True),  # without labels nobody knows
    ],
)
def test_images_of_other_classes(tmp_path: Path, classes: str, wnid: str, known: bool) -> None:
    images = source(tmp_path, 2, wnid)
    if known:
        check_classes(subject().name, images, classes)
    else:
        with refuses("usage.other-classes"):
            check_classes(subject().name, images, classes)


def test_the_order_of_the_classes_is_the_one_asked_for_then_the_networks_own() -> None:
    assert chosen_classes(subject(classes="sorted"), "darknet") == "darknet"
    assert chosen_classes(subject(classes="sorted"), None) == "sorted"
    assert chosen_classes(subject(), None) == "darknet"
    assert chosen_classes(subject("timm/cspresnet50", user_file=False), None) == "sorted"
    with refuses("usage.unknown-class-order", found="other"):
        chosen_classes(subject(), "other")


def test_a_preset_is_the_one_asked_for_then_the_frameworks_own() -> None:
    assert chosen_preset(subject(), None, None).name == "readme"
    assert chosen_preset(subject("timm/cspresnet50", user_file=False), None, None).name == "timm"
    assert chosen_preset(subject(), "head", None) == preset("head")
    assert chosen_preset(subject(), None, "stb") == replace(preset("readme"), decoder="stb")
    # a cfg of one's own only bears the name of a network of the original engine
    assert chosen_preset(subject("resnet50", user_file=False), None, None).epsilon == "outside-1e-6"
    assert chosen_preset(subject("resnet50"), None, None).epsilon == "inside-1e-5"


@pytest.mark.parametrize(
    ("name", "size", "fits"),
    [
        ("readme", (64, 96), True),
        ("timm", (64, 64), True),
        ("timm", (64, 65), False),
        ("mmpretrain", (65, 64), False),
    ],
)
def test_crops_are_square_but_darknets(name: str, size: tuple[int, int], fits: bool) -> None:
    if fits:
        preset(name).check_size(size)
    else:
        with refuses("usage.square-preset"):
            preset(name).check_size(size)


@pytest.mark.parametrize("unreadable", [False, True])
def test_an_order_of_classes_is_told_from_readable_images(tmp_path: Path, unreadable: bool) -> None:
    """All right in the order that the run was not made in; images that could not be read say nothing of it."""
    wnids = [order("sorted")[at] for at in range(0, 1000, 10)]
    other: dict[str, Any] = {
        "index": np.arange(100),
        "classes": np.repeat(np.arange(0, 1000, 10, dtype=np.int32)[:, None], 5, 1),
        "probability": np.zeros((100, 5), np.float32),
        "key": np.array([f"{at}.png" for at in range(100)]),
        "wnid": np.array(wnids),
        "checksum": np.zeros(100, np.uint32),
        "ok": np.full(100, not unreadable),
    }
    run = runs.open_run(tmp_path / "run", classifier(top1=0, images=100).run)
    run.shards.write(0, other)
    result = score_classifier(run)
    assert (result.class_order.verdict == "swapped") is not unreadable
    assert len(result.bad) == (100 if unreadable else 0)
    assert (result.images, result.top1.total, result.top5.total) == (100, 100, 100)
    assert result.identity == run.identity


@pytest.mark.parametrize(
    "wrong", [{"batch": 0}, {"batch": 65537}, {"workers": -1}, {"workers": 65537}, {"precision": "fp8"}]
)
def test_executions_that_cannot_be(wrong: dict[str, Any]) -> None:
    with refuses("usage.unknown-precision" if "precision" in wrong else "usage.number-or-auto"):
        Execution(**wrong)


def test_images_per_forward_and_processes_suit_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    for cores, processes in ((1, 0), (2, 0), (3, 1), (64, 1)):
        monkeypatch.setattr("os.cpu_count", lambda cores=cores: cores)
        assert Execution().batch_and_workers(cpu) == (8, processes)
    assert Execution().batch_and_workers(cuda)[0] == 128
    assert Execution(batch=3, workers=0).batch_and_workers(cuda) == (3, 0)
