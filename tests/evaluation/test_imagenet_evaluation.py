"""Which images a limited evaluation takes, and what a network must know of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from refusals import refuses

from cspbench.data.classes import SAMPLE
from cspbench.data.presets import preset
from cspbench.data.source import Entry, FileSource, Region
from cspbench.evaluation.imagenet import Subject, Subset, check_classes, check_size, limit_of, limited, result
from cspbench.inference.run import open_run
from cspbench.zoo.catalogue import model


def source(folder: Path, count: int, wnid: str = "n01440764") -> FileSource:
    for at in range(count):
        (folder / f"{at}.png").write_bytes(b"%d" % at)
    return FileSource(
        "list",
        [Entry(f"{at}.png", wnid) for at in range(count)],
        [Region(str(folder / f"{at}.png")) for at in range(count)],
    )


@pytest.mark.parametrize(
    ("total", "count", "chosen"),
    [
        (10, 1, [0]),
        (10, 2, [0, 5]),
        (10, 3, [0, 3, 6]),
        (10, 10, list(range(10))),
        (3, 9, [0, 1, 2]),
        (7, 5, [0, 1, 2, 4, 5]),
    ],
)
def test_a_part_is_evenly_spread(tmp_path: Path, total: int, count: int, chosen: list[int]) -> None:
    part = Subset(source(tmp_path, total), count)
    assert len(part) == len(chosen)
    assert [part.key(at) for at in range(len(part))] == [f"{index}.png" for index in chosen]
    assert [part.sample(at).data for at in range(len(part))] == [b"%d" % index for index in chosen]
    assert [part.path(at) for at in range(len(part))] == [str(tmp_path / f"{index}.png") for index in chosen]
    assert part.as_json()["limit"] == len(chosen)


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


def test_without_a_limit_the_source_is_whole(tmp_path: Path) -> None:
    whole = source(tmp_path, 3)
    assert limited(whole, None) is whole
    assert len(limited(whole, "34%")) == 1
    assert "limit" not in whole.as_json()
    # a limit that takes all of it still is one: such a run is a part, and is never judged
    assert limited(whole, "100%").as_json()["limit"] == 3


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
    subject = Subject("net", model("darknet").build(), tmp_path / "net.weights", classes)
    images = source(tmp_path, 2, wnid)
    if known:
        check_classes(subject, images)
    else:
        with refuses("usage.other-classes"):
            check_classes(subject, images)


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
        check_size(preset(name), size)
    else:
        with refuses("usage.square-preset"):
            check_size(preset(name), size)


@pytest.mark.parametrize("unreadable", [False, True])
def test_an_order_of_classes_is_told_from_readable_images(tmp_path: Path, unreadable: bool) -> None:
    """All right in the order that the run was not made in; images that could not be read say nothing of it."""
    from cspbench.data.classes import order

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
    run = open_run(tmp_path / "run", {"classes": "darknet"}, 100, {})
    run.write(0, other)
    found = result(run)
    assert (found["class_order"]["verdict"] == "swapped") is not unreadable
    assert len(found["bad"]) == (100 if unreadable else 0)
