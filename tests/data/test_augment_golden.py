"""Pictures of recorded random numbers, as the original program and OpenCV made them."""

from __future__ import annotations

from pathlib import Path

import golden
import numpy as np
import pytest
import replay_augment
from golden import make

KEPT = Path(golden.__file__).parent / "training"
FEWEST = {
    "rotate": 5,
    "distort": 6,
    "flip": 1,
    "augment crop": 6,
    "augment": 6,
    "draws left": 36,
    "classifier x": 22,
    "classifier y": 22,
    "detector x": 14,
    "detector y": 14,
    "bilateral": 3,
    "gaussian": 6,
}


def check(folder: Path) -> None:
    result = replay_augment.replay(folder)
    assert [difference for difference in result if not difference.good] == []
    kinds = [difference.kind for difference in result]
    assert {kind: kinds.count(kind) for kind in FEWEST} == FEWEST


def test_what_is_kept() -> None:
    check(KEPT)


@pytest.mark.reference("golden/training")
def test_all(shared: Path) -> None:
    check(shared / "golden" / "training")


@pytest.mark.reference("golden/training")
@pytest.mark.parametrize("name", ["augment.npz", "blur.npz"])
def test_what_is_kept_is_the_references(shared: Path, name: str) -> None:
    with np.load(KEPT / name) as kept:
        expected = make.pictures(shared / "golden" / "training" / name)
        assert set(kept.files) == set(expected)
        for key, array in expected.items():
            np.testing.assert_array_equal(kept[key], array)


def test_the_replay_as_a_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay_augment.main([str(KEPT)]) == 0
    assert capsys.readouterr().out.count(": good") == len(FEWEST)
    assert replay_augment.main([str(tmp_path)]) == 2
    with np.load(KEPT / "augment.npz") as kept:
        other = dict(kept)
    other["rotate.1.out"] = other["rotate.1.out"] + np.float32(1e-5)
    np.savez(tmp_path / "augment.npz", **other)
    assert replay_augment.main([str(tmp_path)]) == 1
