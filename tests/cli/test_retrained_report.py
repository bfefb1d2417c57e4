"""`cspbench report` as a process on folders of trainings: shown, and never judged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from processes import run
from result_files import classifier, put
from trainings import LRELU, SWISH, put_training, training


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three seeds of a base row and of a row."""
    for seed, (base, swish) in enumerate([(700, 710), (700, 720), (700, 730)]):
        put_training(tmp_path / "trainings" / f"lrelu{seed}", training(LRELU, seed), base)
        put_training(tmp_path / "trainings" / f"swish{seed}", training(SWISH, seed), swish)
    return tmp_path / "trainings"


def test_the_command(folder: Path, tmp_path: Path) -> None:
    (folder / "swish1" / "training.json").write_text("{")
    put(folder / "published", classifier())
    arguments = ["report", str(folder), "--results", str(tmp_path / "none"), "--strict"]
    done = run([*arguments, "--format", "json", "--table", "imagenet-activation", "--table", "imagenet-big"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert str(folder / "swish1") in done.stderr
    document = json.loads(done.stdout)
    measured = [cell["measured"] for line in document["rows"] for cell in line["cells"] if cell["measured"]]
    assert measured == ["77.2", "93.6"]
    assert [(line["row"], len(line["runs"])) for line in document["retrained"]] == [
        *(("peleenet-lrelu", 3), ("peleenet-swish", 2)),
    ]
    assert "retrained" not in json.loads(run([*arguments, "--format", "json", "--only", "exact"], tmp_path).stdout)
    like = run(["report", str(folder), "--results", str(tmp_path / "none"), "--like-readme"], tmp_path)
    assert "72.00" not in like.stdout
