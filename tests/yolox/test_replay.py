"""The replay of recorded cases: what passes, what fails, and folders that it cannot read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from replay_yolox import largest, main, relative, replay, unequal

GOLDEN = Path(__file__).parents[1] / "golden" / "yolox"
PLAIN = "simota-plain.npz"


def test_every_case_is_within_its_tolerance(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(GOLDEN)]) == 0
    assert "simota-coco80" in (printed := capsys.readouterr().out)
    assert "FAILS" not in printed


@pytest.mark.parametrize(
    ("key", "change"), [("r25_iou", 2e-6), ("r15_loss", 2e-6), ("r25_grad", 2e-5), ("r15_gt", 1), ("r25_fg", 1)]
)
def test_a_value_beyond_its_tolerance_fails(
    tmp_path: Path, key: str, change: float, capsys: pytest.CaptureFixture[str]
) -> None:
    with np.load(GOLDEN / PLAIN) as file:
        arrays = {name: file[name] for name in file.files}
    assert len(wrong(arrays, tmp_path)) == 0
    values = arrays[key]
    place = np.unravel_index(np.abs(values).argmax(), values.shape)
    if key in ("r25_iou", "r15_loss"):
        values[place] *= 1 + change
    elif values.dtype == bool:
        values[place] = not values[place]
    else:
        values[place] += np.array(change, values.dtype)
    assert {name.partition(" ")[0] for name in wrong(arrays, tmp_path)} == {key.partition("_")[0]}
    assert main([str(tmp_path)]) == 1
    assert "FAILS" in capsys.readouterr().out


def wrong(arrays: dict[str, Any], folder: Path) -> list[str]:
    np.savez(folder / PLAIN, **arrays)
    return [each.key for each in replay(folder / PLAIN, folder) or () if not each.good]


def test_the_schedules_tolerance(tmp_path: Path) -> None:
    record = json.loads((GOLDEN / "schedule.json").read_text("utf-8"))
    record["ema"][0][1] *= 1 + 1e-11
    (tmp_path / "schedule.json").write_text(json.dumps(record))
    assert main([str(tmp_path)]) == 1


def test_names_in_another_order_fail(tmp_path: Path) -> None:
    rows = [["backbone.backbone.stem.conv.conv.weight", [16, 12, 3, 3]]]
    (tmp_path / "keys-yolox-nano.json").write_text(json.dumps(rows))
    differences = replay(tmp_path / "keys-yolox-nano.json", tmp_path)
    assert differences is not None
    assert differences[0].off == 641  # of 642 entries the first is right
    rows.append(rows[0])
    (tmp_path / "keys-yolox-nano.json").write_text(json.dumps(rows))
    differences = replay(tmp_path / "keys-yolox-nano.json", tmp_path)
    assert differences is not None
    assert differences[0].off == 641  # the second is wrong, 640 are missing


def test_folders_without_a_case_and_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 2
    assert main([str(tmp_path / "nowhere")]) == 2
    (tmp_path / "README.md").write_text("notes")
    assert main([str(tmp_path)]) == 2
    shutil.copy(GOLDEN / "schedule.json", tmp_path)
    assert main([str(tmp_path)]) == 0
    (tmp_path / PLAIN).write_bytes((GOLDEN / PLAIN).read_bytes()[:1000])
    assert main([str(tmp_path)]) == 2
    (tmp_path / PLAIN).unlink()
    (tmp_path / "keys-yolox-huge.json").write_text("[]")
    assert main([str(tmp_path)]) == 2


def test_distances_by_hand() -> None:
    assert unequal([1, 2, 3], [1, 5, 4]) == 2
    assert unequal([1, 2], [1]) == np.inf
    assert largest([1.0, 2.0], [1.5, 2.0]) == 0.5
    assert largest([np.nan], [1.0]) == np.inf
    assert largest([[1.0]], [1.0]) == np.inf
    assert relative([2.0, 0.5], [4.0, 0.0]) == 0.5
    assert relative([], []) == 0
