"""The benchmark of the transferred backbone: toy trainings of it, and its words on numbers by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from refusals import refuses

from benchmarks import transfer
from benchmarks.transfer import QUICK, Setting, measured
from benchmarks.transfer_results import FROZEN, FULL, SCRATCH, Arm, Measured, answer, figure, interval, text
from cspbench.retrained.record import RECORD, load
from cspbench.sample.training import HELD


def by_hand(full: tuple[float, float, float]) -> Measured:
    """Two points; at the second the trainings from scratch have 2, 3 and 4, frozen ones 1 more, 2 more and 3 more."""

    def arms(*numbers: float) -> dict[int, Arm]:
        return {seed: Arm([(50, 0.0), (100, number)], 90.0) for seed, number in enumerate(numbers)}

    kinds = {SCRATCH: arms(2, 3, 4), FULL: arms(*full), FROZEN: arms(3, 5, 7)}
    return Measured({**vars(Setting())}, ["mosaic=0"], ["batch=32"], 62.5, kinds, 60.0)


def test_what_the_numbers_say() -> None:
    """Student's t of two degrees of freedom is 4.3027 at 95 %; of 1, 2 and 3 the mean is 2 and the spread 1."""
    found = by_hand((1, 3.5, 4))
    half = 4.302653 / 3**0.5
    assert interval(found.at(SCRATCH, 100)) == pytest.approx((3 - half, 3 + half), abs=1e-4)
    gain = found.gain(FROZEN, 100)
    assert gain is not None
    assert (gain.mean, gain.pairs) == (2, 3)
    assert gain.interval == pytest.approx((2 - half, 2 + half), abs=1e-4)
    assert answer(found) == (
        "After 100 iterations, against training from scratch: transferred: undecided (-0.17 AP, 95 % interval -2.06 to "
        "+1.73, n = 3 pairs); transferred, frozen first: undecided (+2.00 AP, 95 % interval -0.48 to +4.48, n = 3 "
        "pairs)."
    )
    assert "transferred: helps (+5.03 AP, 95 % interval +4.89 to +5.18, n = 3 pairs)" in answer(by_hand((7, 8, 9.1)))
    assert "transferred: hurts (-1.03 AP" in answer(by_hand((1, 1.9, 3)))
    assert "transferred: undecided, since there is no interval" in answer(by_hand((3, 4, 5)))
    page = text(found, [["processor", "one"]])
    assert "| 100 | 3.00 (0.52 to 5.48) |" in page
    assert "| 100 | -0.17 (-2.06 to +1.73) | +2.00 (-0.48 to +4.48) |" in page
    assert "| 50 | +0.00 | +0.00 |" in page
    assert "top-1 62.5 %" in page
    assert "| from scratch | 3 | 4.5 |" in page
    drawn = figure(found)
    assert drawn["png"].startswith(b"\x89PNG")
    assert b"frozen first" in drawn["svg"]


def test_a_point_without_boxes() -> None:
    """Where one seed has no AP there is neither a mean nor a difference."""
    found = by_hand((7, 8, 9.1))
    found.arms[FULL][1].aps.pop(0)  # type: ignore[attr-defined]
    assert (found.points, found.at(FULL, 50), found.gain(FULL, 50)) == ([50, 100], {}, None)
    page = text(found, [])
    assert "| 50 | 0.00 (0.00 to 0.00) | - | 0.00 (0.00 to 0.00) |" in page
    assert "| 50 | - | +0.00 |" in page
    assert len(found.record([])["differences"]) == 3
    assert figure(found)["png"]
    found.arms[FULL][1].aps.pop(0)  # type: ignore[attr-defined]
    assert "transferred: undecided, since there is no interval" in answer(found)


def test_one_seed_has_no_interval(tmp_path: Path) -> None:
    with refuses("benchmark.one-seed", found="1"):
        measured(QUICK, 1, tmp_path)
    assert not any(tmp_path.iterdir())


def test_frozen_first_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole pairs come first; an epoch has 300 iterations, of which 120 are frozen."""
    asked: list[tuple[str, int, dict[str, object]]] = []

    def trained(setting: Setting, data: Path, run: Path, seed: int, options: dict[str, object]) -> Arm:
        asked.append((run.name, seed, options))
        return Arm([(360, 1.0 + seed)], 1.0)

    monkeypatch.setattr(transfer, "_drawn", lambda work, kind, images: tmp_path)
    monkeypatch.setattr(transfer, "_classifier", lambda setting, data, work: (50.0, tmp_path / "a"))
    monkeypatch.setattr(transfer, "_detector", trained)
    found = measured(Setting(), 2, tmp_path, frozen_first=True)
    start = {"backbone": tmp_path / "a"}
    options = {"from-scratch": {}, "transferred": start, "transferred-frozen-first": start | {"freeze_backbone": 0.4}}
    assert asked == [(f"{name}-{seed}", seed, own) for seed in range(2) for name, own in options.items()]
    assert found.at(FROZEN, 360) == {0: 1.0, 1: 2.0}
    assert list(measured(Setting(), 2, tmp_path).arms) == [SCRATCH, FULL]


def test_toy_trainings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Two seeds, two iterations; the files are written, and the same command trains nothing more."""
    arguments = ["transfer", "--quick", "--seeds", "2", "--work", str(tmp_path / "work")]
    monkeypatch.setattr("sys.argv", arguments)
    for kind in HELD:
        monkeypatch.setitem(HELD, kind, 4)
    monkeypatch.setattr(transfer, "described", lambda load: [["processor", "one"]])
    transfer.main()
    record = json.loads((tmp_path / "work" / "transfer.json").read_text())
    trainings = record["trainings"]
    assert list(trainings) == [SCRATCH, FULL]
    assert all(list(seeds) == ["0", "1"] for seeds in trainings.values())
    assert all(list(arm["ap"]) == ["2"] for seeds in trainings.values() for arm in seeds.values())
    assert record["answer"] in (tmp_path / "work" / "transfer.md").read_text()
    assert (tmp_path / "work" / "transfer.png").is_file()
    runs = {name: load(tmp_path / "work" / name / RECORD) for name in ("from-scratch-1", "transferred-1")}
    assert [each.start.arrays is None for each in runs.values()] == [True, False]
    assert len({(each.seed, each.data.digest, each.recipe) for each in runs.values()}) == 1
    capsys.readouterr()
    written = (tmp_path / "work" / "from-scratch-0" / "checkpoint.safetensors").stat().st_mtime_ns
    transfer.main()
    assert (tmp_path / "work" / "from-scratch-0" / "checkpoint.safetensors").stat().st_mtime_ns == written
    monkeypatch.setattr("sys.argv", arguments[:1] + arguments[2:])
    with refuses("benchmark.other-setting"):
        transfer.main()
