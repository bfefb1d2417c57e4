"""Candidates into shards and out of them again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cspbench.detection.candidates import COLUMNS, Candidates, no_candidates, pack, shards, unpack
from cspbench.errors import IncompleteRunError, RunError
from cspbench.inference.shards import SHARD, Shards


def made(boxes: int, per_box: int, seed: int = 0) -> Candidates:
    rng = np.random.default_rng(seed)
    return Candidates(
        rng.normal(0, 100, (boxes, 4)).astype(np.float32),
        np.repeat(np.arange(boxes, dtype=np.int32), per_box),
        np.tile(np.arange(per_box, dtype=np.int16), boxes),
        rng.random(boxes * per_box, np.float32),
    )


def same(found: Candidates, expected: Candidates) -> None:
    for name in ("boxes", *COLUMNS):
        first, second = getattr(found, name), getattr(expected, name)
        assert first.dtype == second.dtype
        np.testing.assert_array_equal(first, second)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 99)), max_size=6))
def test_nothing_is_lost(sizes: list[tuple[int, int, int]]) -> None:
    images = [made(*size) for size in sizes]
    result = unpack(pack(images))
    assert len(result) == len(images)
    for each, image in zip(result, images, strict=True):
        same(each, image)


def begun(path: Path, images: list[Candidates]) -> Shards:
    run = Shards(path, len(images))
    for shard in range(run.count):
        block = run.block(shard)
        about = {
            "index": np.array(block),
            "key": np.array([f"{at}.jpg" for at in block]),
            "extent": np.full((len(block), 2), 9, np.int32),
            "checksum": np.zeros(len(block), np.uint32),
            "ok": np.ones(len(block), np.bool_),
        }
        run.write(shard, {**about, **pack([images[at] for at in block])})
    return run


def test_a_run_is_read_shard_by_shard(tmp_path: Path) -> None:
    images = [made(at % 3, 2, at) for at in range(SHARD + 3)]
    run = begun(tmp_path, images)
    assert run.missing() == []
    read = list(shards(run))
    assert [arrays["index"].tolist() for arrays, _ in read] == [list(run.block(0)), list(run.block(1))]
    for result, image in zip((each for _, some in read for each in some), images, strict=True):
        same(result, image)
    run.shard_path(1).unlink()
    with pytest.raises(IncompleteRunError):
        list(shards(run))


@pytest.mark.parametrize(
    "change",
    [
        {"index": np.array([0, 2])},
        {"boxes": np.zeros((3, 4), np.float32)},
        {"boxes": np.zeros((2, 5), np.float32)},
        {"boxes": np.zeros((2, 4))},
        {"box": np.array([0, 0, 1, 1], np.int32)},
        {"box": np.array([0, 0, -1, 0], np.int32)},
        {"category": np.array([0, 1, 0, -1], np.int16)},
        {"category": np.array([0, 1, 0, 1], np.int64)},
        {"score": np.zeros(3, np.float32)},
        {"box_count": np.array([2], np.int32)},
        {"candidate_count": np.array([5, -1], np.int32)},
        {"box_count": None},
        {"boxes": np.full((2, 4), np.nan, np.float32)},
        {"score": np.array([0, 1, np.inf, 1], np.float32)},
        {"score": np.zeros((4, 1), np.float32)},
        {"extent": np.zeros((2, 2))},
        {"ok": np.ones(2, np.int8)},
        {"key": np.arange(2)},
    ],
)
def test_what_holds_no_candidates_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    run = begun(tmp_path, [made(1, 2), made(1, 2)])
    arrays = {**run.read(0), **change}
    run.write(0, {name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(RunError) as caught:
        list(shards(run))
    assert caught.value.code in ("run.other-predictions", "run.shard-unreadable")
    assert caught.value.where == str(run.shard_path(0))


def test_no_candidates() -> None:
    same(no_candidates(), made(0, 1))
    assert len(no_candidates()) == 0
