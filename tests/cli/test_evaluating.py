"""What the evaluating commands share, without a process for each case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cspbench.cli import choosing, evaluating
from cspbench.cli.app import app
from cspbench.cli.eval_imagenet import _name_bad
from cspbench.errors import CspbenchError, DatasetError, IncompleteRunError, OutputError, UsageError, WeightsError


def failing(error: Exception) -> Any:
    def evaluate() -> dict[str, Any]:
        raise error

    return evaluate


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([OutputError("network.not-finite", "values that are not finite")], 3),
        ([IncompleteRunError("incomplete.write-failed", "the disk is full")], 4),
        ([UsageError("usage.other-classes", "other classes")], 2),
        (
            [
                IncompleteRunError("incomplete.write-failed", "the disk is full"),
                WeightsError("weights.other-kind", "a Python pickle"),
            ],
            3,
        ),
        ([], 0),
    ],
)
def test_what_is_wrong_with_one_model_is_no_end_of_the_others(
    errors: list[CspbenchError], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    named = [(f"net{at}", failing(error)) for at, error in enumerate(errors)]
    results, left_out = evaluating.each([*named, ("good", lambda: {"top1": 1}), ("fine", lambda: {"top1": 2})])
    assert results == [{"top1": 1}, {"top1": 2}]
    assert left_out == code
    words = capsys.readouterr().err
    assert all(f"net{at} is left out: {error}" in words for at, error in enumerate(errors))


def test_the_error_of_the_only_model_is_raised_and_names_it() -> None:
    with pytest.raises(OutputError, match=r"^net, image: values that are not finite"):
        evaluating.each(
            [("net", failing(OutputError("network.not-finite", "values that are not finite", where="image")))]
        )
    with pytest.raises(WeightsError, match=r"^/net\.weights: a Python pickle$"):
        evaluating.each([("net", failing(WeightsError("weights.other-kind", "a Python pickle", where="/net.weights")))])


def test_processes_of_one_group_do_not_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    good = ("good", lambda: {"top1": 1})
    assert evaluating.each([("net", failing(WeightsError("weights.other-kind", "a Python pickle"))), good]) == (
        [{"top1": 1}],
        3,
    )
    with pytest.raises(OutputError, match=r"^net: "):
        evaluating.each([("net", failing(OutputError("network.not-finite", "values that are not finite"))), good])


@pytest.fixture(autouse=True)
def _no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CSPBENCH_WEIGHTS", raising=False)


def test_missing_weights_are_named_as_they_are_looked_for() -> None:
    words = str(choosing.nothing(["csresnet10", "enetb0", "csdarknet53", "resnet50", "darknet53"]))
    assert "Put enetb0_final.weights (19,560,180 bytes, published), csdarknet53.weights (110,710,068 bytes," in words
    assert "and 2 more there; `cspbench weights fetch` gets published ones" in words
    words = str(choosing.nothing(["csresnet10"]))
    assert "Put csresnet10.weights (10,954,420 bytes, never released) there" in words
    assert "fetch" not in words


def test_models_are_named_by_their_rows_too() -> None:
    assert choosing.chosen(["imagenet-big:cspdarknet-53"], None, None, (), detectors=False) == ([], ["csdarknet53"])
    assert choosing.chosen(["imagenet-big:resnet-5*"], None, None, (), detectors=False) == ([], ["resnet50"])
    with pytest.raises(
        UsageError, match=r"no row 'imagenet-big:cspdarknt-53'.*Did you mean imagenet-big:cspdarknet-53"
    ):
        choosing.chosen(["imagenet-big:cspdarknt-53"], None, None, (), detectors=False)


def test_a_detector_is_one_before_its_weights_are_missed() -> None:
    with pytest.raises(UsageError, match=r"yolov3-tiny is a detector.*eval-coco"):
        choosing.chosen(["yolov3-tiny"], None, None, (), detectors=False)
    with pytest.raises(UsageError, match="is a detector"):
        choosing.chosen(["yolov3-tiny*"], None, None, (), detectors=False)
    # a pattern that fits both means those that can be meant
    assert choosing.chosen(["csdarknet53-p*", "csdarknet53"], None, None, (), detectors=False)[1] == ["csdarknet53"]


def test_unreadable_images_are_named_with_reasons_and_not_without_end(capsys: pytest.CaptureFixture[str]) -> None:
    _name_bad([f"{at}.png" for at in range(500)], {"0.png": "is cut off"}, "counts as wrong")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 21
    assert lines[0] == "cspbench: could not be read and counts as wrong: 0.png (is cut off)"
    assert lines[-1].startswith("cspbench: and 480 more images")


@pytest.mark.parametrize(
    ("command", "words"), [("eval-imagenet", "is no data set"), ("eval-coco", "is no COCO data set")]
)
def test_a_mistyped_path_is_told_before_weights_that_lack(
    command: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CSPBENCH_WEIGHTS", raising=False)
    done = CliRunner().invoke(app, [command, str(tmp_path / "typo")])
    assert isinstance(done.exception, DatasetError)
    assert f"typo: {words}" in str(done.exception)
