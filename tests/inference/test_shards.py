"""Prediction shards: whole ones or none, made by anyone, never mixed with another run's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from refusals import refuses

from cspbench.inference.shards import SHARD, Shards


def begin(path: Path, samples: int = SHARD + 10) -> Shards:
    return Shards(path, samples)


def fill(run: Shards, shard: int) -> None:
    index = np.array(run.block(shard))
    run.write(shard, {"index": index, "value": index * 2, "key": np.array([f"é{i}" for i in index])})


def test_shards_cover_every_sample_once(tmp_path: Path) -> None:
    run = begin(tmp_path)
    assert (run.count, run.block(0), run.block(1)) == (2, range(256), range(256, 266))
    assert (begin(tmp_path, 256).count, begin(tmp_path, 257).count) == (1, 2)
    assert run.missing() == [0, 1]
    fill(run, 1)
    assert (run.missing(), run.complete) == ([0], False)
    with refuses("incomplete.shard-missing", where=str(tmp_path)) as caught:
        run.merged()
    assert caught.value.exit_code == 4
    fill(run, 0)
    assert run.complete
    merged = run.merged()
    assert merged["value"].tolist() == [2 * i for i in range(266)]
    assert merged["key"][265] == "é265"


def test_the_same_predictions_are_the_same_bytes(tmp_path: Path) -> None:
    runs = [begin(tmp_path / name) for name in "ab"]
    for run in runs:
        fill(run, 0)
    assert runs[0].shard_path(0).read_bytes() == runs[1].shard_path(0).read_bytes()


@pytest.mark.parametrize("damage", [b"", b"not a zip", None])
def test_a_broken_shard_is_made_again(tmp_path: Path, damage: bytes | None) -> None:
    run = begin(tmp_path)
    fill(run, 0)
    fill(run, 1)
    path = run.shard_path(1)
    path.write_bytes(path.read_bytes()[:-40] if damage is None else damage)
    with refuses("run.shard-unreadable", where=str(path)):
        run.read(1)
    assert run.missing() == [1]
    assert path.exists()  # until it is made again
    fill(run, 1)
    assert run.missing() == []


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    run = begin(tmp_path)
    fill(run, 0)
    data = bytearray(run.shard_path(0).read_bytes())
    data[len(data) // 2] ^= 1
    run.shard_path(0).write_bytes(bytes(data))
    assert 0 in run.missing()


def test_shards_of_the_wrong_length_are_refused(tmp_path: Path) -> None:
    run = begin(tmp_path)
    fill(run, 0)
    run.write(1, {"index": np.zeros(10, np.int64), "value": np.zeros(10), "key": np.array(["x"] * 10)})
    with refuses("run.shard-unreadable", where=str(run.shard_path(1))):
        run.merged()
    assert run.missing() == [1]


@pytest.mark.parametrize(
    "change",
    [{"value": None}, {"value": np.zeros((10, 2), np.int64)}, {"value": np.array(["x"] * 10)}, {"more": np.zeros(10)}],
)
def test_shards_of_different_kinds_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    run = begin(tmp_path)
    fill(run, 0)
    fill(run, 1)
    arrays = {**run.read(1), **change}
    run.write(1, {name: array for name, array in arrays.items() if array is not None})
    with refuses("run.other-predictions", where=str(run.shard_path(1))):
        run.merged()


def test_a_shard_with_an_unreadable_image_is_made_again(tmp_path: Path) -> None:
    run = begin(tmp_path, 3)
    arrays = {"index": np.arange(3), "ok": np.array([True, False, True])}
    run.write(0, arrays)
    assert (run.missing(), run.complete) == ([0], True)
    assert run.missing(lambda shard, arrays: False) == []
    assert run.merged()["ok"].tolist() == [True, False, True]
    run.write(0, {**arrays, "ok": np.ones(3, np.bool_)})
    assert run.missing() == []


def test_what_a_killed_process_left_half_written_goes(tmp_path: Path) -> None:
    run = begin(tmp_path)
    fill(run, 0)
    left = [tmp_path / "predictions" / ".000001.npz.abc", tmp_path / ".metrics.json.abc", tmp_path / ".run.json.abc"]
    for path in left:
        path.write_bytes(b"half")
    run.tidy()
    assert not any(path.exists() for path in left)
    assert run.missing() == [1]


def test_a_run_of_no_samples_has_no_predictions(tmp_path: Path) -> None:
    with refuses("run.no-samples", where=str(tmp_path)):
        begin(tmp_path, 0).merged()
