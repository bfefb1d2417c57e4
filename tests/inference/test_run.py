"""Run directories: whole shards or none, resumed by anyone, never mixed with another run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from refusals import refuses

from cspbench.errors import IncompleteRunError, RunError
from cspbench.inference import record as records
from cspbench.inference.run import SHARD, Run, find_runs, load_run, open_run

MADE = {"command": ["cspbench"]}


def begin(path: Path, samples: int = SHARD + 10) -> Run:
    return open_run(path, {"model": "net", "size": (1, 2)}, samples, MADE)


def fill(run: Run, shard: int) -> None:
    index = np.array(run.block(shard))
    run.write(shard, {"index": index, "value": index * 2, "key": np.array([f"é{i}" for i in index])})


def test_shards_cover_every_sample_once(tmp_path: Path) -> None:
    run = begin(tmp_path)
    assert (run.shards, run.block(0), run.block(1)) == (2, range(256), range(256, 266))
    assert run.missing() == [0, 1]
    fill(run, 1)
    assert run.missing() == [0]
    assert run.missing([1]) == []
    with pytest.raises(IncompleteRunError, match="shard 0 of 2 is missing") as caught:
        run.merged()
    assert caught.value.exit_code == 4
    fill(run, 0)
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
    with pytest.raises(RunError, match="a shard cannot be read"):
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
    with pytest.raises(RunError, match="wrong number of samples"):
        run.write(0, {"index": np.arange(3)})
    fill(run, 0)
    run.write(1, {"index": np.zeros(10, np.int64), "value": np.zeros(10), "key": np.array(["x"] * 10)})
    with pytest.raises(RunError, match="other samples than its number says"):
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
    with pytest.raises(RunError, match=r"000001\.npz: a shard holds other predictions"):
        run.merged()


def test_a_shard_with_an_unreadable_image_is_made_again(tmp_path: Path) -> None:
    run = begin(tmp_path, 3)
    arrays = {"index": np.arange(3), "ok": np.array([True, False, True])}
    run.write(0, arrays)
    assert run.missing() == [0]
    assert run.merged()["ok"].tolist() == [True, False, True]
    run.write(0, {**arrays, "ok": np.ones(3, np.bool_)})
    assert run.missing() == []


def test_a_run_is_resumed_only_by_itself(tmp_path: Path) -> None:
    run = begin(tmp_path)
    fill(run, 0)
    assert begin(tmp_path).missing() == [1]
    with pytest.raises(RunError, match=r"another run.*--fresh"):
        open_run(tmp_path, {"model": "other", "size": (1, 2)}, SHARD + 10, MADE)
    with pytest.raises(RunError, match="another run"):
        begin(tmp_path, SHARD)
    again = open_run(tmp_path, {"model": "other"}, 3, MADE, fresh=True)
    assert again.missing() == [0]
    assert json.loads((tmp_path / "run.json").read_text())["identity"] == {"model": "other"}


def test_predictions_without_a_record_belong_to_nobody(tmp_path: Path) -> None:
    fill(begin(tmp_path), 0)
    (tmp_path / "run.json").unlink()
    with pytest.raises(RunError, match=r"nobody knows what.*--fresh"):
        begin(tmp_path)
    assert open_run(tmp_path, {"model": "net"}, 3, MADE, fresh=True).missing() == [0]


def test_what_a_killed_process_left_half_written_goes(tmp_path: Path) -> None:
    run = begin(tmp_path)
    fill(run, 0)
    left = [tmp_path / "predictions" / ".000001.npz.abc", tmp_path / ".metrics.json.abc", tmp_path / ".run.json.abc"]
    for path in left:
        path.write_bytes(b"half")
    run.tidy()
    assert not any(path.exists() for path in left)
    assert run.missing() == [1]


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '{"schema": 99, "shard": 256, "identity": {}, "samples": 1}', "[" * 100_000, '{"schema"']
)
def test_foreign_directories_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(RunError, match="not a run directory"):
        load_run(tmp_path)


def test_runs_are_found_up_to_two_levels_below(tmp_path: Path) -> None:
    begin(tmp_path / "runs" / "b")
    begin(tmp_path / "runs" / "a")
    assert [path.name for path in find_runs([tmp_path / "runs"])] == ["a", "b"]
    assert find_runs([tmp_path / "runs" / "a"]) == [tmp_path / "runs" / "a"]
    assert [path.name for path in find_runs([tmp_path])] == ["a", "b"]
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    (tmp_path / "runs").rename(tmp_path / "deep" / "deeper" / "runs")
    with pytest.raises(RunError, match="no run here"):
        find_runs([tmp_path])


def test_the_record_says_how_the_run_was_made(tmp_path: Path) -> None:
    begin(tmp_path)
    record = json.loads((tmp_path / "run.json").read_text())
    assert (record["command"], record["samples"], record["identity"]["model"]) == (["cspbench"], 266, "net")


def test_runs_can_be_put_in_order_by_their_beginning(tmp_path: Path) -> None:
    before = records.now()
    begin(tmp_path)
    found = json.loads((tmp_path / "run.json").read_text())
    assert before <= records.when(found) <= records.now()
    assert records.when({"when": "9999-12-31T23:59:59Z"}) > records.now()
    for other in ({}, {"when": 3}, {"when": "soon"}, {"when": "2026-11-20T10:00:00+01:00"}):
        assert records.when(other) == ""


@pytest.mark.parametrize("changes", [{"schema": 0}, {"schema": 2}, {"shard": SHARD - 1}, {"shard": SHARD + 1}])
def test_a_run_of_another_layout_is_refused(tmp_path: Path, changes: dict[str, int]) -> None:
    begin(tmp_path)
    path = tmp_path / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with refuses("run.not-a-run"):
        load_run(tmp_path)
    with refuses("run.not-a-run"):
        begin(tmp_path)


@pytest.mark.parametrize(
    ("samples", "images", "limit", "good"),
    [
        (9, 9, None, True),
        (8, 9, None, False),
        (10, 9, None, False),
        (5, 9, 5, True),
        (4, 9, 5, False),
        (9, 9, 5, False),
    ],
)
def test_a_run_to_be_scored_is_of_all_images_that_it_names(
    tmp_path: Path, samples: int, images: int, limit: int | None, good: bool
) -> None:
    data = {"images": images} | ({} if limit is None else {"limit": limit})
    identity = {
        "task": "imagenet",
        "model": "net",
        "weights": "0",
        "size": [8, 8],
        "precision": "fp32",
        "file": True,
        "data": data,
        "preset": {"name": "readme"},
        "classes": "darknet",
    }
    open_run(tmp_path, identity, samples, MADE)
    if good:
        assert load_run(tmp_path).samples == samples
    else:
        with refuses("run.not-a-run"):
            load_run(tmp_path)


@pytest.mark.parametrize(("limit", "good"), [(None, True), (9, True), (0, False), (8, False), (10, False)])
def test_a_detectors_run_is_of_as_many_images_as_its_limit(tmp_path: Path, limit: int | None, good: bool) -> None:
    identity = {
        "task": "coco",
        "model": "net",
        "weights": "0",
        "size": [8, 8],
        "precision": "fp32",
        "file": True,
        "data": {"images": 9, "split": "custom", "sha256": "0"},
        "preset": {},
        "quoted": False,
        "last": {"classes": 1, "nms_kind": "default", "beta_nms": 0.6},
    }
    kept = {"preset": {"name": "readme", "conf": 0.1, "nms_kind": "cfg"}}
    open_run(tmp_path, identity, 9, {**MADE, **kept, "data": {"place": "x", "split": None, "limit": limit}})
    if good:
        assert load_run(tmp_path).samples == 9
    else:
        with refuses("run.not-a-run"):
            load_run(tmp_path)
