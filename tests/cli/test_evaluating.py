"""What the evaluating commands share, without a process for each case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from coco_runs import data_set, made
from typer.testing import CliRunner

from cspbench.cli import eval_coco
from cspbench.cli.app import app
from cspbench.cli.results import name_bad
from cspbench.errors import DatasetError
from cspbench.evaluation.coco import DetectionResult
from cspbench.evaluation.score import score
from cspbench.plots import samples


def test_unreadable_images_are_named_with_reasons_and_not_without_end(capsys: pytest.CaptureFixture[str]) -> None:
    name_bad([f"{at}.png" for at in range(500)], {"0.png": "is cut off"}, "counts as wrong")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 21
    assert lines[0] == "cspbench: could not be read and counts as wrong: 0.png (is cut off)"
    assert lines[-1].startswith("cspbench: and 480 more images")


@pytest.mark.parametrize(
    ("command", "code"), [("eval-imagenet", "imagenet.not-a-data-set"), ("eval-coco", "coco.not-a-data-set")]
)
@pytest.mark.parametrize("option", [[], ["--data"]], ids=["argument", "option"])
def test_a_mistyped_path_comes_before_weights_that_lack(
    command: str, code: str, option: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CSPBENCH_WEIGHTS", raising=False)
    done = CliRunner().invoke(app, [command, *option, str(tmp_path / "typo")])
    assert isinstance(done.exception, DatasetError)
    assert (done.exception.code, done.exception.where) == (code, str(tmp_path / "typo"))


@pytest.mark.parametrize(
    ("command", "code"), [("eval-imagenet", "imagenet.not-a-data-set"), ("eval-coco", "coco.not-a-data-set")]
)
@pytest.mark.parametrize("option", [[], ["--data"]], ids=["argument", "option"])
def test_an_empty_path_is_refused(
    command: str, code: str, option: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of an unset variable in a script: neither the environment's data set nor the sample is meant."""
    for variable in ("CSPBENCH_IMAGENET", "CSPBENCH_COCO"):
        monkeypatch.setenv(variable, str(tmp_path))
    done = CliRunner().invoke(app, [command, *option, "", "--run", str(tmp_path / "runs")])
    assert isinstance(done.exception, DatasetError)
    assert done.exception.code == code


@pytest.mark.parametrize("command", ["eval-imagenet", "eval-coco"])
def test_the_home_of_an_unknown_user_is_refused(command: str) -> None:
    done = CliRunner().invoke(app, [command, "~nobody-of-this-name/data"])
    assert isinstance(done.exception, DatasetError)


@pytest.mark.parametrize("decoder", ["opencv", "pillow", "stb"])
def test_pictures_are_decoded_as_the_run_did(decoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoders: list[str] = []

    def draw_samples(*arguments: Any) -> list[Path]:
        decoders.append(arguments[-1])
        return []

    monkeypatch.setattr(samples, "draw_samples", draw_samples)
    run = made(tmp_path / "run", data_set(tmp_path / "coco"), decoder=decoder)
    result = score(run, data=tmp_path / "coco")
    assert isinstance(result, DetectionResult)
    eval_coco._draw(result, "all", tmp_path / "pictures", None)
    assert decoders == [decoder]
