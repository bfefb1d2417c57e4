"""Training as the original program trains: gradients, losses, rates and arrays after up to ten iterations."""

from __future__ import annotations

from pathlib import Path

import pytest
from replay_training import cases, main, rates, replay

COMPACT = Path(__file__).parents[1] / "golden" / "training"
FULL = "golden/training"
PUBLISHED = ("r1_csresnext50-mish",)


@pytest.mark.parametrize("name", cases(COMPACT))
def test_small_networks(name: str) -> None:
    result = replay(COMPACT, name)
    assert len(result) > 40
    assert [each for each in result if not each.passes] == []


def test_learning_rates() -> None:
    result = list(rates(COMPACT / "learning_rates.json"))
    assert len({each.case for each in result}) == 15
    assert [each for each in result if not each.passes] == []


@pytest.mark.reference(FULL)
@pytest.mark.parametrize("name", [*cases(COMPACT), *PUBLISHED])
def test_whole_arrays(name: str, shared: Path) -> None:
    result = replay(shared / FULL, name)
    assert [each for each in result if not each.passes] == []


@pytest.mark.reference(FULL)
def test_no_case_is_left_out(shared: Path) -> None:
    assert set(cases(shared / FULL)) == {*cases(COMPACT), *PUBLISHED}


def test_the_program(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main([str(COMPACT), "t6_nobn_steps"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "t6_nobn_steps"
    assert {line.split()[0] for line in lines[1:]} == {"delta", "output", "cost", "rate", "loss", "weight", "bias"}
    assert main([str(tmp_path)]) == 2
    assert main([]) == 2
    for name in ("common.npz", "t6_nobn_steps.npz"):
        (tmp_path / name).write_bytes((COMPACT / name).read_bytes())
    assert main([str(tmp_path)]) == 2  # without the network
    (tmp_path / "cfg").mkdir()
    text = (COMPACT / "cfg" / "t6_nobn_steps.cfg").read_text("utf-8")
    (tmp_path / "cfg" / "t6_nobn_steps.cfg").write_text(text.replace("momentum=0.9", "momentum=0.8"), "utf-8")
    assert main([str(tmp_path)]) == 1
    assert "FAILS" in capsys.readouterr().out
