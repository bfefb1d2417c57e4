"""Accuracies from kept predictions: what counts as right, whatever is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from refusals import refuses
from torch import Tensor

from cspbench.classification.predict import PreparedImages, score
from cspbench.data.presets import preset
from cspbench.data.source import Entry, FileSource, Region
from cspbench.inference.engine import Engine
from cspbench.inference.shards import SHARD, Shards

CLASSES = tuple(f"n{number:08d}" for number in range(6))
Row = tuple[str, list[int], bool]
"""The image's class, the five predicted ones, and whether it could be read."""


def kept(path: Path, rows: list[Row], **changes: Any) -> Shards:
    """The shards of a complete run with those predictions; `changes` replace arrays of its only shard."""
    run = Shards(path, len(rows))
    for shard in range(run.count):
        some = [rows[index] for index in run.block(shard)]
        arrays: dict[str, Any] = {
            "index": np.array(run.block(shard), np.int64),
            "classes": np.array([each[1] for each in some], np.int32),
            "probability": np.zeros((len(some), len(some[0][1])), np.float32),
            "key": np.array([f"{index}.png" for index in run.block(shard)]),
            "wnid": np.array([each[0] for each in some]),
            "checksum": np.array([index * 3 for index in run.block(shard)], np.uint32),
            "ok": np.array([each[2] for each in some]),
        }
        run.write(shard, {**arrays, **changes})
    return run


def counted(run: Shards) -> tuple[int, int, int]:
    result = score(run, CLASSES)
    assert result.top1.total == result.top5.total == run.samples
    assert result.hits.sum() == result.top1.correct
    return result.top1.correct, result.top5.correct, len(result.bad)


FIRST = [0, 1, 2, 3, 4]
MISSED = [-1, -1, -1, -1, -1]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ((CLASSES[0], FIRST, True), (1, 1, 0)),
        ((CLASSES[4], FIRST, True), (0, 1, 0)),  # the last of five
        ((CLASSES[5], FIRST, True), (0, 0, 0)),
        ((CLASSES[5], [5, 0, 1, 2, 3], True), (1, 1, 0)),  # the last class
        (("n99999999", FIRST, True), (0, 0, 0)),  # a class that the network does not have is not its first one
        (("", FIRST, True), (0, 0, 0)),
        ((CLASSES[0], FIRST, False), (0, 0, 1)),  # whatever stands there of an image that could not be read
        (("n99999999", FIRST, False), (0, 0, 1)),
        (("", FIRST, False), (0, 0, 1)),
        (("", [0, 0, 0, 0, 0], False), (0, 0, 1)),
        (("", MISSED, False), (0, 0, 1)),
        (("n99999999", [-2, -2, -2, -2, -2], False), (0, 0, 1)),
    ],
)
def test_what_is_right(tmp_path: Path, row: Row, expected: tuple[int, int, int]) -> None:
    assert counted(kept(tmp_path, [row])) == expected


def test_a_run_is_counted_over_all_shards(tmp_path: Path) -> None:
    rows: list[Row] = [(CLASSES[at % 2], FIRST, True) for at in range(SHARD + 1)]
    rows[0], rows[-1] = (CLASSES[5], FIRST, True), (CLASSES[0], FIRST, False)
    run = kept(tmp_path, rows)
    assert counted(run) == (SHARD // 2 - 1, SHARD - 1, 1)
    result = score(run, CLASSES)
    assert result.bad == (f"{SHARD}.png",)
    assert (len(result.keys), len(result.wnids), len(result.predicted)) == (SHARD + 1,) * 3


def test_a_network_of_fewer_classes_keeps_fewer(tmp_path: Path) -> None:
    run = kept(tmp_path, [(CLASSES[1], [0, 1], True), (CLASSES[0], [0, 1], True)])
    assert counted(run) == (1, 2, 0)


@pytest.mark.parametrize(
    "classes",
    [np.zeros((1, 6), np.int32), np.zeros((1, 5), np.int64), np.zeros(1, np.int32)],
)
def test_predictions_of_another_kind_are_refused(tmp_path: Path, classes: Any) -> None:
    with refuses("run.other-predictions"):
        score(kept(tmp_path, [(CLASSES[0], FIRST, True)], classes=classes), CLASSES)


def test_the_digest_of_the_images_is_of_all_in_their_order(tmp_path: Path) -> None:
    row: Row = (CLASSES[0], FIRST, True)
    sums = {"one": [1, 2, 3], "other": [1, 2, 4], "turned": [3, 2, 1], "same": [1, 2, 3]}
    result = {
        name: score(kept(tmp_path / name, [row] * 3, checksum=np.array(each, np.uint32)), CLASSES).images_digest
        for name, each in sums.items()
    }
    assert result["one"] == result["same"]
    assert len(set(result.values())) == 3


@pytest.mark.parametrize("bad", [(), (0,), (1,), (0, 1)])
def test_one_image_without_finite_probabilities_is_enough(tmp_path: Path, bad: tuple[int, ...]) -> None:
    from PIL import Image

    names = ["0.png", "1.png"]
    for name in names:
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    source = FileSource("list", [Entry(name, None) for name in names], [Region(str(tmp_path / name)) for name in names])
    shards = Shards(tmp_path / "run", 2)

    def chances(pixels: Tensor) -> Tensor:
        outputs = torch.full((2, 3, 1, 1), 1 / 3)
        outputs[list(bad), 1] = torch.nan
        return outputs

    engine = Engine(chances, torch.device("cpu"), "fp32")
    predict = PreparedImages(source, preset("readme"), (8, 8), probabilities=True).predict
    if bad:
        with refuses("network.not-finite", where=f"{bad[0]}.png"):
            predict(shards, [0], engine, 2, 0, lambda timing: None)
        assert shards.missing() == [0]
    else:
        predict(shards, [0], engine, 2, 0, lambda timing: None)
        # of equal probabilities the lower class comes first, and there are no more than three
        assert shards.read(0)["classes"].tolist() == [[0, 1, 2]] * 2
