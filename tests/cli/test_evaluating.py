"""What the evaluating commands share, without a process for each case."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from coco_runs import data_set, made
from typer.testing import CliRunner

from cspbench.cli.app import app
from cspbench.cli.evaluation import detector_drawings
from cspbench.cli.evaluation.results import name_bad
from cspbench.errors import DatasetError, UsageError
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
    ("arguments", "where"),
    [
        ("eval-imagenet ''", "after eval-imagenet"),
        ("eval-coco --data ''", "after --data"),
        ("eval-coco --data=", "--data"),
        ("eval-coco x --weights '' --run y", "after --weights"),
        ("data check imagenet ''", "after imagenet"),
        ("data check coco --data=", "--data"),
        ("report --out ''", "after --out"),
        ("report --results=", "--results"),
        ("compare '' b", "after compare"),
        ("score a ''", "after a"),
        ("params --cfg ''", "after --cfg"),
        ("ci ''", "after ci"),
        ("''", "the first argument"),
    ],
)
def test_an_empty_argument_is_refused(
    arguments: str, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of an unset variable in a script: not the present folder, the environment's data set or the sample."""
    monkeypatch.chdir(tmp_path)
    for variable in ("CSPBENCH_IMAGENET", "CSPBENCH_COCO"):
        monkeypatch.setenv(variable, str(tmp_path))
    done = CliRunner().invoke(app, shlex.split(arguments))
    assert isinstance(done.exception, UsageError)
    assert (done.exception.code, done.exception.where) == ("usage.empty", where)
    assert list(tmp_path.iterdir()) == []


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
    detector_drawings.draw_result(result, "all", tmp_path / "pictures", None)
    assert decoders == [decoder]
